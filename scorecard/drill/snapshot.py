"""A drill of an RDS snapshot: restored into an instance of the drill's own, verified, and deleted, whatever happens.

The calls, in order: `rds:DescribeDBSnapshots`, `rds:DescribeDBInstances`, `rds:RestoreDBInstanceFromDBSnapshot` (with
`rds:AddTagsToResource`), `rds:DeleteDBInstance`. Nothing else of the account is written, and no instance is deleted
that does not carry the drill's own name and tag.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from scorecard.drill import verify
from scorecard.drill.folder import temporary_folder
from scorecard.drill.outcome import BackupFailed, DrillError, Interrupted, NotCarriedOut
from scorecard.drill.programs import Programs
from scorecard.drill.report import Backup, DrillReport, Step
from scorecard.drill.restore import (
    Log,
    Setting,
    conclude,
    keep,
    make_report,
    refuse_slow,
    refuse_stale,
    too_slow,
)
from scorecard.drill.server import Server, SqlError, refuse_by_name
from scorecard.drill.spec import DrillSpec, RdsSnapshot
from scorecard.redact import redact_text

_TAG = "scorecard-drill"
"""The tag of an instance that is ours; its value is when the drill gives it up."""
_NAME = re.compile(r"drill-[a-z0-9-]+-\d{14}-[0-9a-f]{8}")
_TIMEOUT = 30
_GIB = 1 << 30
_GONE = frozenset({"DBInstanceNotFound", "DBInstanceNotFoundFault"})
_BROKEN = frozenset({"failed", "incompatible-restore", "incompatible-parameters", "incompatible-network"})


def restore_snapshot(spec: DrillSpec, setting: Setting) -> DrillReport:
    """Carry the drill out. Raises nothing: the report says what happened."""
    started = setting.clock()
    log = Log(setting)
    error: DrillError | None = None
    with temporary_folder(setting.folder) as folder:
        programs = Programs(folder, spec.limits.time.total_seconds(), setting.stop)
        try:
            _Drill(spec, log, programs, started).carry_out()
        except DrillError as ended:
            error = too_slow(spec, log, ended)
        except (SqlError, OSError) as refused:
            error = NotCarriedOut("refused", f"{type(refused).__name__}: {refused}")
        except Exception as fault:  # noqa: BLE001 - a fault of ours says nothing about the backup
            error = NotCarriedOut("scorecard-fault", f"the drill itself failed: {type(fault).__name__}: {fault}")
    return make_report(spec, log, error, started, setting.clock(), kind="rds-snapshot")


class _Drill:
    def __init__(self, spec: DrillSpec, log: Log, programs: Programs, now: datetime) -> None:
        assert spec.source.rds is not None  # noqa: S101 - the caller asked
        self._spec = spec
        self._rds: RdsSnapshot = spec.source.rds
        self._log = log
        self._programs = programs
        self._now = now
        self._name = f"drill-{spec.service[:24].rstrip('-')}-{now:%Y%m%d%H%M%S}-{secrets.token_hex(4)}"
        self._client: Any = None

    def carry_out(self) -> None:
        spec, log = self._spec, self._log
        if spec.scratch.host:
            with log.step("refuse production"):
                refuse_by_name(spec.scratch, spec.production)
        if not spec.verifications:
            raise BackupFailed("no-verifications", "the spec has no verification: nobody looks at what is restored")
        asked = verify.questions(spec, self._now)
        with _mapped():
            self._client = _client(self._rds)
            with log.step("sweep") as detail:
                detail.extend(self._sweep())
            with log.step("find") as detail:
                snapshot = self._find()
                detail.append(log.backup.id)
        with log.step("age") as detail:
            detail.append(refuse_stale(spec, log, self._now))
        try:
            with _mapped():
                with log.step("restore", counts=True) as detail:
                    instance = self._restore(snapshot)
                    detail.append(f"{self._name}, {instance['DBInstanceClass']}")
                log.restored = True
                refuse_slow(spec, log)
            with log.step("verify") as detail:
                self._verify(instance, asked, detail)
        finally:
            self._programs.clean_up()
            self._delete()
        conclude(log)

    def _find(self) -> str:
        """The identifier of the snapshot; it stands in the report from here on."""
        rds = self._rds
        query = {"DBSnapshotIdentifier": rds.snapshot} if rds.snapshot else {"DBInstanceIdentifier": rds.instance}
        found = [
            one
            for page in self._client.get_paginator("describe_db_snapshots").paginate(**query)
            for one in page["DBSnapshots"]
            if one["Status"] == "available" and one["DBInstanceIdentifier"] == rds.instance
        ]
        if not found:
            raise BackupFailed("no-backup", f"{rds.instance} has no snapshot {rds.snapshot or 'that is available'}")
        newest = max(found, key=lambda one: one["SnapshotCreateTime"])
        self._log.backup = Backup(
            id=newest["DBSnapshotIdentifier"],
            created_at=newest["SnapshotCreateTime"].astimezone(UTC),
            size=newest["AllocatedStorage"] * _GIB,
        )
        return str(newest["DBSnapshotIdentifier"])

    def _restore(self, snapshot: str) -> Any:  # noqa: ANN401 - boto3 has no types
        """Ask for the instance and wait for it."""
        rds = self._rds
        until = self._now + self._spec.limits.time + timedelta(hours=1)
        options: dict[str, Any] = {"DBSubnetGroupName": rds.subnet_group} if rds.subnet_group else {}
        if rds.security_groups:
            options["VpcSecurityGroupIds"] = list(rds.security_groups)
        self._client.restore_db_instance_from_db_snapshot(
            DBInstanceIdentifier=self._name,
            DBSnapshotIdentifier=snapshot,
            DBInstanceClass=rds.instance_class,
            PubliclyAccessible=False,
            DeletionProtection=False,
            MultiAZ=False,
            AutoMinorVersionUpgrade=False,
            Tags=[{"Key": _TAG, "Value": f"{until:%Y-%m-%dT%H:%M:%SZ}"}],
            **options,
        )
        begun = time.monotonic()
        while True:
            instance = self._client.describe_db_instances(DBInstanceIdentifier=self._name)["DBInstances"][0]
            status = instance["DBInstanceStatus"]
            if status == "available":
                return instance
            if status in _BROKEN:
                raise BackupFailed("restore-failed", f"the instance made of {snapshot} is {status}")
            self._log.setting.tell(f"restore: {status} for {time.monotonic() - begun:.0f} s")
            self._programs.check()
            if self._log.setting.stop.wait(self._log.setting.poll):
                raise Interrupted

    def _verify(self, instance: Any, asked: tuple[verify.Question, ...], detail: list[str]) -> None:  # noqa: ANN401 - as above
        spec = self._spec
        endpoint = instance.get("Endpoint", {})
        own = not spec.scratch.host
        if own:
            where = {"host": endpoint.get("Address", ""), "port": endpoint.get("Port", spec.scratch.port)}
            if not where["host"]:
                raise NotCarriedOut("no-endpoint", f"{self._name} has no endpoint that could be asked")
            scratch = spec.scratch.model_copy(update=where)
            refuse_by_name(scratch, spec.production)
        else:
            scratch = spec.scratch
            detail.append(
                f"asked at {scratch.host}:{scratch.port}, which the spec gives in place of "
                f"{endpoint.get('Address', 'its endpoint')}: nothing here shows that it is the restored one; it was "
                "only read from"
            )
        server = Server(self._programs, scratch, scratch.user, scratch.database)
        server.write_passwords(self._log.setting.passfile)
        found = list(verify.ask(server, asked, spec, scratch=own))
        if spec.foreign_keys:
            keys = verify.foreign_keys(server, spec)
            found += [keys] if keys is not None else []
        if spec.amcheck != "off":
            found += self._corruption(server, detail, own=own)
        keep(self._log, found)

    def _corruption(self, server: Server, detail: list[str], *, own: bool) -> list[verify.Asked]:
        """A snapshot brings the pages of its indexes with it, so that it can bring corruption."""
        problem = "" if own else "the place that the spec gives is only read from"
        if own:
            try:
                server.query("CREATE EXTENSION IF NOT EXISTS amcheck")
            except SqlError as error:
                problem = str(error)
        if not problem:
            return [verify.corruption(server, self._spec)]
        if self._spec.amcheck == "required":
            raise NotCarriedOut("no-extension", f"corruption cannot be looked for: {problem}")
        detail.append(f"corruption not looked for: {problem}")
        return []

    def _delete(self) -> None:
        begun = time.monotonic()
        problem = ""
        try:
            with _mapped():
                _delete(self._client, self._name)
        except DrillError as error:
            problem = f"{self._name} could not be deleted, do it by hand: {error.message}"
        took = time.monotonic() - begun
        step = Step(name="delete", ok=not problem, seconds=took, detail=redact_text(problem or self._name))
        self._log.steps.append(step)

    def _sweep(self) -> list[str]:
        """Delete instances of drills that died: ours by name and tag, and past the time that their drill had."""
        said = []
        for page in self._client.get_paginator("describe_db_instances").paginate():
            for one in page["DBInstances"]:
                name = one["DBInstanceIdentifier"]
                tags = {tag["Key"]: tag["Value"] for tag in one.get("TagList", ())}
                if not _NAME.fullmatch(name) or _TAG not in tags or one["DBInstanceStatus"] == "deleting":
                    continue
                if _time(tags[_TAG]) < self._now:
                    _delete(self._client, name)
                    said.append(f"deleted {name}, which a drill that died left behind")
        return said


def _delete(client: Any, name: str) -> None:  # noqa: ANN401 - as above
    """Delete one instance of ours; one that is not there is deleted."""
    from botocore.exceptions import ClientError

    if not _NAME.fullmatch(name):
        raise NotCarriedOut("production", f"{name} is no instance of a drill's")
    try:
        client.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True, DeleteAutomatedBackups=True)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") not in _GONE:
            raise


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)  # not ours to judge


@contextmanager
def _mapped() -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        told = error.response.get("Error", {})
        said = f"rds:{error.operation_name}: {told.get('Code', 'unknown')}: {told.get('Message', '')}"
        if told.get("Code") == "DBSnapshotNotFound":
            raise BackupFailed("no-backup", said[:400]) from None
        raise NotCarriedOut("aws", said[:400]) from None
    except BotoCoreError as error:
        raise NotCarriedOut("aws", str(error)[:400]) from None


def _client(rds: RdsSnapshot) -> Any:  # noqa: ANN401 - as above
    import boto3
    from botocore.config import Config

    return boto3.Session().client(
        "rds",
        region_name=rds.region,
        endpoint_url=rds.endpoint_url,
        config=Config(
            connect_timeout=_TIMEOUT, read_timeout=_TIMEOUT, retries={"total_max_attempts": 3, "mode": "standard"}
        ),
    )
