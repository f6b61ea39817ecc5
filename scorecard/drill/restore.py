"""One restore drill, from the spec to the report: fetch, restore, ask, drop. Whatever happens, the report comes out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from scorecard.drill import verify
from scorecard.drill.folder import temporary_folder
from scorecard.drill.load import Dump, inspect, load
from scorecard.drill.outcome import BackupFailed, DrillError, NotCarriedOut
from scorecard.drill.programs import Programs
from scorecard.drill.report import Backup, DrillReport, Result, Step, Tool, Verification, trivial
from scorecard.drill.scratch import ScratchDatabase, name_of, sweep
from scorecard.drill.server import Identity, Server, SqlError, refuse_by_identity, refuse_by_name
from scorecard.drill.source import Found, checksum, find, free_bytes
from scorecard.drill.spec import DrillSpec
from scorecard.model import format_duration
from scorecard.redact import redact_text

_WATCH_SECONDS = 3.0
_MOST_UNREAD = 8


@dataclass(frozen=True, slots=True)
class Setting:
    """What a drill is given besides its spec."""

    clock: Callable[[], datetime]
    stop: threading.Event
    version: str
    """Of this program."""
    passfile: Path | None = None
    """A password file of libpq's."""
    run_url: str = ""
    commit: str = ""
    tell: Callable[[str], None] = lambda _message: None
    """Told what is being done, as it is done."""
    patience: float = 30.0
    """Seconds that a scratch server which went away is waited for, so that what is on it can be dropped."""
    poll: float = 15.0
    """Seconds between two looks at an instance that is being made."""
    folder: Path | None = None
    """Where temporary files are made; the system's place unless given."""


@dataclass(slots=True)
class Log:
    """What was done so far."""

    setting: Setting
    steps: list[Step] = field(default_factory=list)
    verifications: list[Verification] = field(default_factory=list)
    reasons: list[tuple[str, str]] = field(default_factory=list)
    """Code and message of each verification that did not hold."""
    backup: Backup = field(default_factory=lambda: Backup(id=""))
    usable_after: float = 0.0
    """Seconds of the steps until the data could be used."""
    restored: bool = False

    @contextmanager
    def step(self, name: str, *, counts: bool = False) -> Iterator[list[str]]:
        """Time a step; what is put into the list is its detail."""
        detail: list[str] = []
        begun = time.monotonic()
        self.setting.tell(name)
        ok = False
        try:
            yield detail
            ok = True
        except DrillError as error:
            detail.append(error.message)
            raise
        finally:
            took = time.monotonic() - begun
            self.usable_after += took if counts else 0.0
            self.steps.append(Step(name=name, ok=ok, seconds=took, detail=redact_text("; ".join(detail))[:2000]))


def restore(spec: DrillSpec, setting: Setting) -> DrillReport:
    """Carry out the drill of a dump; nothing of it is left behind. Raises nothing: the report says what happened."""
    started = setting.clock()
    log = Log(setting)
    error: DrillError | None = None
    with temporary_folder(setting.folder) as folder:
        programs = Programs(folder, spec.limits.time.total_seconds(), setting.stop)
        try:
            _carry_out(spec, log, programs, started)
        except DrillError as ended:
            error = too_slow(spec, log, ended)
        except (SqlError, OSError) as refused:
            error = NotCarriedOut("refused", f"{type(refused).__name__}: {refused}")
        except Exception as fault:  # noqa: BLE001 - a fault of ours says nothing about the backup
            error = NotCarriedOut("scorecard-fault", f"the drill itself failed: {type(fault).__name__}: {fault}")
    return make_report(spec, log, error, started, setting.clock())


def make_report(
    spec: DrillSpec,
    log: Log,
    error: DrillError | None,
    started: datetime,
    finished: datetime,
    kind: str = "postgres-dump",
) -> DrillReport:
    """The report of what was done."""
    result = Result.SUCCESS
    if error is not None:
        result = Result.FAILURE if isinstance(error, BackupFailed) else Result.NOT_CARRIED_OUT
    return DrillReport(
        service=spec.service,
        resource=spec.resource,
        kind=kind,
        backup=log.backup,
        started_at=started,
        finished_at=finished,
        result=result,
        code=error.code if error is not None else "",
        message=redact_text(error.message) if error is not None else "",
        restore_seconds=log.usable_after if log.restored else None,
        recovery_time_seconds=spec.recovery_time.total_seconds() if spec.recovery_time else None,
        recovery_point_seconds=spec.recovery_point.total_seconds() if spec.recovery_point else None,
        steps=tuple(log.steps),
        verifications=tuple(log.verifications),
        tool=Tool(name="scorecard drill", version=log.setting.version),
        run_url=log.setting.run_url,
        commit=log.setting.commit,
    )


