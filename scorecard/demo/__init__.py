"""The demo fleet: small real services in one process, each with one deliberate defect, and real git repositories.

`with Fleet(clock=…) as fleet:` starts them; `fleet.directory` holds a configuration and a catalogue that describe them.
"""

from scorecard.demo.fleet import Fleet
from scorecard.demo.history import seed
from scorecard.demo.lessons import IN_AWS, LESSONS, OUTSIDE_AWS, UNIFORM, Lesson

__all__ = ["IN_AWS", "LESSONS", "OUTSIDE_AWS", "UNIFORM", "Fleet", "Lesson", "seed"]
