"""`scorecard doctor`: whether a configuration can work, before anybody relies on it."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from scorecard.cli import doctor_alerting, doctor_aws, doctor_grafana, doctor_kubernetes
from scorecard.cli.output import write
from scorecard.cli.workspace import Workspace, clock, config_option, open_workspace

if TYPE_CHECKING:
    from scorecard.catalog import Catalog
    from scorecard.model import Service

_PATHS = {
    "prometheus": "/-/ready",
    "alertmanager": "/-/ready",
    "grafana": "/api/health",
    "loki": "/ready",
    "vault": "/v1/sys/health",
    "kubernetes": "/version",
}
"""What tells that a system answers, without asking it for anything; the base address for the others."""
_DEADLINE = 5.0


@dataclass(frozen=True, slots=True)
class Result:
    """One thing that was looked at."""

    subject: str
    message: str
    good: bool | None
    """None: nothing is wrong, and something will be unknown."""


@click.command(short_help="Test what a configuration needs.")
@config_option
def doctor(config_file: Path | None) -> int:
    """Test configuration, catalogue, store and integrations, and say which checks would be unknown.

    Exits 0 when everything can be used, 1 when something cannot, 2 when the configuration is refused.
    """
    workspace = open_workspace(config_file)
    catalog = workspace.catalog()
    results: list[Result] = []
    for result in _examined(workspace, catalog):
        results.append(result)
        write(f"{_word(result.good):<8} {result.subject}: {result.message}\n")
    return 1 if any(result.good is False for result in results) else 0


def _word(good: bool | None) -> str:  # noqa: FBT001 - three words for three states
    return {True: "ok", False: "broken", None: "unknown"}[good]


def _examined(workspace: Workspace, catalog: Catalog) -> Iterator[Result]:
    config = workspace.config
    file, _ = config.locate(())
    yield Result("configuration", f"{file}; checklists {', '.join(workspace.checklists)}", good=True)
    yield from _catalogue(catalog)
    yield _store(workspace)
    for key, path in config.secret_files():
        yield _secret(key, path)
    yield _probes(workspace)
    for kind in type(config.integrations).model_fields:
        # AWS is asked below, signed and by account.
        for instance in getattr(config.integrations, kind) if kind != "aws" else ():
            yield _integration(kind, instance)
    for subject, message, good in doctor_grafana.examine(config, catalog.services, clock()):
        yield Result(subject, message, good)
    for subject, message, good in doctor_alerting.examine(config, catalog.services):
        yield Result(subject, message, good)
    for subject, message, good in doctor_kubernetes.examine(config, catalog.services):
        yield Result(subject, message, good)
    for subject, message, good in doctor_aws.examine(config, catalog.services, workspace.checklists.values(), clock):
        yield Result(subject, message, good)
    yield from _unsupported(workspace)
    yield from _unconfigured(workspace, catalog)


def _catalogue(catalog: Catalog) -> Iterator[Result]:
    for problem in catalog.problems:
        yield Result("catalogue", str(problem), good=False)
    count = len(catalog.services)
    yield Result(
        "catalogue", f"{count} services in all environments, {len(catalog.teams)} teams", good=count > 0 or None
    )


def _store(workspace: Workspace) -> Result:
    from scorecard.config import SecretUnavailable
    from scorecard.store import StoreError

    try:
        store = workspace.open_store()
    except (StoreError, SecretUnavailable) as error:
        return Result("store", str(error), good=False)
    path = store.db.path
    if path is not None and not path.is_file():
        good = path.parent.is_dir()
        told = "is not there yet; scorecard serve makes it" if good else "its directory does not exist"
        return Result("store", f"{path}: {told}", good=good)
    reason = store.ready()
    store.close()
    return Result("store", reason or f"{store.db.url} answers", good=not reason)


def _secret(key: str, path: Path) -> Result:
    try:
        empty = not path.read_bytes().strip()
    except OSError as error:
        return Result(key, f"{path}: {error.strerror}", good=False)
    return Result(key, f"{path}: {'is empty' if empty else 'can be read'}", good=not empty)


def _probes(workspace: Workspace) -> Result:
    from scorecard.cli.measure import installed_probes

    with tempfile.TemporaryDirectory(prefix="scorecard-") as cache:
        found = installed_probes(workspace, Path(cache))
    return Result("probes", ", ".join(sorted(probe.name for probe in found)) or "none is installed", good=bool(found))


def _integration(kind: str, instance: Any) -> Result:  # noqa: ANN401 - an instance of any kind
    """Whether somebody answers at its address; what it answers is the probes' business."""
    from scorecard.cli.client import session_to
    from scorecard.config import SecretUnavailable
    from scorecard.egress.errors import EgressError

    subject = f"{kind}/{instance.name}"
    address = getattr(instance, "url", None) or getattr(instance, "endpoint_url", None)
    if address is None:
        return Result(subject, f"regions {', '.join(instance.regions)}; nothing asks it in this version", good=None)
    url = address.rstrip("/") + _PATHS.get(kind, "/")
    try:
        token = instance.read_secret("token") if hasattr(instance, "token_file") else None
        headers = {"Authorization": f"Bearer {token.reveal()}"} if token else None
        ca_file = str(instance.ca_file) if getattr(instance, "ca_file", None) else None
        session = session_to(urlsplit(url).hostname or "", headers=headers, ca_file=ca_file, proxy=instance.proxy)
        status = session.get(url, timeout=_DEADLINE).status_code
    except SecretUnavailable as error:
        return Result(subject, str(error), good=False)
    except EgressError as error:
        return Result(subject, error.message, good=False)
    except OSError as error:
        return Result(subject, f"GET {url}: {error.strerror or error}", good=False)
    denied = status in {401, 403}
    told = f"GET {url}: answered {status}{', which is not access' if denied else ''}"
    return Result(subject, told, good=not denied and status < 500)  # noqa: PLR2004 - 5xx


