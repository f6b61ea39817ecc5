"""How a drill ends before its time: the backup failed, or the drill could not be carried out; and the words for it."""

from __future__ import annotations


class DrillError(Exception):
    """A drill that ends here. `code` is one word for machines, the message is for a person."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class BackupFailed(DrillError):  # noqa: N818 - said as it is
    """The backup was tried and is not what it should be."""


class NotCarriedOut(DrillError):  # noqa: N818 - said as it is
    """The drill could not be done; that says nothing about the backup."""


class Refused(NotCarriedOut):
    """The drill would have touched what it must not touch."""


class Interrupted(NotCarriedOut):
    """Someone asked the drill to stop."""

    def __init__(self) -> None:
        super().__init__("interrupted", "the drill was interrupted")
