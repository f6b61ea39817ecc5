"""The addresses that a service declares for its health, and what is said when it declares none."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from scorecard.egress.target import BadTargetError, read_target
from scorecard.evidence import Absent, Unavailable
from scorecard.model import Cause, Service, ServiceType

ROLES = ("liveness", "readiness")
_EXAMPLES = {"liveness": "/livez", "readiness": "/readyz"}


@dataclass(frozen=True, slots=True)
class Declared:
    """An endpoint's address, or why there is none."""

    role: str
    url: str = ""
    missing: Unavailable | None = None


def outside(service: Service) -> Unavailable | Absent | None:
    """What is said of a service that has no HTTP endpoints to ask; None where there may be some."""
    if service.type in {ServiceType.WORKER, ServiceType.JOB}:
        return Absent(f"a {service.type} has no HTTP endpoints")
    if service.type is ServiceType.GRPC:
        return Unavailable(Cause.NOT_SUPPORTED, "the gRPC health protocol is not probed by this version")
    return None


def declared(service: Service) -> tuple[Declared, Declared]:
    """Liveness and readiness, in this order."""
    live, ready = (_declared(service, role) for role in ROLES)
    return live, ready


def _declared(service: Service, role: str) -> Declared:
    given: str | None = getattr(service.spec.health, role)
    if not given:
        lines = f"spec:\n  health: {{{role}: {_EXAMPLES[role]}}}"
        return Declared(role, missing=Unavailable(Cause.NOT_CONFIGURED, f"spec.health.{role} is not given", lines))
    if "://" in given:
        return Declared(role, given)
    if not service.spec.url:
        detail = f"spec.health.{role} is the path {given}, and spec.url is not given"
        lines = "spec:\n  url: https://HOST"
        return Declared(role, missing=Unavailable(Cause.NOT_CONFIGURED, detail, lines))
    return Declared(role, f"{service.spec.url.rstrip('/')}/{given.lstrip('/')}")


def control_urls(service: Service) -> Iterator[str]:
    """For each distinct host of the endpoints, an address beside the endpoint that cannot exist.

    Beside it and not at the root: behind one host name a router often sends each service's paths to another program.
    """
    hosts: set[tuple[str, int]] = set()
    for endpoint in declared(service):
        try:
            target = read_target(endpoint.url) if endpoint.url else None
        except BadTargetError:
            continue
        if target is not None and (target.host, target.port) not in hosts:
            hosts.add((target.host, target.port))
            folder = urlsplit(target.url).path.rpartition("/")[0]
            yield f"{target.scheme}://{target.authority}{folder}/scorecard-control-{secrets.token_hex(8)}"
