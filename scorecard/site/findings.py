"""The rows of a document as a service's page shows them: worst first, and never more than a page can carry.

Foreign text has no end of its own: a rule file with a thousand alerts, an answer of kilobytes behind each check. What
does not fit is counted on the page and stands in the JSON document.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from markupsafe import escape

from scorecard.check import Rung
from scorecard.checklist import Checklist
from scorecard.document import Document
from scorecard.model import Status
from scorecard.site.words import STATUS_ORDER

_EXCERPTS = 32 * 1024
"""Bytes of HTML for excerpts and requests on one page; past them an excerpt is cut short."""
_SUBJECTS = 32 * 1024
"""Bytes of HTML for the tables of subjects on one page."""
_SUBJECT_ROW = 180
"""Bytes of HTML around one subject."""
_SHORT = 300
_ANSWERS = 6
"""Answers that are shown behind one check."""
_MESSAGE = 600
_ON_A_RUNG = 5
"""Subjects that are named on one rung of a ladder."""
_ORDER = {status: index for index, status in enumerate(STATUS_ORDER)}
_QUIET = frozenset({Status.PASS, Status.NOT_APPLICABLE})


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownExhibit:
    """One answer behind a finding, with as much of it as the page has room for."""

    exhibit: Document
    excerpt: str
    cut: bool
    shown_above: bool
    """The same answer stands at an earlier check of this page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCheck:
    """A check with what its part of the page holds."""

    doc: Document
    status: Status
    message: str
    subjects: tuple[Document, ...]
    """Worst first."""
    more_subjects: int
    exhibits: tuple[ShownExhibit, ...]
    more_exhibits: int

    @property
    def unsupported(self) -> bool:
        """This version cannot measure it."""
        return bool(self.doc["cause"] == "not_supported")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRung:
    """One kind of proof on a row's ladder, with the subjects that stand on it."""

    words: str
    status: Status
    subjects: tuple[str, ...]
    more: int
    """Subjects that are not named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRow:
    """A row with its checks, worst first."""

    doc: Document
    status: Status
    why: str
    blocks: bool
    """The gate asks for it."""
    acting: tuple[ShownCheck, ...]
    """Checks that fail, warn or are unknown."""
    passing: tuple[ShownCheck, ...]
    """Checks that pass or do not apply."""
    ladder: tuple[ShownRung, ...] = ()
    """The kinds of proof that the row takes, best first; empty where there is only one."""

    @property
    def unsupported(self) -> bool:
        """Unknown for no other reason than that this version cannot measure it."""
        required = [check for check in self.acting if check.doc["requirement"] == "required"]
        return self.status is Status.UNKNOWN and bool(required) and all(check.unsupported for check in required)


@dataclass(slots=True)
class _Room:
    """What is left of a page."""

    excerpts: int = _EXCERPTS
    subjects: int = _SUBJECTS
    shown: set[str] = field(default_factory=set)
    """Digests of the answers that stand on the page already."""


def shown(doc: Document, checklist: Checklist) -> list[ShownRow]:
    """The rows of a document: failing first, then by what passing them is worth."""
    room = _Room()
    ordered = sorted(doc["rows"], key=lambda row: (_ORDER[Status(row["status"])], -row["points"]))
    return [_row(row, checklist, room) for row in ordered]


def short(text: str, length: int = _MESSAGE) -> str:
    """A text of foreign length, cut with an ellipsis."""
    return text if len(text) <= length else f"{text[:length]}…"


def _row(doc: Document, checklist: Checklist, room: _Room) -> ShownRow:
    ordered = sorted(
        doc["checks"], key=lambda check: (check["requirement"] != "required", _ORDER[Status(check["status"])])
    )
    checks = [_check(check, room) for check in ordered]
    bound = checklist.by_id.get(doc["id"])
    return ShownRow(
        doc=doc,
        status=Status(doc["status"]),
        why=bound.row.why if bound else "",
        blocks=doc["id"] in checklist.required_rows,
        acting=tuple(check for check in checks if check.status not in _QUIET),
        passing=tuple(check for check in checks if check.status in _QUIET),
        ladder=tuple(_ladder(doc, bound.row.ladder)) if bound else (),
    )


def _ladder(doc: Document, rungs: Iterable[Rung]) -> Iterator[ShownRung]:
    subjects = [subject for check in doc["checks"] for subject in check["subjects"]]
    for rung in rungs:
        names = list(dict.fromkeys(short(one["name"]) for one in subjects if one["code"] in rung.codes))
        yield ShownRung(
            words=rung.words,
            status=rung.status,
            subjects=tuple(names[:_ON_A_RUNG]),
            more=max(0, len(names) - _ON_A_RUNG),
        )


def _check(doc: Document, room: _Room) -> ShownCheck:
    subjects = tuple(_subjects(doc["subjects"], room))
    exhibits = tuple(_exhibits(doc["evidence"][:_ANSWERS], room))
    return ShownCheck(
        doc=doc,
        status=Status(doc["status"]),
        message=short(doc["message"]),
        subjects=subjects,
        more_subjects=len(doc["subjects"]) - len(subjects),
        exhibits=exhibits,
        more_exhibits=len(doc["evidence"]) - len(exhibits),
    )


def _subjects(subjects: Iterable[Document], room: _Room) -> Iterator[Document]:
    for subject in sorted(subjects, key=lambda subject: _ORDER[Status(subject["status"])]):
        entry = {**subject, "name": short(subject["name"]), "message": short(subject["message"])}
        room.subjects -= _SUBJECT_ROW + _bytes(entry["name"]) + _bytes(entry["message"])
        if room.subjects < 0:
            return
        yield entry


def _exhibits(exhibits: Iterable[Document], room: _Room) -> Iterator[ShownExhibit]:
    for exhibit in exhibits:
        repeated = exhibit["digest"] in room.shown
        room.shown.add(exhibit["digest"])
        excerpt = ""
        if not repeated:
            excerpt = exhibit["excerpt"]
            if _bytes(excerpt) > room.excerpts:
                excerpt = excerpt[:_SHORT]
            room.excerpts -= _bytes(excerpt)
        yield ShownExhibit(
            exhibit=exhibit,
            excerpt=excerpt,
            cut=not repeated and len(excerpt) < len(exhibit["excerpt"]),
            shown_above=repeated,
        )


def _bytes(text: str) -> int:
    """What a text takes as HTML: a quote alone is five bytes."""
    return len(str(escape(text)).encode("utf-8", "backslashreplace"))
