"""Asks which decision records a service's repositories hold."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from scorecard.evidence import (
    Answer,
    DecisionRecord,
    DecisionRecords,
    Evidence,
    Exhibit,
    RecordState,
    Unavailable,
)
from scorecard.model import Cause, Service, ServiceKey
from scorecard.probes import Upstream
from scorecard.probes.repository.checkouts import NOT_CONFIGURED, Checkout, Holding, Repositories, inside, joined
from scorecard.probes.repository.questions import (
    Changes,
    File,
    FindStructure,
    ParsedRecord,
    Paths,
    ReadRecord,
    ReadText,
    Text,
    UnreadableError,
)
from scorecard.probes.repository.records import FOLDERS, OTHER_TEXT, is_record, number_of

_BATCH = 100
_MAX_YAML = 2_000
"""YAML files that are looked into for what they define."""


@dataclass(slots=True)
class _Found:
    """What is gathered over the repositories of one service."""

    folders: list[str] = field(default_factory=list)
    records: list[DecisionRecord] = field(default_factory=list)
    missing: list[Unavailable] = field(default_factory=list)
    history_missing: list[Unavailable] = field(default_factory=list)
    exhibits: list[Exhibit] = field(default_factory=list)
    structure: date | None = None


@dataclass(frozen=True, slots=True)
class DecisionRecordsProbe:
    """Reads the folders in which decision records are kept, at the service's path and at the repository's top."""

    repositories: Repositories
    name: str = "repository.decision_records"
    answers: type[Evidence] = DecisionRecords
    needs: tuple[type[Evidence], ...] = ()

    def ask(self, services: Sequence[Service], upstream: Upstream) -> Iterator[tuple[ServiceKey, Answer]]:  # noqa: ARG002 - the protocol's
        """Answer for each service."""
        for service in services:
            yield service.key, self._answer(service)

    def _answer(self, service: Service) -> Answer:
        if not service.spec.repositories:
            return NOT_CONFIGURED
        holdings, unopened = self.repositories.of(service)
        if not holdings:
            return unopened[0]
        found = _Found(missing=list(unopened))
        for holding in holdings:
            try:
                _look(holding, found, several=len(service.spec.repositories) > 1)
            except UnreadableError as error:
                found.missing.append(holding.checkout.unavailable(error))
        return DecisionRecords(
            folders=tuple(found.folders),
            records=tuple(found.records),
            structure_changed_on=found.structure,
            missing=tuple(found.missing),
            history_missing=tuple(found.history_missing),
            exhibits=tuple(found.exhibits),
        )


def _look(holding: Holding, found: _Found, *, several: bool) -> None:
    checkout = holding.checkout
    files: dict[str, str] = {}
    skipped = 0
    for folder in _folders(holding, found):
        listing = checkout.listing(folder)
        skipped += listing.symlinks + listing.submodules
        if listing.cut:
            found.missing.append(Unavailable(Cause.NOT_SUPPORTED, f"{folder}: more files than are read"))
        if listing.files:
            found.folders.append(_named(checkout, folder, several=several))
            files.update(listing.files)
    read = {path: _read(checkout, path, blob, found) for path, blob in files.items()}
    parsed = {path: record for path, record in read.items() if record is not None}
    changes = _changes(holding, parsed, found)
    found.records.extend(
        _record(_named(checkout, path, several=several), record, changes.at.get(path))
        for path, record in parsed.items()
    )
    if changes.structure is not None:
        found.structure = max(filter(None, (found.structure, _day(changes.structure))))
    where = " ".join(found.folders) or " ".join(FOLDERS)
    found.exhibits.append(
        checkout.exhibit(
            f"ls-tree -r --name-only {{commit}} -- {where}", {"records": len(parsed), "links_skipped": skipped}
        )
    )


def _folders(holding: Holding, found: _Found) -> Iterator[str]:
    """Folders that may hold records, each once."""
    seen: set[str] = set()
    for top in dict.fromkeys((holding.path, "")):
        for name in (*FOLDERS, *_told(holding.checkout, top, found)):
            for folder in _spelled(holding.checkout, top, name.strip("/").split("/")):
                if folder and folder not in seen:
                    seen.add(folder)
                    yield folder


def _spelled(checkout: Checkout, top: str, names: Sequence[str]) -> Iterator[str]:
    """The folders of this name in any case of letters: `docs/ADR` is `docs/adr` to everybody but the file system."""
    here = [top]
    for name in names:
        if name in {"", "."}:
            continue
        below = [folder for parent in here for folder in checkout.listing(parent, deep=False).folders]
        here = [folder for folder in below if posixpath.basename(folder).lower() == name.lower()]
    yield from here


def _told(checkout: Checkout, top: str, found: _Found) -> Iterator[str]:
    """The folder that adr-tools' `.adr-dir` names."""
    file = checkout.file(joined(top, ".adr-dir"))
    if file is None:
        return
    try:
        text = checkout.read(ReadText(file), Text).text.strip()
    except UnreadableError as error:
        found.missing.append(checkout.unavailable(error, file.path))
        return
    if text and "\n" not in text and inside(posixpath.normpath(text)):
        yield text