def _unsupported(workspace: Workspace) -> Iterator[Result]:
    """Checks that no service can pass yet, by what they wait for."""
    waiting: dict[str, list[str]] = defaultdict(list)
    for checklist in workspace.checklists.values():
        for row in checklist.rows:
            for check in row.checks:
                if check.function is None:
                    waiting[check.awaits].append(f"{row.id}/{check.id}")
    for awaited, checks in waiting.items():
        yield Result("not supported", f"waits for {awaited}: {', '.join(checks)}", good=None)


_NEEDS: Mapping[str, tuple[str, Callable[[Service], bool]]] = {
    "HealthEndpoints": (
        "spec.health",
        lambda service: bool(service.spec.health.liveness or service.spec.health.readiness),
    ),
    "ControlPath": ("spec.health", lambda service: bool(service.spec.health.liveness or service.spec.health.readiness)),
    "RepositoryHead": ("spec.repositories", lambda service: bool(service.spec.repositories)),
    "DecisionRecords": ("spec.repositories", lambda service: bool(service.spec.repositories)),
    "Alerts": ("spec.repositories", lambda service: bool(service.spec.repositories)),
    "Runbooks": ("spec.repositories", lambda service: bool(service.spec.repositories)),
}
"""Evidence to the key that a service needs for it."""


def _unconfigured(workspace: Workspace, catalog: Catalog) -> Iterator[Result]:
    """Checks of each service that stay unknown because its file says nothing about them."""
    for service in catalog.services:
        missing: dict[str, list[str]] = defaultdict(list)
        for checklist in workspace.checklists.values():
            for row in checklist.rows:
                for check in row.checks if service.type in row.types else ():
                    for kind in check.kinds if service.type in check.types else ():
                        key, given = _NEEDS.get(kind.kind(), ("", bool))
                        if key and not given(service):
                            missing[key].append(f"{row.id}/{check.id}")
        for key, checks in missing.items():
            yield Result(str(service.key), f"has no {key}: {', '.join(dict.fromkeys(checks))}", good=None)
