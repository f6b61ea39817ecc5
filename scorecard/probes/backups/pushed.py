"""Drill reports from the store: those that pipelines pushed, and those of the drills that we run ourselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scorecard.drill.evidence import restore_of
from scorecard.drill.report import ReportError, report_of
from scorecard.evidence import Absent, Answer, Evidence, Exhibit, Unavailable
from scorecard.evidence.backups import OwnDrills, PushedDrills, Restore
from scorecard.evidence.pushed import Pushed, PushedKind
from scorecard.model import Cause, Provenance, Service, ServiceKey
from scorecard.probes import NotReadableError, PushedReader, Upstream
from scorecard.strict_yaml import Document

_SHOWN = 5
"""Newest reports of which the evidence shows who pushed them."""


@dataclass(frozen=True, slots=True)
class PushedDrillsProbe:
    """Reads the drill reports that were pushed with a token of the service."""

    reader: PushedReader
    name: str = "backups.pushed"
    answers: type[Evidence] = PushedDrills
    needs: tuple[type[Evidence], ...] = ()

    def ask(self, services: Sequence[Service], upstream: Upstream) -> Iterator[tuple[ServiceKey, Answer]]:  # noqa: ARG002 - the protocol's
        """Answer for each service."""
        for service in services:
            yield service.key, _answer(self.reader, service, PushedDrills)


@dataclass(frozen=True, slots=True)
class OwnDrillsProbe:
    """Reads the reports of the drills that this scorecard ran by its own schedule."""

    reader: PushedReader
    name: str = "backups.own"
    answers: type[Evidence] = OwnDrills
    needs: tuple[type[Evidence], ...] = ()

    def ask(self, services: Sequence[Service], upstream: Upstream) -> Iterator[tuple[ServiceKey, Answer]]:  # noqa: ARG002 - the protocol's
        """Answer for each service."""
        for service in services:
            yield service.key, _answer(self.reader, service, OwnDrills)


_WORDS = {
    PushedDrills: ("no drill report was pushed", Provenance.REPORTED),
    OwnDrills: ("no drill of the service was run by this scorecard", Provenance.PROBED),
}


def _answer(reader: PushedReader, service: Service, kind: type[PushedDrills | OwnDrills]) -> Answer:
    nothing, provenance = _WORDS[kind]
    try:
        kept = reader(service.key, PushedKind.DRILL, provenance)
    except NotReadableError as error:
        return Unavailable(Cause.SCORECARD_FAULT, f"what was pushed about {service.key} cannot be read: {error}")
    if not kept:
        return Absent(nothing)
    drills: list[Restore] = []
    missing: list[Unavailable] = []
    for one in kept:
        try:
            drills.append(_restore(one, reported=provenance is Provenance.REPORTED))
        except ReportError as error:
            missing.append(Unavailable(Cause.BAD_RESPONSE, f"{_name(one)}: {error.problems[0].message}", count=1))
    exhibits = tuple(_exhibit(service, one) for one in kept[:_SHOWN])
    return kind(drills=tuple(drills), missing=tuple(missing), exhibits=exhibits)


def _restore(one: Pushed, *, reported: bool) -> Restore:
    name = _name(one)
    report = report_of(Document.of(dict(one.document), name=name))
    return restore_of(report, name=name, pushed_by=one.pushed_by if reported else "")


def _name(one: Pushed) -> str:
    return f"push {one.id}" if one.provenance is Provenance.REPORTED else f"drill {one.id}"


def _exhibit(service: Service, one: Pushed) -> Exhibit:
    document = one.document
    facts = {
        "pushed by": one.pushed_by,
        "received at": one.received_at.isoformat(timespec="seconds"),
        "result": str(document.get("result", "")),
        "resource": str(document.get("resource", "")),
        "run": str(document.get("run_url", "")),
        "document": one.digest,
    }
    environment = "" if service.environment == "production" else f"?environment={service.environment}"
    return Exhibit(source="push", request=f"GET /api/v1/services/{service.name}/evidence{environment}", facts=facts)
