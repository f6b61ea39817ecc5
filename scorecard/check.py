"""The contract of a check: rows, findings, and the few words in which a rule is written.

A row is one file in a package of rows; a check is one pure function in it. The function's docstring is its rule, its
parameters say by annotation what it wants to know, and it returns what `passed`, `warned`, `failed`, `unknown`,
`not_applicable`, `each` or `share` made. A wrong annotation is a TypeError when the file is imported.
"""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import types
import typing
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any, NewType, Protocol, TypeVar

from scorecard.evidence import Absent, Evidence, Unavailable, Window
from scorecard.model import (
    Cadence,
    Category,
    Cause,
    Provenance,
    Requirement,
    Risk,
    Scope,
    Service,
    ServiceType,
    Status,
)

__all__ = [
    "Category",
    "Cause",
    "Check",
    "Finding",
    "Item",
    "Now",
    "Peer",
    "Provenance",
    "Requirement",
    "Risk",
    "Row",
    "Rung",
    "Subject",
    "each",
    "failed",
    "not_applicable",
    "passed",
    "share",
    "unavailable",
    "unknown",
    "warned",
]

Now = NewType("Now", datetime)
"""The instant at which the check judges."""

ALL_TYPES = frozenset(ServiceType)


# --- what a check returns --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Item:
    """A verdict on one thing. `code` is stable and short; with the subject it is what a waiver is bound to."""

    status: Status
    code: str
    message: str
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """A named thing with its verdict."""

    name: str
    status: Status
    code: str
    message: str
    cause: Cause | None = None
    where: str = ""
    """Its place, such as `path:line`, where the name is something else; no part of a waiver's fingerprint."""


@dataclass(frozen=True, slots=True)
class Finding(Item):
    """A check's verdict. `observed_at` is set only where it is not the time of the evidence itself."""

    subjects: tuple[Subject, ...] = ()
    observed_at: datetime | None = None
    lines: str = ""
    """The exact lines to add to the service file, where nothing is configured."""
    provenance: Provenance | None = None
    """Set where the finding rests on a part of its evidence only, such as one restore of many sources'."""

    def at(self, observed_at: datetime) -> Finding:
        """The same finding, resting on an observation of another time."""
        return dataclasses.replace(self, observed_at=observed_at)


def passed(message: str) -> Finding:
    """The rule is met, and was seen to be."""
    return Finding(Status.PASS, "ok", message)


def warned(code: str, message: str) -> Finding:
    """The rule is met in part, in configuration only, or by something that is getting old."""
    return Finding(Status.WARN, code, message)


def failed(code: str, message: str) -> Finding:
    """The source answered with authority and the rule is not met."""
    return Finding(Status.FAIL, code, message)


def unknown(cause: Cause, message: str, *, lines: str = "") -> Finding:
    """The rule could not be looked at; neither pass nor fail."""
    return Finding(Status.UNKNOWN, cause.value.replace("_", "-"), message, cause, lines=lines)


def unavailable(missing: Unavailable) -> Finding:
    """The verdict where evidence is missing: unknown, with the same cause."""
    return unknown(missing.cause, missing.detail, lines=missing.lines)


def not_applicable(reason: str) -> Finding:
    """The evidence shows, with authority, that the subject of the check does not exist for this service."""
    return Finding(Status.NOT_APPLICABLE, "not-applicable", reason)


class Named(Protocol):
    """Anything with a name that a person finds again."""

    @property
    def name(self) -> str: ...


S = TypeVar("S", bound=Named)

_SEVERITY = (Status.FAIL, Status.UNKNOWN, Status.WARN, Status.PASS, Status.NOT_APPLICABLE)
_SHOWN = 3


def each(
    subjects: Iterable[S],
    rule: Callable[[S], Item],
    *,
    missing: Sequence[Unavailable] = (),
    empty: Item | None = None,
    things: str = "subjects",
) -> Finding:
    """One verdict per subject; the worst is the finding's.

    Args:
        subjects: what is judged, each with a `name`.
        rule: judges one of them.
        missing: what could not be read. It may hold a failing subject, so the finding cannot pass, warn or be not
            applicable then: it is unknown with the first cause. A failure already seen stays a failure.
        empty: the verdict when there is no subject at all and nothing is missing; not applicable unless given.
        things: their plural, for the message.
    """
    judged = tuple(_judge_one(subject, rule) for subject in subjects)
    worst = next((status for status in _SEVERITY if any(item.status is status for item in judged)), None)
    if missing and worst is not Status.FAIL:
        return dataclasses.replace(unavailable(missing[0]), subjects=judged)
    if worst is None:
        nothing = empty or not_applicable(f"there are no {things}")
        return Finding(nothing.status, nothing.code, nothing.message, nothing.cause)
    deciding = tuple(item for item in judged if item.status is worst)
    codes = {item.code for item in deciding}
    cause = deciding[0].cause if worst is Status.UNKNOWN else None
    code = deciding[0].code if len(codes) == 1 else "several"
    return Finding(worst, code, _sum_up(deciding, judged, things), cause, judged)


