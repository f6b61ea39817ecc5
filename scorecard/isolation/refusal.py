"""What a limited child says of what it cannot read."""

from __future__ import annotations

from scorecard.model import Cause


class UnreadableError(Exception):
    """Something that others wrote and that cannot be read; `detail` is for the person who must act."""

    def __init__(self, cause: Cause, detail: str) -> None:
        super().__init__(detail)
        self.cause = cause
        self.detail = detail
