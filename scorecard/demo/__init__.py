"""The demo fleet: small real services in one process, each with one deliberate defect, and real git repositories.

`with Fleet(clock=…) as fleet:` starts them; `fleet.directory` holds a configuration and a catalogue that describe them.
"""

from scorecard.demo.fleet import Fleet
from scorecard.demo.history import seed
from scorecard.demo.lessons import LESSONS, UNIFORM, Lesson

__all__ = ["LESSONS", "UNIFORM", "Fleet", "Lesson", "seed"]