def conclude(log: Log) -> None:
    """The verdict on what was restored and asked.

    Raises:
        BackupFailed: something did not hold, or nothing that was asked proves anything.
    """
    if log.reasons:
        code, message = log.reasons[0]
        more = f"; {len(log.reasons) - 1} more verifications did not hold" if log.reasons[1:] else ""
        raise BackupFailed(code, message + more)
    if all(map(trivial, log.verifications)):
        raise BackupFailed(
            "trivial-verifications", "an empty database would pass every verification: ask for rows that must be there"
        )


def _carry_out(spec: DrillSpec, log: Log, programs: Programs, now: datetime) -> None:
    with log.step("refuse production"):
        refuse_by_name(spec.scratch, spec.production)
    if not spec.verifications:
        raise BackupFailed(
            "no-verifications", "the spec has no verification: a restore that nobody looks at proves nothing"
        )
    asked = verify.questions(spec, now)
    admin = Server(programs, spec.scratch, spec.scratch.user, spec.scratch.database)
    admin.write_passwords(log.setting.passfile)
    with log.step("connect") as detail:
        identity = admin.identify()
        detail.append(f"PostgreSQL {identity.version // 10_000} at {admin.where}")
        refuse_by_identity(identity, spec.scratch, spec.production)
    with log.step("sweep") as detail:
        detail += [f"dropped {name}, which a drill that died left behind" for name in sweep(admin)]
    with log.step("fetch", counts=True) as detail:
        found = find(spec.source, programs.folder, programs.check)
        log.backup = Backup(id=found.id, created_at=found.modified_at, size=found.size)
        detail.append(f"{found.id}, {found.size:,} bytes")
    with log.step("checksum") as detail:
        detail.append(_check_sum(spec, found, log, programs))
    with log.step("inspect") as detail:
        dump, log.backup = inspect(spec.format, found, log.backup, programs, detail)
    with log.step("age") as detail:
        detail.append(refuse_stale(spec, log, now))
    with log.step("space") as detail:
        detail.append(_check_space(spec, dump, found.size, identity, admin))
    database = ScratchDatabase(admin, identity, spec, name_of(spec.service, now), patience=log.setting.patience)
    try:
        with log.step("create", counts=True) as detail, programs.whole():
            detail.append(database.make(log.setting.passfile))
        programs.watch = _Watch(database, spec, log.setting.tell).look
        with log.step("restore", counts=True) as detail:
            detail.append(load(database.session(), dump, programs, spec.limits.jobs))
        log.restored = True
        refuse_slow(spec, log)
        with log.step("verify") as detail:
            _verify(database, asked, spec, log, detail)
    finally:
        programs.clean_up()
        _drop(database, log)
    conclude(log)


@dataclass(slots=True)
class _Watch:
    """Looks at the scratch database while it is restored: says how far it is, and ends what grows past its limit."""

    database: ScratchDatabase
    spec: DrillSpec
    tell: Callable[[str], None]
    _next: float = _WATCH_SECONDS
    _looking: bool = False

    def look(self, name: str, seconds: float) -> None:
        """Called several times a second while a program runs."""
        if self._looking or name not in {"pg_restore", "psql"} or seconds < self._next:
            self._next = min(self._next, seconds + _WATCH_SECONDS)
            return
        self._next = seconds + _WATCH_SECONDS
        self._looking = True
        try:
            size = self.database.size()
        finally:
            self._looking = False
        self.tell(f"restore: {seconds:.0f} s, {size / 1e6:,.0f} MB")
        if self.spec.limits.disk is not None and size > self.spec.limits.disk:
            raise NotCarriedOut(
                "disk-limit",
                f"the scratch database grew to {size:,} bytes; its limit is {self.spec.limits.disk:,}",
            )


def _check_sum(spec: DrillSpec, found: Found, log: Log, programs: Programs) -> str:
    digest = checksum(found.path, programs.check)
    log.backup = Backup(id=found.id, created_at=found.modified_at, size=found.size, sha256=digest)
    expected = spec.sha256 or found.expected_sha256
    if not expected:
        return "none to compare with"
    if digest != expected:
        raise BackupFailed("checksum-mismatch", f"{found.id} has the SHA-256 {digest}, {expected} is expected")
    return "as expected"


