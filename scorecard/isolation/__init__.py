"""Reading what strangers wrote, in a child process that can do nothing else.

`worker` is our side of the seam, `child` the other; probes name the module that their child runs.
"""

from scorecard.isolation.refusal import UnreadableError
from scorecard.isolation.worker import ChildLimits, Worker

__all__ = ["ChildLimits", "UnreadableError", "Worker"]