def share(
    subjects: Iterable[S],
    rule: Callable[[S], Item],
    *,
    at_least: float,
    missing: Sequence[Unavailable] = (),
    empty: Item | None = None,
    things: str = "subjects",
) -> Finding:
    """Enough of the subjects pass: `at_least` is a share from 0 to 1 of those to which the rule applies.

    Unknown subjects and missing parts are taken both ways: as passes and as failures. Only where both come to the same
    verdict is there one. A missing part of unknown size (`count` is None) leaves nothing but unknown.
    """
    judged = tuple(_judge_one(subject, rule) for subject in subjects)
    applicable = [item for item in judged if item.status is not Status.NOT_APPLICABLE]
    good = sum(item.status in {Status.PASS, Status.WARN} for item in applicable)
    # As a decimal, not as a float: 0.55 * 20 is a little over 11 in binary, and 11 of 20 would not do.
    needed = Fraction(str(at_least))
    unclear = [item for item in applicable if item.status is Status.UNKNOWN]
    unseen = sum(part.count or 0 for part in missing)
    total = len(applicable) + unseen
    if any(part.count is None for part in missing):
        return dataclasses.replace(unavailable(missing[0]), subjects=judged)
    if total == 0:
        nothing = empty or not_applicable(f"there are no {things}")
        return Finding(nothing.status, nothing.code, nothing.message, nothing.cause, judged)
    message = f"{good} of {total} {things} pass; {at_least:.0%} are needed"
    if good >= needed * total:
        return Finding(Status.PASS, "ok", message, None, judged)
    if good + len(unclear) + unseen < needed * total:
        return Finding(Status.FAIL, "too-few", message, None, judged)
    cause = (unclear[0].cause if unclear else missing[0].cause) or Cause.NO_DATA
    doubt = len(unclear) + unseen
    return Finding(
        Status.UNKNOWN, cause.value.replace("_", "-"), f"{message}; {doubt} could not be read", cause, judged
    )


def _judge_one(subject: S, rule: Callable[[S], Item]) -> Subject:
    item = rule(subject)
    where = str(getattr(subject, "where", ""))
    return Subject(subject.name, item.status, item.code, item.message, item.cause, where)


def _sum_up(deciding: tuple[Subject, ...], judged: tuple[Subject, ...], things: str) -> str:
    if deciding[0].status is Status.PASS:
        return deciding[0].message if len(judged) == 1 else f"all {len(deciding)} {things} pass"
    shown = "; ".join(f"{item.name}: {item.message}" for item in deciding[:_SHOWN])
    if len(judged) == 1:
        return shown
    more = f"; and {len(deciding) - _SHOWN} more" if len(deciding) > _SHOWN else ""
    return f"{len(deciding)} of {len(judged)} {things}: {shown}{more}"


# --- what a check asks for -------------------------------------------------------------------------------------------


class Want(typing.NamedTuple):
    """One parameter that is evidence."""

    parameter: str
    kind: type[Evidence]
    windowed: bool
    takes_unavailable: bool
    takes_absent: bool

    @property
    def optional(self) -> bool:
        """Whether the check decides without it, whatever becomes of it."""
        return self.takes_unavailable and self.takes_absent