def refuse_stale(spec: DrillSpec, log: Log, now: datetime) -> str:
    """How old the backup is, for the report.

    Raises:
        BackupFailed: it is older than the recovery point.
    """
    made = log.backup.created_at
    assert made is not None  # noqa: S101 - set by the fetch
    age = max(now - made, timedelta(0))
    told = f"made {format_duration(timedelta(seconds=int(age.total_seconds())))} ago"
    if spec.recovery_point is not None and age > spec.recovery_point:
        raise BackupFailed(
            "stale", f"{log.backup.id} was {told}; the recovery point is {format_duration(spec.recovery_point)}"
        )
    return told


def _check_space(spec: DrillSpec, dump: Dump, size: int, identity: Identity, admin: Server) -> str:
    """Whether the scratch server has room, where it stands on this machine."""
    needed = int(size * (spec.limits.disk_factor if dump.compressed else max(1.0, spec.limits.disk_factor / 3)))
    place = identity.data_directory
    if spec.scratch.tablespace:
        rows = admin.query("SELECT spcname, pg_tablespace_location(oid) FROM pg_tablespace")
        place = dict(rows).get(spec.scratch.tablespace, "")
    free = free_bytes(Path(place)) if place and identity.local else None
    if free is None:
        return f"not checked: the disk of {admin.where} cannot be looked at; about {needed:,} bytes are needed"
    if free < needed:
        raise NotCarriedOut(
            "disk-full", f"{free:,} bytes are free for the scratch database, about {needed:,} are needed"
        )
    return f"{free:,} bytes free, about {needed:,} needed"


def _verify(
    database: ScratchDatabase, asked: tuple[verify.Question, ...], spec: DrillSpec, log: Log, detail: list[str]
) -> None:
    session = database.session()
    found = list(verify.ask(session, asked, spec))
    if spec.foreign_keys:
        keys = verify.foreign_keys(session, spec)
        found += [keys] if keys is not None else []
    if spec.amcheck != "off":
        if database.amcheck:
            detail.append(f"corruption not looked for: {database.amcheck}")
        else:
            found.append(verify.corruption(session, spec))
    counted = {name for one in found if not trivial(one.verification) for name in one.verification.relations or ()}
    unread = [name for name in verify.tables_of(session) if name not in counted]
    if unread:
        more = f" and {len(unread) - _MOST_UNREAD} more" if unread[_MOST_UNREAD:] else ""
        detail.append(f"rows lost here would not be noticed: {', '.join(unread[:_MOST_UNREAD])}{more}")
    keep(log, found)


def keep(log: Log, found: list[verify.Asked]) -> None:
    """Into the report with what was answered."""
    log.verifications += [one.verification for one in found]
    log.reasons += [
        (one.code, f"{one.verification.name}: {one.verification.actual}, {one.verification.expected} is expected")
        for one in found
        if not one.verification.ok
    ]


def _drop(database: ScratchDatabase, log: Log) -> None:
    begun = time.monotonic()
    problem = database.drop()
    took = time.monotonic() - begun
    log.steps.append(Step(name="drop", ok=not problem, seconds=took, detail=redact_text(problem or database.name)))


def refuse_slow(spec: DrillSpec, log: Log) -> None:
    """Remember it where the restore took longer than the recovery time; the questions are asked all the same."""
    limit = spec.recovery_time
    if limit is not None and log.usable_after > limit.total_seconds():
        log.reasons.append(
            ("too-slow", f"the restore took {log.usable_after:.1f} s, the recovery time is {format_duration(limit)}")
        )


def too_slow(spec: DrillSpec, log: Log, error: DrillError) -> DrillError:
    """A drill that its limit ended after the recovery time has shown that the backup is too slow."""
    limit = spec.recovery_time
    if (
        error.code == "time-limit"
        and not log.restored
        and limit is not None
        and log.usable_after > limit.total_seconds()
    ):
        return BackupFailed(
            "too-slow",
            f"the restore was not done after {log.usable_after:.1f} s; the recovery time is {format_duration(limit)}",
        )
    return error


__all__ = ["Log", "Setting", "conclude", "keep", "make_report", "refuse_slow", "refuse_stale", "restore", "too_slow"]
