"""Asks which restore drills the reports in a service's repositories tell of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from scorecard.evidence import Absent, Answer, Evidence, Exhibit, Fact, Unavailable
from scorecard.evidence.backups import RepositoryDrills, Restore, drill_globs
from scorecard.model import Cause, Service, ServiceKey
from scorecard.probes import Upstream
from scorecard.probes.repository.checkouts import NOT_CONFIGURED, Checkout, Holding, Repositories, inside, joined
from scorecard.probes.repository.globs import fixed_part, matcher
from scorecard.probes.repository.questions import File, ReadDrill, UnreadableError

MOST_REPORTS = 500
"""Of one pattern, the last by name: a report a day over more than a year."""
_LINES = 'spec:\n  backups:\n    - {drill: "drills/NAME-*.json"}'


@dataclass(slots=True)
class _Found:
    """What is gathered over the repositories of one service."""

    drills: list[Restore] = field(default_factory=list)
    missing: list[Unavailable] = field(default_factory=list)
    exhibits: list[Exhibit] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RepositoryDrillsProbe:
    """Reads every report that a `drill` of the service's `backups` matches, in the limited child."""

    repositories: Repositories
    name: str = "repository.drills"
    answers: type[Evidence] = RepositoryDrills
    needs: tuple[type[Evidence], ...] = ()

    def ask(self, services: Sequence[Service], upstream: Upstream) -> Iterator[tuple[ServiceKey, Answer]]:  # noqa: ARG002 - the protocol's
        """Answer for each service."""
        for service in services:
            yield service.key, self._answer(service)

    def _answer(self, service: Service) -> Answer:
        globs = tuple(glob for glob in drill_globs(service) if not glob.startswith("s3://"))
        if not globs:
            return Absent("the service names no drill reports in its repositories")
        if not service.spec.repositories:
            return replace(NOT_CONFIGURED, detail=f"the service names no repository that {globs[0]} could be in")
        holdings, unopened = self.repositories.of(service)
        found = _Found(missing=[*unopened])
        for holding in holdings:
            try:
                _look(holding, globs, found, several=len(service.spec.repositories) > 1)
            except UnreadableError as error:
                found.missing.append(holding.checkout.unavailable(error))
        if not holdings:
            return unopened[0]
        return RepositoryDrills(
            drills=tuple(found.drills), missing=tuple(found.missing), exhibits=tuple(found.exhibits)
        )


def _look(holding: Holding, globs: Sequence[str], found: _Found, *, several: bool) -> None:
    checkout = holding.checkout
    prefix = f"{checkout.short}:" if several else ""
    for glob in globs:
        files = _matched(holding, glob, found)
        read = [
            replace(drill, name=f"{prefix}{drill.name}", found_by=glob)
            for path, blob in files.items()
            if (drill := _read(checkout, path, blob, found)) is not None
        ]
        found.drills += read
        newest = max(read, key=lambda drill: drill.finished.timestamp() if drill.finished else 0.0, default=None)
        facts: dict[str, Fact] = {
            "reports": len(read),
            "newest": newest.name if newest else "",
            "outcome": newest.outcome.value if newest else "",
        }
        found.exhibits.append(checkout.exhibit(f"ls-tree -r --name-only {{commit}} -- '{glob}'", facts))


def _matched(holding: Holding, glob: str, found: _Found) -> dict[str, str]:
    """The files of a pattern: in the service's own folder, or, where it names none there, from the top."""
    checkout = holding.checkout
    for top in dict.fromkeys((holding.path, "")):
        pattern = joined(top, glob)
        if not inside(pattern):
            found.missing.append(Unavailable(Cause.NOT_CONFIGURED, f"{glob} leads out of the repository", lines=_LINES))
            return {}
        listing = checkout.listing(fixed_part(pattern))
        matches = matcher(pattern)
        files = {path: blob for path, blob in sorted(listing.files.items()) if matches(path)}
        if listing.cut or len(files) > MOST_REPORTS:
            # The newest may be among those that are left out.
            detail = f"{checkout.label}: {glob} matches more files than are read, {MOST_REPORTS}"
            found.missing.append(Unavailable(Cause.NOT_SUPPORTED, detail))
        if files:
            return dict(list(files.items())[-MOST_REPORTS:])
    return {}


def _read(checkout: Checkout, path: str, blob: str, found: _Found) -> Restore | None:
    try:
        return checkout.read(ReadDrill(File(checkout.located.source, path, blob)), Restore)
    except UnreadableError as error:
        found.missing.append(checkout.unavailable(error, path))
        return None
