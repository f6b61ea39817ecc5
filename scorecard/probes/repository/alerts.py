"""Asks which alert rules the files of a service's repositories hold."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import re2

from scorecard.evidence import Absent, AlertRule, Alerts, AlertSource, Answer, Evidence, Exhibit, Unavailable
from scorecard.model import Cause, Provenance, Service, ServiceKey
from scorecard.probes import Upstream
from scorecard.probes.repository.checkouts import NOT_CONFIGURED, Checkout, Holding, Repositories, inside, joined
from scorecard.probes.repository.globs import fixed_part, matcher
from scorecard.probes.repository.questions import File, ParsedRule, ParsedRules, ReadRules, UnreadableError

_YAML = (".yaml", ".yml")
_NOT_OURS = frozenset({"node_modules", "vendor", "testdata", "fixtures", "test", "tests", "example", "examples"})
"""Folders whose rule files nobody runs, where the service does not say which are its own."""
_LIKELY = re2.compile(r"(?i)alert|rules?\b|prometheus|monitor|observab")
_MAX_LOOKED_AT = 1_000

_LINES = """spec:
  alerts:
    - files: deploy/alerts/*.yaml
    - prometheus: {matchers: {service: SERVICE}}"""
_NONE_FOUND = Unavailable(
    Cause.NOT_CONFIGURED, "the service names no alerts, and its repositories hold no rule file", lines=_LINES
)


@dataclass(slots=True)
class _Found:
    """What is gathered over the repositories of one service."""

    rules: list[AlertRule] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    missing: list[Unavailable] = field(default_factory=list)
    exhibits: list[Exhibit] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class AlertsProbe:
    """Reads rule files: those that the service declares, else those that look like some."""

    repositories: Repositories
    severities: Mapping[str, tuple[str, ...]]
    name: str = "repository.alerts"
    answers: type[Evidence] = Alerts
    needs: tuple[type[Evidence], ...] = ()

    def ask(self, services: Sequence[Service], upstream: Upstream) -> Iterator[tuple[ServiceKey, Answer]]:  # noqa: ARG002 - the protocol's
        """Answer for each service."""
        for service in services:
            yield service.key, self._answer(service)

    def _answer(self, service: Service) -> Answer:
        globs = tuple(ref.files for ref in service.spec.alerts if ref.files)
        if service.spec.alerts and not globs:
            return Absent("the service names no rule files; its alerts are asked for where they are evaluated")
        if not service.spec.repositories:
            return NOT_CONFIGURED if globs or not service.spec.alerts else _NONE_FOUND
        holdings, unopened = self.repositories.of(service)
        if not holdings:
            return unopened[0]
        found = _Found(missing=[*unopened])
        matchers = _matchers(service)
        for holding in holdings:
            try:
                _look(holding, globs, matchers, found, several=len(service.spec.repositories) > 1)
            except UnreadableError as error:
                found.missing.append(holding.checkout.unavailable(error))
        if not globs and not found.rules and not found.missing:
            return _NONE_FOUND
        return Alerts(
            rules=tuple(found.rules),
            files=tuple(found.files),
            severities=self.severities,
            missing=tuple(found.missing),
            exhibits=tuple(found.exhibits),
            provenance=Provenance.CONFIGURED,
        )


def _matchers(service: Service) -> Mapping[str, str]:
    """The labels that narrow a shared rule file to the service."""
    found: dict[str, str] = {}
    for ref in service.spec.alerts:
        if ref.prometheus is not None:
            found.update(ref.prometheus.matchers)
    return found


def _look(holding: Holding, globs: Sequence[str], matchers: Mapping[str, str], found: _Found, *, several: bool) -> None:
    checkout = holding.checkout
    files = _declared(holding, globs, found) if globs else _likely(holding, found)
    prefix = f"{checkout.short}:" if several else ""
    for path, blob in files.items():
        parsed = _read(checkout, path, blob, found, declared=bool(globs))
        if parsed is None or not (globs or parsed.rules):
            continue
        found.files.append(prefix + path)
        mine = [rule for rule in parsed.rules if _belongs(rule, matchers)]
        found.rules.extend(_rule(rule, f"{prefix}{path}:{rule.line}") for rule in mine)
    where = " ".join(globs) or "'*.yaml' '*.yml'"
    found.exhibits.append(
        checkout.exhibit(
            f"grep -nE '(alert|record):' {{commit}} -- {where}", {"files": len(found.files), "alerts": len(found.rules)}
        )
    )


def _declared(holding: Holding, globs: Sequence[str], found: _Found) -> dict[str, str]:
    """The files that the service's patterns name: in its own folder, or, where those name none, from the top."""
    files: dict[str, str] = {}
    for pattern in globs:
        tops = ("",) if pattern.startswith("/") else tuple(dict.fromkeys((holding.path, "")))
        for top in tops:
            matched = _matched(holding.checkout, joined(top, pattern.lstrip("/")), found)
            files.update(matched)
            if matched:
                break
    return files


def _matched(checkout: Checkout, pattern: str, found: _Found) -> dict[str, str]:
    if not inside(pattern):
        found.missing.append(Unavailable(Cause.NOT_CONFIGURED, f"{pattern} leads out of the repository", lines=_LINES))
        return {}
    listing = checkout.listing(fixed_part(pattern))
    if listing.cut:
        found.missing.append(
            Unavailable(Cause.NOT_SUPPORTED, f"{checkout.label}: {pattern} matches among more files than are listed")
        )
    matches = matcher(pattern)
    return {path: blob for path, blob in listing.files.items() if matches(path)}


def _likely(holding: Holding, found: _Found) -> dict[str, str]:
    """YAML files of the service's folder, those that look like rule files by name first."""
    listing = holding.checkout.listing(holding.path)
    skip = len(holding.path) + 1 if holding.path else 0
    yaml = [
        path
        for path in listing.files
        if path.endswith(_YAML) and not _NOT_OURS & set(posixpath.dirname(path[skip:]).split("/"))
    ]
    yaml.sort(key=lambda path: not _LIKELY.search(path[skip:]))
    if listing.cut or len(yaml) > _MAX_LOOKED_AT:
        found.missing.append(
            Unavailable(
                Cause.NOT_SUPPORTED,
                f"{holding.checkout.label}: more files than are searched for rules; name them",
                lines=_LINES,
            )
        )
    return {path: listing.files[path] for path in yaml[:_MAX_LOOKED_AT]}


def _read(checkout: Checkout, path: str, blob: str, found: _Found, *, declared: bool) -> ParsedRules | None:
    """The rules of a file; None where it cannot be read."""
    try:
        return _parsed(checkout, path, blob, declared=declared)
    except UnreadableError as error:
        found.missing.append(checkout.unavailable(error, path))
        return None


def _parsed(checkout: Checkout, path: str, blob: str, *, declared: bool) -> ParsedRules:
    if not path.endswith((*_YAML, ".rules", ".json")):
        raise UnreadableError(Cause.NOT_SUPPORTED, "only YAML is read; name the rendered rule file")
    parsed = checkout.read(ReadRules(File(checkout.located.source, path, blob), declared), ParsedRules)
    if declared and parsed.foreign and not parsed.rules:
        raise UnreadableError(Cause.NOT_SUPPORTED, f"{parsed.foreign}, which this version does not read from files")
    return parsed


def _belongs(rule: ParsedRule, matchers: Mapping[str, str]) -> bool:
    """Whether the rule's labels or selectors name the service."""
    return all(rule.labels.get(name) == value or (name, value) in rule.selectors for name, value in matchers.items())


def _rule(rule: ParsedRule, where: str) -> AlertRule:
    url = rule.annotations.get("runbook_url", "").strip()
    return AlertRule(
        name=rule.name,
        where=where,
        source=AlertSource.FILE,
        severity=rule.labels.get("severity", ""),
        runbook_url=url,
        expression=rule.expression,
        for_seconds=rule.for_seconds,
        summary=rule.annotations.get("summary", "") or rule.annotations.get("description", ""),
        absence=rule.absence,
        problem=rule.problem,
        labels=rule.labels,
        silences=rule.silences,
    )
