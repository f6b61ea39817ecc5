"""What must hold for a service beyond the type of each key; every broken rule with the path it is broken at."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from scorecard.config.fields import clean, label, path_or_web_address, web_address
from scorecard.problems import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from scorecard.json_schema import Path
    from scorecard.model import Service, Spec

Broken = tuple["Path", str]

_LONGEST_EXEMPTION = timedelta(days=366)
_ACCOUNT = re.compile(r"\d{12}")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ROTATED = re.compile(r"\S.*@[0-9a-fA-F]{4,40}")
_SCP = re.compile(r"[A-Za-z0-9_.-]+@[A-Za-z0-9.-]+:\S+")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_INSTANCES = (("loki", ("logs", "loki")), ("elasticsearch", ("logs", "elasticsearch")), ("aws", ("aws",)))


def broken_rules(
    service: Service, *, today: date, rows: frozenset[str] | None, instances: Mapping[str, tuple[str, ...]], local: bool
) -> Iterator[Broken]:
    """Every rule that the service breaks; `rows` are the known rows, `instances` the configured ones by kind.

    `local` is whether the service may name files of the machine that the scorecard runs on.
    """
    yield from _identity(service)
    yield from _addresses(service.spec)
    yield from _choices(service.spec)
    yield from _repositories(service.spec)
    yield from _platform(service.spec)
    yield from _exemptions(service.spec, today, rows)
    yield from _known_instances(service.spec, instances)
    if not local:
        yield from _foreign_files(service.spec)


def unclean(value: Any, path: Path = ()) -> Iterator[Broken]:  # noqa: ANN401 - any value of YAML
    """Every text in a value that cannot be shown or stored."""
    if isinstance(value, str):
        yield from _tried(clean, value, path)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _tried(clean, str(key), path)
            yield from unclean(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from unclean(item, (*path, index))


def _tried(rule: Callable[[str], object], text: str | None, path: Path) -> Iterator[Broken]:
    if text is None:
        return
    try:
        rule(text)
    except ValueError as error:
        yield path, str(error)


def _identity(service: Service) -> Iterator[Broken]:
    yield from _tried(label, service.name, ("name",))
    yield from _tried(label, service.environment, ("environment",))
    yield from _tried(label, service.tier, ("tier",))
    if service.team:
        yield from _tried(label, service.team, ("team",))
    for index, name in enumerate(service.formerly):
        yield from _tried(label, name, ("formerly", index))
        if name == service.name:
            yield ("formerly", index), "is the name that the service has now"
    for index, link in enumerate(service.links):
        yield from _tried(web_address, link.url, ("links", index, "url"))
    for index, name in enumerate(service.spec.downstream):
        yield from _tried(label, name, ("spec", "downstream", index))
        if name == service.name:
            yield ("spec", "downstream", index), "is the service itself"


def _addresses(spec: Spec) -> Iterator[Broken]:
    yield from _tried(web_address, spec.url, ("spec", "url"))
    for section, key in (
        ("health", "liveness"),
        ("health", "readiness"),
        ("correlation", "path"),
        ("runtime", "version"),
    ):
        yield from _tried(path_or_web_address, getattr(getattr(spec, section), key), ("spec", section, key))
    if not _HEADER.fullmatch(spec.correlation.header):
        yield ("spec", "correlation", "header"), f"{spec.correlation.header!a} is not a header's name"
    for index, place in enumerate(spec.runbooks):
        rule = web_address if _SCHEME.match(place) else _folder
        yield from _tried(rule, place, ("spec", "runbooks", index))


def _folder(text: str) -> None:
    if text.startswith("/") or ".." in text.split("/"):
        raise ValueError(f"a folder within the repository is expected, not {text[:80]!a}")


def _choices(spec: Spec) -> Iterator[Broken]:
    sources = [name for name in ("file", "cloudwatch", "loki", "elasticsearch") if getattr(spec.logs, name) is not None]
    if len(sources) > 1:
        yield ("spec", "logs"), f"one source is expected, not {' and '.join(sources)}"
    yield from _one_of(spec.dashboards, ("spec", "dashboards"), ("grafana", "cloudwatch"))
    yield from _one_of(spec.alerts, ("spec", "alerts"), ("prometheus", "files", "grafana", "cloudwatch"))
    for index, backup in enumerate(spec.backups):
        if not (backup.resource or backup.dumps or backup.drill):
            yield ("spec", "backups", index), "one of resource, dumps, drill is expected"
        if backup.drill and not backup.drill.startswith("s3://"):
            yield from _tried(_folder, backup.drill, ("spec", "backups", index, "drill"))
        for key in ("recovery_time", "recovery_point"):
            value = getattr(backup, key)
            if value is not None and value <= timedelta():
                yield ("spec", "backups", index, key), "longer than nothing is expected"


def _one_of(items: tuple[object, ...], path: Path, keys: tuple[str, ...]) -> Iterator[Broken]:
    for index, item in enumerate(items):
        given = [key for key in keys if getattr(item, key) is not None]
        if len(given) != 1:
            seen = " and ".join(given) or "none of them"
            yield (*path, index), f"one of {', '.join(keys)} is expected, not {seen}"


def _repositories(spec: Spec) -> Iterator[Broken]:
    for index, repository in enumerate(spec.repositories):
        path: Path = ("spec", "repositories", index)
        yield from _tried(_clone_address, repository.url, (*path, "url"))
        yield from _tried(_folder, repository.path, (*path, "path"))
    for index, folder in enumerate(spec.migrations.paths if spec.migrations else ()):
        yield from _tried(_folder, folder, ("spec", "migrations", "paths", index))


def _clone_address(text: str) -> None:
    """Accept https or http without credentials, ssh, `git@host:path`, or a directory."""
    scheme = _SCHEME.match(text)
    kind = scheme[1].lower() if scheme else ""
    if kind in {"http", "https"}:
        web_address(text)
    elif kind == "ssh":
        if ":" in text.removeprefix("ssh://").partition("@")[0] and "@" in text:
            raise ValueError("a password in an address leaks into evidence and logs; leave it out")
    elif not (kind == "file" or (not kind and text.startswith(("/", "."))) or _SCP.fullmatch(text)):
        raise ValueError(
            f"an https or ssh address, or a directory that begins with / or ., is expected, not {text[:80]!a}"
        )


def _platform(spec: Spec) -> Iterator[Broken]:
    if spec.aws is not None:
        if spec.aws.account is not None and not _ACCOUNT.fullmatch(spec.aws.account):
            yield ("spec", "aws", "account"), f"{spec.aws.account[:40]!a} is not the twelve digits of an account"
        for index, arn in enumerate(spec.aws.resources):
            if not arn.startswith("arn:"):
                yield ("spec", "aws", "resources", index), f"{arn[:80]!a} is not an ARN"
    for index, secret in enumerate(spec.rotated):
        if not _ROTATED.fullmatch(secret.secret):
            yield ("spec", "rotated", index, "secret"), f"path@commit is expected, not {secret.secret[:80]!a}"


def _exemptions(spec: Spec, today: date, rows: frozenset[str] | None) -> Iterator[Broken]:
    for row, exemption in spec.exempt.items():
        path: Path = ("spec", "exempt", row)
        yield from _tried(label, row, path)
        if rows is not None and row not in rows:
            near = nearest(row, rows)
            yield path, f"no row is called {row!a}" + (f"; did you mean `{near}`?" if near else "")
        for key in ("reason", "declared_by", "approved_by"):
            if not getattr(exemption, key).strip():
                yield (*path, key), "is empty"
        if exemption.declared_by.strip().casefold() == exemption.approved_by.strip().casefold():
            yield (*path, "approved_by"), f"another person than {exemption.declared_by} approves"
        if exemption.until > today + _LONGEST_EXEMPTION:
            yield (*path, "until"), f"{exemption.until} is more than a year after {today}"


def _known_instances(spec: Spec, instances: Mapping[str, tuple[str, ...]]) -> Iterator[Broken]:
    for path, kind, name in _named_instances(spec):
        known = instances.get(kind, ())
        if name is not None and known and name not in known:
            yield path, f"integrations.{kind} has no {name!a}; it has {', '.join(known)}"


def _named_instances(spec: Spec) -> Iterator[tuple[Path, str, str | None]]:
    for kind, where in _INSTANCES:
        value: Any = spec
        for step in where:
            value = getattr(value, step) if value is not None else None
        if value is not None:
            yield ("spec", *where, "instance"), kind, value.instance
    if spec.kubernetes is not None:
        yield ("spec", "kubernetes", "cluster"), "kubernetes", spec.kubernetes.cluster
    for index, dashboard in enumerate(spec.dashboards):
        yield ("spec", "dashboards", index, "instance"), "grafana", dashboard.instance
    for index, alerts in enumerate(spec.alerts):
        for kind in ("prometheus", "grafana"):
            source = getattr(alerts, kind)
            if source is not None:
                yield ("spec", "alerts", index, kind, "instance"), kind, source.instance


def _foreign_files(spec: Spec) -> Iterator[Broken]:
    """What is registered from elsewhere must not make the scorecard read files of its own machine."""
    message = "a file of the scorecard's own machine can be named in its own catalogue files only"
    for index, repository in enumerate(spec.repositories):
        if is_local(repository.url):
            yield ("spec", "repositories", index, "url"), message
    if spec.logs.file is not None:
        yield ("spec", "logs", "file"), message
    for key in ("state", "plan"):
        if spec.infrastructure is not None and is_local(getattr(spec.infrastructure, key) or "s3:"):
            yield ("spec", "infrastructure", key), message
    for index, backup in enumerate(spec.backups):
        for key in ("resource", "dumps"):
            place = getattr(backup, key)
            if place is not None and is_local(place) and not (key == "resource" and backup.dumps):
                yield ("spec", "backups", index, key), message


def is_local(text: str) -> bool:
    """Whether an address is a path of this machine."""
    scheme = _SCHEME.match(text)
    return scheme[1].lower() == "file" if scheme else not _SCP.fullmatch(text)
