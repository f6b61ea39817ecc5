"""The command line. Printing stands here and nowhere else; heavy imports stand inside the commands.

`scorecard --help` prints in a fraction of a second because nothing but click is imported until a command runs.
"""

from scorecard.cli.main import main, root

__all__ = ["main", "root"]
