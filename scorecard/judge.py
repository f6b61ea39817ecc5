"""Judging: evidence and a checklist become findings, findings become row statuses. Pure, and never stopped by a bug.

Stored evidence goes through here again under another checklist (what-if), so nothing is read but the arguments.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from scorecard.check import Check, Finding, Now, Subject, Want, fingerprint, not_applicable, unavailable, unknown
from scorecard.checklist import Checklist, ChecklistRow, NotApplicable, claims_no_state
from scorecard.evidence import Absent, Evidence, Observation, Unavailable, Window
from scorecard.evidence.aws import Resources
from scorecard.model import Cause, Provenance, Requirement, Scope, Service, Status

STATELESS = "stateless"
"""The code of a finding of a row that does not apply, since no datastore of the service was found."""
_LONGEST_WORDS = 500
"""Characters of an exception's text in a message."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of one service: the newest observation of each kind, and the windows of those that keep one."""

    observations: Mapping[type[Evidence], Observation] = field(default_factory=dict)
    windows: Mapping[type[Evidence], Window[Any]] = field(default_factory=dict)
    probed: frozenset[type[Evidence]] | None = None
    """The kinds that an installed probe answers; None where every kind is taken to have one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A finding with the check it belongs to and the times it rests on."""

    id: str
    requirement: Requirement
    rule_version: int
    status: Status
    code: str
    message: str
    cause: Cause | None = None
    subjects: tuple[Subject, ...] = ()
    lines: str = ""
    provenance: Provenance = Provenance.PROBED
    observed_at: datetime | None = None
    expires_at: datetime | None = None
    """When it becomes `unknown: expired`; None where it rests on no observation."""
    kinds: tuple[str, ...] = ()
    """The kinds of evidence it rests on."""
    fingerprint: str = ""
    """What a waiver of it is bound to; empty unless it failed."""

    def at(self, now: datetime) -> Judged:
        """The finding as it stands at `now`: past its maximum observation age it is `unknown: expired`."""
        if self.expires_at is None or now < self.expires_at or self.cause is Cause.EXPIRED:
            return self
        return dataclasses.replace(
            self,
            status=Status.UNKNOWN,
            code="expired",
            cause=Cause.EXPIRED,
            message=f"last seen {self.observed_at:%Y-%m-%d %H:%M} UTC, too long ago to count; then: {self.message}",
            fingerprint="",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RowResult:
    """A row's status and the findings it adds up from."""

    id: str
    weight: int
    status: Status
    checks: tuple[Judged, ...]
    not_asked: tuple[str, ...] = ()
    """Checks outside the scope: shown, and counting for nothing."""
    exclusion: NotApplicable | None = None

    @property
    def applies(self) -> bool:
        """Whether it is in the denominator."""
        return self.exclusion is None

    def at(self, now: datetime) -> RowResult:
        """The row as it stands at `now`: with what expired, and asked again once its exemption has ended."""
        if self.exclusion and self.exclusion.until and now.date() > self.exclusion.until:
            return dataclasses.replace(self, exclusion=None, status=row_status(()))
        checks = tuple(check.at(now) for check in self.checks)
        if all(new is old for new, old in zip(checks, self.checks, strict=True)):
            return self
        return row_of(self.id, self.weight, checks, self.not_asked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All findings of one service under one checklist at one instant."""

    service: Service
    checklist: Checklist
    taken_at: datetime | None
    """The newest observation it rests on; None where nothing was ever measured."""
    run: str
    rows: tuple[RowResult, ...]
    not_asked: tuple[str, ...] = ()
    """Rows outside the scope."""

    def at(self, now: datetime) -> Snapshot:
        """The snapshot as it stands at `now`, with what expired since."""
        return dataclasses.replace(self, rows=tuple(row.at(now) for row in self.rows))

    @property
    def measured(self) -> bool:
        """Whether anything was ever looked at."""
        return self.taken_at is not None


def judge(
    service: Service,
    checklist: Checklist,
    seen: Seen,
    now: datetime,
    *,
    run: str = "",
    scope: Scope | None = None,
    rows: frozenset[str] | None = None,
) -> Snapshot:
    """Judge everything that is known of a service.

    Args:
        service: the service in one environment.
        checklist: what it is measured against.
        seen: the evidence.
        now: the instant of judging, UTC.
        run: the id of the run that collected the evidence.
        scope: only the checks that this scope can ask; everything unless given.
        rows: only these rows; all unless given.
    """
    results: list[RowResult] = []
    not_asked: list[str] = []
    for row in checklist.rows:
        asked = tuple(check for check in row.checks if check.in_scope(scope))
        # A scope that holds none of the checks which could decide the row for this service does not ask the row.
        decidable = scope is None or any(
            check.requirement is Requirement.REQUIRED and service.type in check.types for check in asked
        )
        if (rows is not None and row.id not in rows) or not asked or not decidable:
            not_asked.append(row.id)
            continue
        results.append(_judge_row(row, asked, service, seen, now, scope))
    times = [seen.observations[kind].at for kind in seen.observations]
    return Snapshot(
        service=service,
        checklist=checklist,
        taken_at=max(times, default=None),
        run=run,
        rows=tuple(results),
        not_asked=tuple(not_asked),
    ).at(now)


def _judge_row(
    row: ChecklistRow, asked: tuple[Check, ...], service: Service, seen: Seen, now: datetime, scope: Scope | None
) -> RowResult:
    skipped = tuple(check.id for check in row.checks if check not in asked)
    exclusion = row.exclusion(service, now.date())
    if exclusion:
        return RowResult(
            id=row.id,
            weight=row.weight,
            status=Status.NOT_APPLICABLE,
            checks=(),
            not_asked=skipped,
            exclusion=exclusion,
        )
    checks = tuple(judge_check(row, check, service, seen, now, scope) for check in asked)
    return row_of(row.id, row.weight, checks, skipped)


def row_of(row_id: str, weight: int, checks: tuple[Judged, ...], not_asked: tuple[str, ...] = ()) -> RowResult:
    """A row that the catalogue asks for, as its findings add up.

    One of a service that keeps no state, as it says and as nothing found contradicts, does not apply for as long as
    that was looked at lately: what its findings rest on expires as all evidence does.
    """
    if checks and all(check.code == STATELESS for check in checks):
        claim = NotApplicable(checks[0].message)
        return RowResult(
            id=row_id,
            weight=weight,
            status=Status.NOT_APPLICABLE,
            checks=checks,
            not_asked=not_asked,
            exclusion=claim,
        )
    return RowResult(id=row_id, weight=weight, status=row_status(checks), checks=checks, not_asked=not_asked)


def row_status(checks: tuple[Judged, ...]) -> Status:
    """A row's status from its checks, as `interfaces.md` has it.

    A row none of whose required checks applies is unknown.
    """
    required = {check.status for check in checks if check.requirement is Requirement.REQUIRED}
    required.discard(Status.NOT_APPLICABLE)
    advisory = {check.status for check in checks if check.requirement is Requirement.ADVISORY}
    if Status.FAIL in required:
        return Status.FAIL
    if Status.UNKNOWN in required or not required:
        return Status.UNKNOWN
    if Status.WARN in required or advisory & {Status.WARN, Status.FAIL, Status.UNKNOWN}:
        return Status.WARN
    return Status.PASS


def judge_check(
    row: ChecklistRow, check: Check, service: Service, seen: Seen, now: datetime, scope: Scope | None = None
) -> Judged:
    """Judge one check. Whatever it raises becomes `unknown: probe_error`; nothing else is affected."""
    try:
        claim = _claim(row, service, seen, scope)
        if isinstance(claim, Finding):
            looked = seen.observations.get(Resources) if _asks_aws(scope) else None
            held = _dress(row, check, claim, (looked,) if looked else ())
            return dataclasses.replace(held, kinds=(Resources.kind(),))
        finding, resting_on = _find(row, check, service, seen, now, scope)
        if claim:
            finding = dataclasses.replace(finding, message=f"{finding.message}; {claim}")
        return _dress(row, check, finding, resting_on)
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001 - SystemExit and MemoryError of a check, too, stop nothing else
        bug = unknown(Cause.PROBE_ERROR, f"a bug in {row.id}/{check.id}: {type(error).__name__}{_words(error)}")
    return _dress(row, check, bug, _observations(check, seen))


def _claim(row: ChecklistRow, service: Service, seen: Seen, scope: Scope | None) -> Finding | str:
    """The finding where a service keeps no state, as far as was seen; else why that claim does not count, or nothing.

    A datastore that may be there is one until a complete look found none: losing that look must exclude no row.
    """
    if not claims_no_state(row, service):
        return ""
    said = "the service says that it keeps no state"
    if not _asks_aws(scope):
        return dataclasses.replace(not_applicable(said), code=STATELESS)
    found = _supply(Want("resources", Resources, False, False, False), seen, scope)
    if isinstance(found, Resources):
        stores = [one.name for one in found.resources if one.holds_data]
        if stores:
            return f"{said}, which does not count: {stores[0]} holds data"
        if found.unseen_data is None:
            words = f"{said}, and none of its {len(found.resources)} resources holds data"
            return dataclasses.replace(not_applicable(words), code=STATELESS)
        found = found.unseen_data
    why = found.detail if isinstance(found, Unavailable) else "AWS has nothing of it"
    return f"{said}, which does not count before its resources were looked through: {why}"


def _asks_aws(scope: Scope | None) -> bool:
    return scope is None or Resources.scope is scope


def _words(error: BaseException) -> str:
    """What an exception says, cut to a line; nothing where even that raises."""
    try:
        text = str(error)[:_LONGEST_WORDS]
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException:  # noqa: BLE001 - an exception whose own text is broken, too, stops nothing else
        return ""
    return f": {text}" if text else ""


def _find(
    row: ChecklistRow, check: Check, service: Service, seen: Seen, now: datetime, scope: Scope | None
) -> tuple[Finding, tuple[Observation, ...]]:
    if service.type not in check.types:
        words = " and ".join(sorted(check.types))
        return not_applicable(f"asked of {words} services"), ()
    if check.function is None:
        return unknown(Cause.NOT_SUPPORTED, f"not measured by this version: it waits for {check.awaits}"), ()
    arguments: dict[str, object] = {
        name: service if hint is Service else now if hint is Now else row.limits for name, hint in check.values
    }
    resting_on = _observations(check, seen)
    supplied = [(want, _supply(want, seen, scope)) for want in check.wants]
    # Missing evidence decides before absent evidence: what could not be seen may hold the subject.
    for want, value in supplied:
        if isinstance(value, Unavailable) and not want.takes_unavailable:
            return unavailable(value), resting_on
    absent = [(want, value) for want, value in supplied if isinstance(value, Absent) and not want.takes_absent]
    for want, value in absent:
        if not want.takes_unavailable or len(absent) == len(supplied):
            return not_applicable(value.reason), resting_on
    arguments |= {want.parameter: value for want, value in supplied}
    # One of several sources that has nothing counts as one that was lost, or losing it would help.
    arguments |= {want.parameter: Unavailable(Cause.NO_DATA, value.reason) for want, value in absent}
    finding = check.function(**arguments)
    if not isinstance(finding, Finding):
        raise TypeError(f"returned {type(finding).__name__}, not a Finding")
    return finding, _needed(check, check.function, arguments, finding, resting_on)


def _needed(
    check: Check,
    function: Callable[..., Finding],
    arguments: Mapping[str, object],
    finding: Finding,
    resting_on: tuple[Observation, ...],
) -> tuple[Observation, ...]:
    """The observations without which the status would be another.

    Where one of several sources suffices, an old or a weak one beside it must not make the finding older or weaker than
    it would be had that source said nothing at all: by losing a source, nothing may be raised.
    """
    left = dict(arguments)
    needed = list(resting_on)
    optional = {want.kind: want for want in check.wants if want.takes_unavailable}
    for seen in sorted(resting_on, key=lambda one: one.at):
        if seen.kind in optional and len(needed) > 1:
            name = optional[seen.kind].parameter
            without = left | {name: Unavailable(Cause.NO_DATA, "left out")}
            if function(**without).status is finding.status:
                left = without
                needed.remove(seen)
    return tuple(needed)


def _observations(check: Check, seen: Seen) -> tuple[Observation, ...]:
    return tuple(seen.observations[kind] for kind in check.kinds if kind in seen.observations)


def _supply(want: Want, seen: Seen, scope: Scope | None) -> object:
    if scope is not None and want.kind.scope is not scope:
        return Absent(f"not asked in the scope {scope}")
    if seen.probed is not None and want.kind not in seen.probed:
        return Unavailable(Cause.NOT_SUPPORTED, f"no installed probe answers {want.kind.kind()}")
    observation = seen.observations.get(want.kind)
    if observation is None:
        return Unavailable(Cause.NO_DATA, "not measured yet")
    return _window(want, seen, observation) if want.windowed else observation.value


def _window(want: Want, seen: Seen, observation: Observation) -> object:
    # A service of which the newest sample says "not configured" or "does not exist" has no history worth judging.
    if isinstance(observation.value, Absent) or (
        isinstance(observation.value, Unavailable) and observation.value.cause is Cause.NOT_CONFIGURED
    ):
        return observation.value
    window = seen.windows.get(want.kind)
    if window is None or not window.samples:
        return Unavailable(Cause.NO_DATA, "no sample yet")
    return window


def _dress(row: ChecklistRow, check: Check, finding: Finding, resting_on: tuple[Observation, ...]) -> Judged:
    observed = finding.observed_at or min((seen.at for seen in resting_on), default=None)
    expires = min((seen.expires_at for seen in resting_on), default=None)
    if finding.observed_at is not None:
        expires = min((finding.observed_at + seen.kind.oldest() for seen in resting_on), default=None)
    provenance = max(
        (seen.value.provenance for seen in resting_on if isinstance(seen.value, Evidence)),
        key=lambda provenance: provenance.rank,
        default=Provenance.PROBED,
    )
    return Judged(
        id=check.id,
        requirement=check.requirement,
        rule_version=check.version,
        status=finding.status,
        code=finding.code,
        message=finding.message,
        cause=finding.cause,
        subjects=finding.subjects,
        lines=finding.lines,
        provenance=finding.provenance or provenance,
        observed_at=observed,
        expires_at=expires,
        kinds=tuple(kind.kind() for kind in check.kinds),
        fingerprint=fingerprint(row.id, check.id, finding) if finding.status is Status.FAIL else "",
    )