@dataclass(frozen=True, slots=True)
class Check:
    """One testable rule within a row."""

    id: str
    requirement: Requirement
    remedy: str
    version: int
    types: frozenset[ServiceType]
    rule_template: str
    function: Callable[..., Finding] | None
    """None for a check whose probe this version does not have; `awaits` says what it waits for."""
    wants: tuple[Want, ...]
    values: tuple[tuple[str, object], ...]
    """Parameters that are no evidence: (name, annotation), for Service, Now and the row's limits."""
    awaits: str = ""
    attests: bool = False
    """Whether a person's signed statement may stand in where no machine can see."""

    def rule(self, limits: object) -> str:
        """The rule in one sentence, with the limits in force filled in."""
        if limits is None:
            return self.rule_template
        return self.rule_template.format(**{f.name: getattr(limits, f.name) for f in dataclasses.fields(limits)})  # type: ignore[arg-type] # a limits dataclass, see Row

    @property
    def kinds(self) -> tuple[type[Evidence], ...]:
        """The evidence it rests on."""
        return tuple(want.kind for want in self.wants)

    def in_scope(self, scope: Scope | None) -> bool:
        """Whether `scorecard check --scope` asks it; without a scope everything is asked.

        A source outside of the scope is in nobody's way where the check can do without it: it is not asked, and taken
        for absent (`adr/0013-sources-outside-the-scope.md`).
        """
        if scope is None:
            return True
        inside = [want for want in self.wants if want.kind.scope is scope]
        return bool(inside) and all(want in inside or want.optional for want in self.wants)

    def asked_in(self, scope: Scope | None) -> tuple[type[Evidence], ...]:
        """The evidence that this scope asks for it."""
        return tuple(want.kind for want in self.wants if scope is None or want.kind.scope is scope)

    @property
    def cadence(self) -> Cadence | None:
        """The fastest cadence among its evidence; None where it has none."""
        order = list(Cadence)
        return min((want.kind.cadence for want in self.wants), key=order.index, default=None)


@dataclass(frozen=True, slots=True)
class Rung:
    """One kind of proof, on a row's ladder."""

    words: str
    """What was seen of a subject that stands here."""
    status: Status
    """The best verdict that it earns."""
    codes: frozenset[str]
    """Of subjects that stand on it."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Other tools' rules on the subject of a check, and where their verdict is another than ours."""

    check: str
    """The id of ours."""
    rules: str
    """As their documentation names them: `Prowler rds_instance_multi_az`."""
    differs: str


_NOT_BY_NAME = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.VAR_POSITIONAL,
    inspect.Parameter.VAR_KEYWORD,
)
Rule = Callable[..., Finding]
F = TypeVar("F", bound=Rule)


class Row:
    """One line of a checklist. Its id is the name of its file, with hyphens; its checks' are those of the functions."""

    def __init__(  # noqa: PLR0913 - what a row is, by name
        self,
        *,
        title: str,
        category: Category,
        risk: Risk,
        why: str,
        limits: type | None = None,
        types: Iterable[ServiceType] = ALL_TYPES,
        needs_state: bool = False,
        links: Iterable[str] = (),
        ladder: Iterable[Rung] = (),
        peers: Iterable[Peer] = (),
    ) -> None:
        """Describe the row.

        Args:
            title: as the article words it.
            category: where it stands in the article's table.
            risk: decides its weight.
            why: one sentence on what goes wrong without it.
            limits: a frozen dataclass of thresholds with defaults, which a checklist's YAML can override.
            types: the service types it applies to, unless the checklist says otherwise.
            needs_state: does not apply to a service that says `stateless`.
            links: where to read more.
            ladder: kinds of proof, best first, where there are several; pages show on which one a service stands.
            peers: where other tools judge the same subject in another way; the row's page shows it.
        """
        if limits is not None and not (dataclasses.is_dataclass(limits) and isinstance(limits, type)):
            raise TypeError(f"limits of {title!r} is not a dataclass")
        self.title = title
        self.category = category
        self.risk = risk
        self.why = why
        self.limits = limits
        self.types = frozenset(types)
        self.needs_state = needs_state
        self.links = tuple(links)
        self.ladder = tuple(ladder)
        self.peers = tuple(peers)
        self.checks: tuple[Check, ...] = ()
        self.module = inspect.stack(0)[1].frame.f_globals["__name__"]

    @property
    def id(self) -> str:
        """`multi-az` for `checks/multi_az.py`."""
        return str(self.module.rpartition(".")[2].replace("_", "-"))

    def required(
        self, *, remedy: str, version: int = 1, types: Iterable[ServiceType] | None = None, attests: bool = False
    ) -> Callable[[F], F]:
        """Register a check that decides the row.

        Args:
            remedy: the lines to write, as Markdown.
            version: goes up when the rule changes, so that a change of verdict can be explained.
            types: the service types it is asked for; the row's unless given.
            attests: a signed statement may stand in where no machine can see.
        """
        return self._register(Requirement.REQUIRED, remedy, version, types, attests=attests)

    def advisory(
        self, *, remedy: str, version: int = 1, types: Iterable[ServiceType] | None = None, attests: bool = False
    ) -> Callable[[F], F]:
        """Register a check that colours the row; arguments as for `required`."""
        return self._register(Requirement.ADVISORY, remedy, version, types, attests=attests)

    def awaits(
        self,
        check: str,
        requirement: Requirement,
        *,
        rule: str,
        remedy: str,
        awaits: str,
        types: Iterable[ServiceType] | None = None,
    ) -> None:
        """Declare a check whose evidence this version cannot collect: `unknown: not_supported`, and it says so.

        Args:
            check: its id, with hyphens.
            requirement: required or advisory.
            rule: the rule in one sentence.
            remedy: the lines to write.
            awaits: what is missing, as a noun: `the AWS probe`.
            types: the service types it is asked for; the row's unless given.
        """
        chosen = self.types if types is None else frozenset(types)
        waiting = Check(check, requirement, inspect.cleandoc(remedy), 1, chosen, rule, None, (), (), awaits)
        waiting.rule(self.default_limits())
        self._add(waiting)

    def check(self, check_id: str) -> Check:
        """The check of that id.

        Raises:
            KeyError: when there is none.
        """
        for check in self.checks:
            if check.id == check_id:
                return check
        raise KeyError(check_id)

    def default_limits(self) -> object:
        """The thresholds as the file has them; None for a row without."""
        return self.limits() if self.limits else None

    def _register(
        self,
        requirement: Requirement,
        remedy: str,
        version: int,
        types: Iterable[ServiceType] | None,
        *,
        attests: bool,
    ) -> Callable[[F], F]:
        def register(function: F) -> F:
            rule = " ".join((function.__doc__ or "").split())
            if not rule:
                raise TypeError(f"{function.__qualname__}: a check's docstring is its rule, and it has none")
            wants, values = _parameters(function, self.limits)
            chosen = self.types if types is None else frozenset(types)
            check = Check(
                function.__name__.replace("_", "-"),
                requirement,
                inspect.cleandoc(remedy),
                version,
                chosen,
                rule,
                function,
                wants,
                values,
                attests=attests,
            )
            check.rule(self.default_limits())
            self._add(check)
            return function

        return register

    def _add(self, check: Check) -> None:
        if any(other.id == check.id for other in self.checks):
            raise TypeError(f"{self.module}: two checks are called {check.id}")
        self.checks = (*self.checks, check)


