"""The query parameters of the operations. The names are those of the site's filters; an unknown one is an error."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from scorecard.model import Level, Lifecycle, Status
from scorecard.store.views import Query

LABEL = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
SORTS = Literal[
    "score", "name", "team", "tier", "coverage", "age", "-score", "-name", "-team", "-tier", "-coverage", "-age"
]
YesOrNo = Literal["true", "false", "yes", "no"]
_ONE_SCORE = r"(100|\d{1,2}(\.\d{1,3})?)"
_SCORE = rf"^({_ONE_SCORE}-{_ONE_SCORE}?|[<-]{_ONE_SCORE})$"
_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+ -]\d{2}:\d{2})")
_COUNT = re.compile(r"-?\d{1,9}", re.ASCII)
_LEAP = re.compile(r"(?<=:\d\d:)60")


def _instant(text: object) -> object:
    """An RFC 3339 instant. A `+` that came unencoded is a space by now; a leap second is the one before it."""
    if not isinstance(text, str) or not _RFC3339.fullmatch(text):
        raise ValueError("an instant such as 2026-11-23T04:10:00Z is expected")
    head, offset = text[:19].replace("t", "T"), text[19:].replace(" ", "+").upper()
    return _LEAP.sub("59", head.replace(" ", "T")) + offset


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        return at.replace(tzinfo=UTC)


def _count(text: object) -> object:
    """A whole number as a query string has it, and as JSON Schema means an integer: no `+5`, `1_000` or ` 5`."""
    if isinstance(text, str) and not _COUNT.fullmatch(text):
        raise ValueError("a whole number is expected")
    return text


Label = Annotated[str, Field(pattern=LABEL, max_length=63)]
SearchText = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Cursor = Annotated[str, Field(max_length=1000, pattern=r"^[A-Za-z0-9_-]*$")]
At = Annotated[datetime, BeforeValidator(_instant), AfterValidator(_in_utc)]
Limit = Annotated[int, Field(ge=1, le=200), BeforeValidator(_count)]


class Parameters(BaseModel):
    """Query parameters: these and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, populate_by_name=False)


class InEnvironment(Parameters):
    """For one service in one environment."""

    environment: Label = "production"
    """The environment."""


class OnChecklist(InEnvironment):
    """For one service on one checklist."""

    checklist: Label | None = None
    """The checklist; the service's primary one unless given."""


class ScorecardParameters(OnChecklist):
    """For the scorecard document."""

    at: At | None = None
    """Any past instant; now unless given. More than a minute in the future is refused."""


class HistoryParameters(OnChecklist):
    """For a service's history."""

    days: Annotated[int, Field(ge=1, le=3660), BeforeValidator(_count)] = 90
    """How many days back."""
    after: Cursor = ""
    """The cursor that the page before gave."""
    limit: Limit = 50
    """Changes on a page."""


class DiffParameters(OnChecklist):
    """For the difference between two instants."""

    from_: At = Field(alias="from")
    """One instant."""
    to: At | None = None
    """The other; now unless given."""


class MeasureParameters(InEnvironment):
    """For measuring now."""

    row: Label | None = None
    """Only what this row rests on; everything unless given."""


class ListParameters(Parameters):
    """For a list with a cursor."""

    after: Cursor = ""
    """The cursor that the page before gave."""
    limit: Limit = 50
    """Items on a page."""


class ServicesParameters(ListParameters):
    """The filters of the list of services, named as the site's."""

    q: SearchText = ""
    """Part of a service's or a team's name."""
    team: Label | None = None
    """The team that owns it."""
    tier: Label | None = None
    """Its tier."""
    environment: Label | None = None
    """The environment; every one unless given."""
    lifecycle: Lifecycle | None = None
    """experimental, production or deprecated."""
    checklist: Label | None = None
    """The checklist whose scores are listed; the first configured one unless given."""
    row: Label | None = None
    """With `status`: services in which this row has it. Alone: services that have the row."""
    status: Status | None = None
    """With `row`: that row's status. Alone: any row has it."""
    level: Literal["ready", "nearly", "not-ready", "unknown", "below"] | None = None
    """The word for the score; `below` is measured within 24 hours, and anything but ready."""
    measured: YesOrNo | None = None
    """Whether anything was observed within 24 hours."""
    score: Annotated[str, Field(pattern=_SCORE)] | None = None
    """`50-60`, `80-` or `-50`, and `<80`; half-open: 60 is not in `50-60`, and 100 is in `90-100`."""
    score_from: Annotated[float, Field(ge=0, le=100)] | None = None
    """This score and above."""
    score_below: Annotated[float, Field(ge=0, le=101)] | None = None
    """Below this score."""
    stale: YesOrNo | None = None
    """Whether a live answer is older than its maximum age."""
    sort: SORTS = "score"
    """By what; a leading `-` turns it round."""

    def bounds(self) -> tuple[float | None, float | None]:
        """(from, below) of the score, from whichever way it was said; the narrower where both were."""
        low, _, high = (self.score or "").replace("<", "-").partition("-")
        lower = [float(low)] if low else []
        # The last ten points include the full score, as the site's last bar does.
        upper = [float(high) if float(high) < 100 else 100.1] if high else []  # noqa: PLR2004 - the full score
        lower += [self.score_from] if self.score_from is not None else []
        upper += [self.score_below] if self.score_below is not None else []
        return max(lower, default=None), min(upper, default=None)

    def as_query(self, checklist: str) -> Query:
        """The same for the store, on a checklist that exists; `scorecard list` asks it too."""
        low, below = self.bounds()
        return Query(
            checklist=checklist,
            q=self.q.strip(),
            team=self.team or "",
            tier=self.tier or "",
            environment=self.environment or "",
            lifecycle=self.lifecycle or "",
            row=self.row or "",
            status=self.status,
            level=Level(self.level) if self.level and self.level != "below" else None,
            below=self.level == "below",
            measured=truth(self.measured),
            score_from=low,
            score_below=below,
            stale=truth(self.stale),
            sort=self.sort,
            after=self.after,
            limit=self.limit,
        )


def truth(asked: YesOrNo | None) -> bool | None:
    """What a word of yes or no means; None where it was not asked."""
    return None if asked is None else asked in {"true", "yes"}


def given(args: Any) -> tuple[dict[str, str], list[str]]:  # noqa: ANN401 - werkzeug's MultiDict
    """The parameters of a query string, and those that were given more than once."""
    values = {name: found[0] for name, found in args.lists()}
    return values, [name for name, found in args.lists() if len(found) > 1]


class TokenParameters(Parameters):
    """For the list of tokens."""

    service: Label | None = None
    """Those of one service only."""
