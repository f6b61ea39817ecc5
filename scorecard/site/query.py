"""The filters of `/services`, read from a query string and written back into one: every view is a URL."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from scorecard.model import Level, Lifecycle, Status
from scorecard.store.views import Query

SORTS = ("score", "name", "team", "tier", "coverage", "age")
PAGE = 50
LARGEST_PAGE = 200
BELOW = "below"
"""A level that is asked for and that no service has: measured, and anything but ready."""

_SCORE = re.compile(r"(\d{1,3}(?:\.\d+)?)?-(\d{1,3}(?:\.\d+)?)?")
FILTERS = (
    "q",
    "team",
    "tier",
    "environment",
    "lifecycle",
    "row",
    "status",
    "level",
    "score",
    "measured",
    "stale",
    "checklist",
    "sort",
    "after",
    "limit",
)
"""Every filter, in the order in which links write them."""
_YES_OR_NO = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What was asked for: the query it means, the text it was written in, and what of it could not be read."""

    query: Query
    values: Mapping[str, str]
    """Every filter that was given, as it was given, so that the form keeps it."""
    problems: tuple[str, ...]

    def get(self, name: str) -> str:
        """The text of one filter; empty where it was not given."""
        return self.values.get(name, "")

    def url(self, path: str = "/services", **changes: str) -> str:
        """The address of this view with some filters changed; an empty text takes one away.

        The cursor of the page is kept only where it is given: another filter begins at the first page.
        """
        kept = {name: value for name, value in self.values.items() if name != "after"} | changes
        return address(path, **kept)

    @property
    def api_url(self) -> str:
        """The same question to the API; empty where it has no such filter."""
        return "" if self.query.below or self.query.measured is not None else self.url("/api/v1/services")

    @property
    def narrowed(self) -> bool:
        """Whether anything but order, page and checklist was asked for."""
        return any(name not in {"sort", "after", "limit", "checklist"} for name in self.values)


def address(path: str, **values: str) -> str:
    """A path with a query string of what is not empty, in the order of the site's filters."""
    order = {name: index for index, name in enumerate(FILTERS)}
    pairs = sorted(((n, v) for n, v in values.items() if v), key=lambda pair: (order.get(pair[0], 99), pair[0]))
    return f"{path}?{urlencode(pairs)}" if pairs else path


def read(args: Mapping[str, str], checklists: Collection[str], *, default: str, rows: Collection[str]) -> Filters:
    """Read the filters of a request.

    Args:
        args: the query string; names that are no filter are ignored.
        checklists: the names of the configured checklists.
        default: the checklist that is meant when none is named.
        rows: ids of the rows that can be asked for.
    """
    values = {name: args[name].strip() for name in FILTERS if args.get(name, "").strip()}
    problems: list[str] = []

    def one_of(name: str, known: Collection[str]) -> str:
        text = values.get(name, "")
        if text and text not in known:
            problems.append(f"{name} “{text[:60]}” is none of {', '.join(known)}")
            return ""
        return text

    status = one_of("status", [known.value for known in Status])
    level = one_of("level", [*(known.value for known in Level), BELOW])
    low, high = _score(values.get("score", ""), problems)
    sort = values.get("sort", "score")
    if sort.removeprefix("-") not in SORTS:
        problems.append(f"sort “{sort[:60]}” is none of {', '.join(SORTS)}, with or without a - before it")
        sort = "score"
    query = Query(
        checklist=one_of("checklist", checklists) or default,
        q=values.get("q", ""),
        team=values.get("team", ""),
        tier=values.get("tier", ""),
        environment=values.get("environment", ""),
        lifecycle=one_of("lifecycle", [lifecycle.value for lifecycle in Lifecycle]),
        row=one_of("row", rows),
        status=Status(status) if status else None,
        level=Level(level) if level and level != BELOW else None,
        below=level == BELOW,
        measured=_yes_or_no("measured", values, problems),
        score_from=low,
        score_below=high,
        stale=_yes_or_no("stale", values, problems),
        sort=sort,
        after=values.get("after", ""),
        limit=_limit(values.get("limit", ""), problems),
    )
    return Filters(query=query, values=values, problems=tuple(problems))


def _score(text: str, problems: list[str]) -> tuple[float | None, float | None]:
    if not text:
        return None, None
    match = _SCORE.fullmatch(text.replace("<", "-"))
    if not match or not (match[1] or match[2]):
        problems.append(f"score “{text[:60]}” is no range: write 40-50 for 40 and more but under 50, 80- or -60")
        return None, None
    low, high = (float(part) if part else None for part in match.groups())
    if low is not None and high is not None and low >= high:
        problems.append(f"score “{text[:60]}” is empty: {low:g} is not under {high:g}")
    # The last ten points hold the full score too, as the last bar of the distribution does.
    return low, 100.1 if high == 100 else high  # noqa: PLR2004 - the full score


def _yes_or_no(name: str, values: Mapping[str, str], problems: list[str]) -> bool | None:
    text = values.get(name, "")
    if text and text not in _YES_OR_NO:
        problems.append(f"{name} “{text[:60]}” is neither yes nor no")
    return _YES_OR_NO.get(text)


def _limit(text: str, problems: list[str]) -> int:
    if not text:
        return PAGE
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:6]) <= LARGEST_PAGE:
        problems.append(f"limit “{text[:60]}” is not a number from 1 to {LARGEST_PAGE}")
        return PAGE
    return int(text)
