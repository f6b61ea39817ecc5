"""The shapes of what is pushed and of tokens, as pydantic models."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from scorecard.api.parameters import LABEL, Label
from scorecard.api.shapes import Instant, Shape
from scorecard.evidence.pushed import PushedKind
from scorecard.model import Provenance


class PushedItem(Shape):
    """A document that was pushed, without the document."""

    id: int
    service: str
    environment: str
    kind: PushedKind
    received_at: Instant
    pushed_by: str
    """The name of the token; for a drill of our own, what ran it."""
    provenance: Provenance
    digest: str
    """`sha256:` of the document, as it is kept."""
    run: int | None
    """The run that judges it; null in lists, and for a kind on which no row rests."""


class PushedPage(Shape):
    """What was pushed."""

    items: list[PushedItem]
    next: str | None
    total: int


class TokenItem(Shape):
    """A token, without the token."""

    id: str
    """The part of it that is no secret."""
    name: str
    service: str
    kinds: list[PushedKind]
    """What it may push."""
    created_at: Instant
    created_by: str
    expires_at: Instant
    revoked_at: Instant | None
    last_used_at: Instant | None
    """To the minute."""
    active: bool
    """It opens something now."""


class TokenPage(Shape):
    """Tokens."""

    items: list[TokenItem]
    next: str | None
    total: int


class NewToken(TokenItem):
    """A token that was just made."""

    token: str
    """All of it. This is the only time that it is shown."""


class TokenRequest(BaseModel):
    """What is asked of a new token."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True, defer_build=True)

    service: Label
    """The service that it pushes about, in every environment."""
    name: Annotated[str, Field(pattern=f"^({LABEL[1:-1]})?$", max_length=63)] = ""
    """What its pushes are shown under; the service's name with -push unless given."""
    kinds: Annotated[list[Annotated[PushedKind, Field(strict=False)]], Field(min_length=1, max_length=3)] = [
        PushedKind.DRILL
    ]
    """What it may push."""
    expires: Annotated[str, Field(pattern=r"^(\d{1,9}(ms|s|m|h|d|w|y))+$", max_length=40)] = "30d"
    """How long it lives, at most 90d."""