def _parameters(function: Rule, limits: type | None) -> tuple[tuple[Want, ...], tuple[tuple[str, object], ...]]:
    hints = typing.get_type_hints(function)
    if hints.pop("return", None) is not Finding:
        raise TypeError(f"{function.__qualname__}: a check returns Finding")
    parameters = inspect.signature(function).parameters
    names = list(parameters)
    if any(parameter.kind in _NOT_BY_NAME for parameter in parameters.values()):
        raise TypeError(f"{function.__qualname__}: a check takes each of its parameters by name")
    wants: list[Want] = []
    values: list[tuple[str, object]] = []
    for name in names:
        hint = hints.get(name)
        if hint is Service or hint is Now or (limits is not None and hint is limits):
            values.append((name, hint))
        else:
            wants.append(_want(function, name, hint))
    if not wants:
        raise TypeError(f"{function.__qualname__}: a check asks for evidence, and none of {names} is any")
    return tuple(wants), tuple(values)


def _want(function: Rule, name: str, hint: object) -> Want:
    options = list(typing.get_args(hint)) if isinstance(hint, types.UnionType) else [hint]
    takes_unavailable = Unavailable in options
    takes_absent = Absent in options
    rest: list[Any] = [option for option in options if option not in {Unavailable, Absent}]
    if len(rest) == 1:
        kind = rest[0]
        windowed = typing.get_origin(kind) is Window
        if windowed:
            (kind,) = typing.get_args(kind)
        if isinstance(kind, type) and issubclass(kind, Evidence) and kind is not Evidence:
            if windowed and not kind.window:
                raise TypeError(f"{function.__qualname__}: {kind.__name__} keeps no window of samples")
            return Want(name, kind, windowed, takes_unavailable, takes_absent)
    raise TypeError(
        f"{function.__qualname__}: parameter {name!r} is annotated {hint!r}; a check takes an evidence type, "
        "`T | Unavailable`, `Window[T]`, Service, Now, or the row's own limits"
    )


def fingerprint(row: str, check: str, finding: Finding) -> str:
    """What a waiver is bound to: the codes and subjects of a failing finding, never its words."""
    failing = sorted((item.name, item.code) for item in finding.subjects if item.status is Status.FAIL)
    body = "\x1f".join([row, check, finding.code, *(f"{name}\x1e{code}" for name, code in failing)])
    return "sha256:" + hashlib.sha256(body.encode("utf-8", "backslashreplace")).hexdigest()
