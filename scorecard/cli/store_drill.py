"""`scorecard db drill`: the restore drill of our own store, with the report of every other drill."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from scorecard import __version__
from scorecard.cli.drill import carry_out, exit_code, write_drill
from scorecard.cli.output import Target, say
from scorecard.cli.problems import Refused
from scorecard.cli.workspace import clock
from scorecard.drill.report import Backup, DrillReport, Result, Step, Tool, Verification
from scorecard.drill.source import checksum
from scorecard.drill.spec import Check, DrillSpec, Production, SchemaVersion, Source, SpecError, read_spec
from scorecard.store import Store, StoreError, migrate, open_store
from scorecard.store.backup import compare, count_rows, restore, system_identifier
from scorecard.store.verify import verify

_SHOWN = 5


def drill_sqlite(store: Store, source: Path, *, service: str, resource: str, targets: tuple[Target, ...]) -> int:
    """Restore a copy into a scratch file and look at it; the exit code."""
    started = clock()
    steps: list[Step] = []
    verifications: tuple[Verification, ...] = ()
    code = message = ""
    backup = _backup_of(source)
    try:
        with tempfile.TemporaryDirectory(prefix="scorecard-drill-") as folder:
            url = f"sqlite:///{Path(folder) / 'drill.db'}"
            with _step(steps, "restore"):
                restore(source, url)
            with _step(steps, "verify") as detail:
                verifications, told = _look(store, url)
                detail.append(told)
    except StoreError as error:
        code, message = "corrupt", str(error)
    wrong = [one for one in verifications if not one.ok]
    if wrong:
        code, message = "verification", f"{wrong[0].name}: {wrong[0].actual}"
    report = DrillReport(
        service=service,
        resource=resource,
        kind="sqlite-copy",
        backup=backup,
        started_at=started,
        finished_at=clock(),
        result=Result.FAILURE if code else Result.SUCCESS,
        code=code,
        message=message,
        restore_seconds=sum(step.seconds for step in steps if step.name == "restore"),
        steps=tuple(steps),
        verifications=verifications,
        tool=Tool(name="scorecard db drill", version=__version__),
    )
    write_drill(report, targets)
    if not code:
        say(f"{source} was restored and holds together: {steps[-1].detail}")
    return exit_code(report)


def drill_postgres(store: Store, source: Path, spec_file: Path, targets: tuple[Target, ...]) -> int:
    """The restore drill of a spec, of this dump of our store; the exit code."""
    try:
        spec = read_spec(spec_file)
    except SpecError as error:
        raise Refused(str(error)) from error
    report = carry_out(_of_store(spec, store, source))
    write_drill(report, targets)
    return exit_code(report)


def _of_store(spec: DrillSpec, store: Store, source: Path) -> DrillSpec:
    """The spec for our own store: its server is refused, and its schema must be this version's."""
    address = store.db.address
    host = address.host or address.query.get("host")
    mine: dict[str, object] = {"host": host if isinstance(host, str) else None, "database": address.database}
    port = address.port or address.query.get("port")
    if isinstance(port, int | str):
        mine["port"] = int(port)
    number = system_identifier(store.db)
    ours = [Production.model_validate(mine)] + ([Production(system_identifier=number)] if number else [])
    version = SchemaVersion(table="alembic_version", column="version_num", expected=migrate.newest())
    return spec.model_copy(
        update={
            "source": Source(path=source.absolute()),
            "production": (*spec.production, *ours),
            "verifications": (*spec.verifications, Check(schema_version=version)),
        }
    )


def _look(store: Store, url: str) -> tuple[tuple[Verification, ...], str]:
    """What is asked of the restored copy, and what it came to in a few words."""
    scratch = open_store(
        url,
        checklists=store.checklists,
        policies=store.policies.by_tier,
        periods=store.periods,
        applies=store.applies,
    )
    try:
        problems = verify(scratch)
        rows = count_rows(scratch.db)
        differences = compare(store.db, scratch.db) if not problems else ()
    finally:
        scratch.close()
    since = f"{len(differences)} differences to the store as it is now" if differences else "equal to the store"
    found = (
        Verification(
            name="it holds together",
            query="scorecard db check",
            expected="nothing found",
            actual="; ".join(problems[:_SHOWN]) or "nothing found",
            ok=not problems,
            vacuous=not problems,
        ),
        Verification(
            name="rows of all tables",
            query="SELECT count(*) FROM each table",
            expected="1 or more",
            actual=str(rows),
            ok=rows > 0,
            vacuous=False,
        ),
    )
    return found, f"{rows:,} rows, {since}"


def _backup_of(source: Path) -> Backup:
    said = source.stat()
    return Backup(
        id=source.name,
        created_at=datetime.fromtimestamp(said.st_mtime, UTC),
        size=said.st_size,
        sha256=checksum(source, _never_stopped),
    )


def _never_stopped() -> None:
    """Nobody stops the reading of a file."""


@contextmanager
def _step(steps: list[Step], name: str) -> Iterator[list[str]]:
    detail: list[str] = []
    begun = time.monotonic()
    ok = False
    try:
        yield detail
        ok = True
    except StoreError as error:
        detail.append(str(error))
        raise
    finally:
        steps.append(Step(name=name, ok=ok, seconds=time.monotonic() - begun, detail="; ".join(detail)))
