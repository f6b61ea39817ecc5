"""Architecture decision records (ADRs): the reasons for how things are, written down where the code is."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from scorecard.check import Category, Finding, Item, Now, Risk, Row, each, failed, passed, unavailable, warned
from scorecard.evidence import DecisionRecord, DecisionRecords, RecordState
from scorecard.silencing import heed


@dataclass(frozen=True, slots=True)
class Limits:
    """How many records there must be, how much they must say, and how old the newest may be."""

    accepted: int = 3
    """Accepted records."""
    words: int = 5
    """Words of real text in each of context, decision and consequences."""
    newest_within_days: int = 365


row = Row(
    title="Architecture decision records (ADRs)",
    category=Category.DOCUMENTATION,
    risk=Risk.LOW,
    why="Without the reasons, whoever comes next either fears every change or undoes what was learned.",
    limits=Limits,
    links=("https://adr.github.io/madr/", "https://cognitect.com/blog/2011/11/15/documenting-architecture-decisions"),
)

_DECIDED = {RecordState.ACCEPTED, RecordState.SUPERSEDED, RecordState.DEPRECATED}
_SECTIONS = {"context": "the context (why)", "decision": "the decision", "consequences": "the consequences"}


@row.required(
    remedy="""
    Write down the three decisions that a newcomer asks about first, one file each, `docs/adr/0001-use-postgresql.md`:

    ```markdown
    # 1. Use PostgreSQL

    Date: 2026-11-24

    ## Status

    Accepted

    ## Context

    Payments need transactions over several tables; the team runs PostgreSQL for two other services already.

    ## Decision

    We will store payments in PostgreSQL 15 on RDS.

    ## Consequences

    One more database to restore in the drill. Schema changes follow expand and contract.
    ```
    """
)
def present(seen: DecisionRecords, limits: Limits) -> Finding:
    """The service's repositories hold at least {accepted} accepted decision records."""
    accepted = sum(record.state is RecordState.ACCEPTED for record in seen.records)
    if accepted >= limits.accepted:
        return passed(f"{accepted} accepted decision records in {', '.join(seen.folders)}")
    if seen.missing:
        return unavailable(seen.missing[0])
    if not seen.records:
        return failed("none", "no decision records in adr/, docs/adr, docs/decisions, doc/adr or where .adr-dir points")
    states = Counter(record.state.value for record in seen.records)
    counted = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    records = "record" if accepted == 1 else "records"
    return failed("too-few", f"{accepted} accepted decision {records}, {limits.accepted} are needed; found {counted}")


@row.required(
    remedy="""
    Give each record a title, a status, a date, and text under context, decision and consequences. MADR:

    ```markdown
    ---
    status: accepted
    date: 2026-11-24
    ---
    # Use PostgreSQL
    ## Context and Problem Statement
    ## Decision Outcome
    ### Consequences
    ```

    When a record replaces another, say so in both: `Supersedes [1. Use MySQL](0001-use-mysql.md)` and
    `Superseded by [7. Use PostgreSQL](0007-use-postgresql.md)`; adr-tools does it with `adr new -s 1 Use PostgreSQL`.
    """
)
def well_formed(seen: DecisionRecords, limits: Limits, now: Now) -> Finding:
    """Each record has title, status, date, context, decision, consequences ({words} words each) and its own number."""
    taken = Counter((record.folder, int(record.number)) for record in seen.records if record.number)

    def judge(record: DecisionRecord) -> Item:
        faults = list(_faults(record, seen.records, taken, limits))
        doubts = [] if record.decided_on else [_undated(record)]
        if faults:
            code = faults[0][0] if len(faults) == 1 else "several"
            item: Item = failed(code, "; ".join(message for _, message in (*faults, *doubts)))
        elif doubts:
            code, message = doubts[0]
            item = warned(code, message) if record.changed_on else failed(code, message)
        else:
            item = passed(f"{record.state} on {record.decided_on}, with context, decision and consequences")
        return heed(item, record.silences, "adrs/well-formed", now)

    return each(seen.records, judge, missing=seen.missing, things="decision records")


def _faults(
    record: DecisionRecord, records: Sequence[DecisionRecord], taken: Counter[tuple[str, int]], limits: Limits
) -> Iterator[tuple[str, str]]:
    if not record.title:
        yield "no-title", "has no title"
    if record.state is RecordState.MISSING:
        yield "no-status", "has no status"
    elif record.state is RecordState.OTHER:
        yield "other-status", "its status is none of proposed, accepted, rejected, deprecated, superseded"
    for key, what in _SECTIONS.items():
        count = record.sections.get(key)
        if count is None:
            yield f"no-{key}", f"{what} is missing" if key != "consequences" else f"{what} are missing"
        elif count < limits.words:
            yield f"thin-{key}", f"{what}: {count} words; {limits.words} are needed"
    if record.number and taken[record.folder, int(record.number)] > 1:
        yield (
            "number-taken",
            f"the number {record.number} is used by {taken[record.folder, int(record.number)]} records",
        )
    yield from _one_way(record, records)


def _one_way(record: DecisionRecord, records: Sequence[DecisionRecord]) -> Iterator[tuple[str, str]]:
    """Superseding links of this record that the other record does not return."""
    if not record.number:
        return
    beside = {int(other.number): other for other in records if other.number and other.folder == record.folder}
    mine = int(record.number)
    for number in record.supersedes:
        other = beside.get(int(number))
        if other is None:
            yield "superseded-is-gone", f"supersedes {number}, which is not there"
        elif mine not in map(int, other.superseded_by):
            yield "one-way", f"supersedes {number}, and {other.name} does not say so"
    for number in record.superseded_by:
        other = beside.get(int(number))
        if other is None:
            yield "successor-is-gone", f"superseded by {number}, which is not there"
        elif mine not in map(int, other.supersedes):
            yield "one-way", f"superseded by {number}, and {other.name} does not say so"


def _undated(record: DecisionRecord) -> tuple[str, str]:
    if record.changed_on:
        return "date-by-git-only", f"says no date; its last commit is of {record.changed_on}"
    return "no-date", "has no date"


@row.advisory(
    remedy="""
    Record the next decision about structure together with the change that it explains: a new resource in Terraform,
    another service in compose, a new manifest. `Date:` or front matter `date:` is what is read.
    """
)
def alive(seen: DecisionRecords, limits: Limits, now: Now) -> Finding:
    """The newest record is at most {newest_within_days} days old, or no Terraform or manifest changed since."""
    today = now.date()
    newest = max((day for record in seen.records if (day := _made_on(record, today))), default=None)
    if newest is not None and (today - newest).days <= limits.newest_within_days:
        return passed(f"the newest record is of {newest}, {(today - newest).days} days ago")
    if seen.missing or seen.history_missing:
        return unavailable((*seen.missing, *seen.history_missing)[0])
    if newest is None:
        return failed("none", "no decision record with a date")
    age = f"the newest record is of {newest}, {(today - newest).days} days ago"
    if seen.structure_changed_on is None:
        return passed(f"{age}; there is no Terraform, compose file or manifest that could have changed since")
    if seen.structure_changed_on <= newest:
        return passed(f"{age}; nothing structural changed since {seen.structure_changed_on}")
    return failed("stale", f"{age}, and Terraform, compose or manifests changed on {seen.structure_changed_on}")


def _made_on(record: DecisionRecord, today: date) -> date | None:
    """When the decision was made, by the record itself, else by git; a day to come is none."""
    if record.state not in _DECIDED:
        return None
    days = [day for day in (record.decided_on, record.changed_on) if day is not None and day <= today]
    return days[0] if days else None