def _read(checkout: Checkout, path: str, blob: str, found: _Found) -> ParsedRecord | None:
    if path.endswith(OTHER_TEXT) and number_of(path):
        found.missing.append(
            Unavailable(Cause.NOT_SUPPORTED, f"{checkout.short}: {path}: only Markdown is read", count=1)
        )
    if not is_record(path):
        return None
    try:
        return checkout.read(ReadRecord(File(checkout.located.source, path, blob)), ParsedRecord)
    except UnreadableError as error:
        found.missing.append(checkout.unavailable(error, path))
        return None


def _changes(holding: Holding, parsed: dict[str, ParsedRecord], found: _Found) -> Changes:
    checkout = holding.checkout
    try:
        changes = checkout.changes(parsed, _structural(holding, found), holding.path)
    except UnreadableError as error:
        found.history_missing.append(checkout.unavailable(error))
        return Changes()
    if changes.cut:
        found.history_missing.append(Unavailable(Cause.NO_DATA, f"{checkout.label}: {changes.cut}"))
    return changes


def _structural(holding: Holding, found: _Found) -> Iterator[str]:
    """YAML files of the service that define what runs, by their content."""
    checkout = holding.checkout
    if not checkout.located.source.commit:
        return
    listing = checkout.listing(holding.path)
    yaml = [path for path in listing.files if path.endswith((".yaml", ".yml"))]
    if listing.cut or len(yaml) > _MAX_YAML:
        found.history_missing.append(
            Unavailable(Cause.NOT_SUPPORTED, f"{checkout.label}: more files than are read; give the service's `path`")
        )
    for start in range(0, min(len(yaml), _MAX_YAML), _BATCH):
        batch = {path: listing.files[path] for path in yaml[start : start + _BATCH]}
        answer = checkout.ask(FindStructure(checkout.located.source, batch), Paths)
        if answer.unread:
            found.history_missing.append(
                Unavailable(
                    Cause.BAD_RESPONSE,
                    f"{checkout.label}: {answer.unread} YAML files could not be read",
                    count=answer.unread,
                )
            )
        yield from answer.paths


def _record(name: str, parsed: ParsedRecord, changed: int | None) -> DecisionRecord:
    return DecisionRecord(
        name=name,
        number=number_of(name),
        title=parsed.title,
        state=RecordState(parsed.status),
        decided_on=parsed.decided_on,
        changed_on=None if changed is None else _day(changed),
        sections=parsed.sections,
        supersedes=parsed.supersedes,
        superseded_by=parsed.superseded_by,
        silences=parsed.silences,
    )


def _day(seconds: int) -> date:
    return datetime.fromtimestamp(seconds, UTC).date()


def _named(checkout: Checkout, path: str, *, several: bool) -> str:
    return f"{checkout.short}:{path}" if several else path
