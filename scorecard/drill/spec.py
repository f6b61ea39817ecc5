"""What a restore drill does, as a person wrote it: one YAML file per drill, every key once, strict.

The attribute docstrings are the descriptions in the JSON Schema (`scorecard schema drill`).
"""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError

from scorecard.config.fields import CleanText, LabelText, LocalPath, WebAddress
from scorecard.config.sections import Section
from scorecard.json_schema import Path as KeyPath
from scorecard.json_schema import titled
from scorecard.model import Duration
from scorecard.problems import Problem, dotted, explain
from scorecard.strict_yaml import Document, YamlError, load

_SECRET_KEY = re.compile(r"(?:^|_)(?:password|passwd|token|secret|secret_access_key|access_key)$")
_S3 = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.*")
_NAME = re.compile(r'(?:[^."\s]+\.)?[^."\s]+')
_HEX = re.compile(r"[0-9a-f]{64}")
_HOST = re.compile(r"[^\s,='\"@?]+")


def _s3(text: str) -> str:
    if not _S3.fullmatch(text):
        raise ValueError(f"s3://bucket/key or s3://bucket/prefix/ is expected, not {text[:80]!a}")
    return text


def _table(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(f"table or schema.table is expected, not {text[:80]!a}")
    return text


def _column(text: str) -> str:
    if '"' in text or not text.strip():
        raise ValueError(f"the name of a column is expected, not {text[:80]!a}")
    return text


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise ValueError(f"one host name, address or socket directory is expected, not {text[:80]!a}")
    return text


def _sql(text: str) -> str:
    if text.lstrip().startswith("\\"):
        raise ValueError("SQL is expected, not a command of psql's")
    if not text.strip():
        raise ValueError("SQL is expected")
    return text


def _sha256(text: str) -> str:
    if not _HEX.fullmatch(text):
        raise ValueError("64 hexadecimal digits in lower case are expected")
    return text


TableName = Annotated[CleanText, AfterValidator(_table)]
ColumnName = Annotated[CleanText, AfterValidator(_column)]
Host = Annotated[CleanText, AfterValidator(_host)]
Port = Annotated[int, Field(ge=1, le=65535)]
Scalar = str | int | float | bool


class RdsSnapshot(Section):
    """A snapshot of an RDS instance, restored into an instance of the drill's own, which is deleted again."""

    instance: CleanText
    """The identifier of the instance whose newest snapshot is restored. It is read and never changed."""
    snapshot: CleanText | None = None
    """One snapshot's identifier; the newest of the instance unless given."""
    region: CleanText
    """The region of both."""
    endpoint_url: WebAddress | None = None
    """Another endpoint than AWS's own."""
    instance_class: CleanText = "db.t4g.medium"
    """The class of the scratch instance."""
    subnet_group: CleanText | None = None
    """The subnet group of the scratch instance; the default one unless given."""
    security_groups: tuple[CleanText, ...] = ()
    """The security groups of the scratch instance: ones that production does not let in."""


class Source(Section):
    """Where the backup is; one of `path`, `s3` and `rds`."""

    path: LocalPath | None = None
    """A dump, or a directory of dumps of which the newest is taken; relative to this file."""
    pattern: CleanText = "*"
    """Which files, folders or keys there are dumps; `*` and `?` stand for any text."""
    s3: Annotated[CleanText, AfterValidator(_s3)] | None = None
    """`s3://bucket/key`, or `s3://bucket/prefix/` of which the newest is taken."""
    endpoint_url: WebAddress | None = None
    """Another S3 endpoint than AWS's own."""
    region: CleanText | None = None
    """The bucket's region."""
    rds: RdsSnapshot | None = None
    """A snapshot of an RDS instance."""


class Scratch(Section):
    """The PostgreSQL server that the backup is restored on: never production's."""

    host: Host = ""
    """A host name, an address, or the directory of a Unix socket. Of a snapshot's instance: another way to it than its
    own endpoint, such as a tunnel; then it is only read from."""
    port: Port = 5432
    """Its port."""
    user: CleanText = "postgres"
    """The user that makes the scratch database: CREATEDB and CREATEROLE are enough."""
    database: CleanText = "postgres"
    """The database that is connected to for making the scratch database; of a snapshot's instance the one to verify."""
    password_file: LocalPath | None = None
    """A file that holds the user's password; without it PGPASSFILE is used."""
    sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] = "prefer"
    """How the connection is protected."""
    sslrootcert: LocalPath | None = None
    """A PEM file of the authorities that the server's certificate is verified by."""
    tablespace: CleanText | None = None
    """The tablespace of the scratch database; the server's default unless given."""
    extensions: tuple[CleanText, ...] = ()
    """Extensions that are made before the restore, since the restricted role of the restore may not make them."""
    superuser: bool = False
    """True: restore as the user above even where it is a superuser and a restricted role cannot sign in. Whatever
    stands in the dump then runs with all rights on the scratch server."""


class Production(Section):
    """A server that is never restored into. Its own number, its host with its port, or a database on it tells it."""

    host: Host | None = None
    """Its host name, address or socket directory."""
    port: Port = 5432
    """Its port; counts together with the host."""
    database: CleanText | None = None
    """Its database. Without a host, any server that has a database of this name is refused."""
    system_identifier: CleanText | None = None
    """The server's own number: `SELECT system_identifier FROM pg_control_system()`."""


class Limits(Section):
    """What a drill may use at most."""

    time: Duration = timedelta(hours=4)
    """The whole drill."""
    disk: Annotated[int, Field(ge=1)] | None = None
    """Bytes that the scratch database may grow to."""
    disk_factor: Annotated[float, Field(gt=0)] = 6.0
    """How many times the size of the dump must be free, where the disk can be looked at."""
    statement_timeout: Duration = timedelta(minutes=10)
    """One verification."""
    jobs: Annotated[int, Field(ge=1, le=64)] = 1
    """Tables that are restored at once, from a custom or directory dump."""


class Rows(Section):
    """How many rows a table has."""

    table: TableName
    """The table, `table` or `schema.table`."""
    at_least: Annotated[int, Field(ge=1)]
    """So many, or more."""


class Fresh(Section):
    """How old the newest row of a table is."""

    table: TableName
    """The table."""
    column: ColumnName
    """Its column of times."""
    within: Duration
    """At most so old, at the time of the drill."""


class Orphans(Section):
    """Rows that refer to a row that is not there, where no foreign key says so."""

    table: TableName
    """The table that refers."""
    column: ColumnName
    """Its column."""
    references: TableName
    """The table that is referred to."""
    references_column: ColumnName = "id"
    """The column of that table."""


class Query(Section):
    """A question of the business to the restored data; one of the expectations."""

    name: CleanText
    """What it verifies."""
    sql: Annotated[CleanText, AfterValidator(_sql)]
    """A query that answers with one value."""
    expected: Scalar | None = None
    """Exactly this."""
    at_least: int | float | None = None
    """This or more."""
    at_most: int | float | None = None
    """This or less."""


class SchemaVersion(Section):
    """Which version the schema has, by the table of the migration tool."""

    table: TableName
    """The table, such as `alembic_version` or `schema_migrations`."""
    column: ColumnName
    """Its column; the greatest value counts."""
    expected: str | int | None = None
    """The version that the code expects."""
    expected_file: LocalPath | None = None
    """A file whose first line is that version, written by the pipeline."""


class Check(Section):
    """One verification; exactly one of the keys."""

    rows: Rows | None = None
    """How many rows a table has."""
    fresh: Fresh | None = None
    """How old the newest row of a table is."""
    orphans: Orphans | None = None
    """Rows that refer to nothing."""
    query: Query | None = None
    """A question of the business."""
    schema_version: SchemaVersion | None = None
    """The version of the schema."""


class DrillSpec(Section):
    """One restore drill."""

    service: LabelText
    """The service whose backup it is."""
    resource: CleanText
    """What is backed up, as the service's `spec.backups[].resource` names it."""
    source: Source
    """Where the backup is."""
    format: Literal["auto", "custom", "directory", "tar", "plain"] = "auto"
    """The format of the dump; by its first bytes unless given. Plain dumps may be compressed by gzip."""
    sha256: Annotated[CleanText, AfterValidator(_sha256)] | None = None
    """The checksum of the dump; that of `NAME.sha256` beside it is used where it is there."""
    scratch: Scratch
    """Where it is restored."""
    production: tuple[Production, ...] = Field(min_length=1)
    """What is never restored into; at least one entry."""
    recovery_time: Duration | None = None
    """How long the restore may take."""
    recovery_point: Duration | None = None
    """How old the backup may be."""
    limits: Limits = Limits()
    """What the drill may use at most."""
    verifications: tuple[Check, ...] = ()
    """Questions to the restored data. A drill fails without one that an empty database could not answer rightly."""
    foreign_keys: bool = True
    """True: every foreign key of the restored database is looked at again, those that are NOT VALID too."""
    ignore_foreign_keys: tuple[CleanText, ...] = ()
    """Foreign keys, by name, that may have orphans."""
    amcheck: Literal["required", "where-possible", "off"] = "where-possible"
    """Whether tables and indexes are looked at for corruption by pg_amcheck, which needs its extension."""


class SpecError(Exception):
    """A spec that is refused, with everything that is wrong with it."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


def read_spec(path: Path) -> DrillSpec:
    """Read a spec from its file; paths in it are relative to that file.

    Raises:
        SpecError: with every problem that was found.
    """
    try:
        document = load(path.read_bytes(), name=str(path))
    except OSError as error:
        raise SpecError((Problem(str(path), 0, "", error.strerror or "cannot be read"),)) from None
    except YamlError as error:
        raise SpecError((Problem(error.name, error.line, "", error.message),)) from None
    return spec_of(document, path.parent)


def spec_of(document: Document, base: Path) -> DrillSpec:
    """The same from values that are read already.

    Raises:
        SpecError: with every problem that was found.
    """
    if not isinstance(document.value, dict):
        raise SpecError((Problem(document.name, document.line, "", "a mapping is expected: service, source, scratch"),))

    def problem(path: KeyPath, said: str) -> Problem:
        return Problem(document.name, document.position(path)[0], dotted(path), said)

    secrets = [
        problem(path, f"a secret does not stand in this file; use {path[-1]}_file or PGPASSFILE")
        for path in _inline_secrets(document.value, ())
    ]
    if secrets:
        # What follows would quote them.
        raise SpecError(tuple(secrets))
    try:
        spec = DrillSpec.model_validate_json(json.dumps(document.value), strict=True, context={"base": base})
    except ValidationError as error:
        where = partial(_located, document)
        raise SpecError(explain(error, schema=DrillSpec.model_json_schema(), locate=where)) from None
    broken = tuple(problem(path, said) for path, said in _broken(spec))
    if broken:
        raise SpecError(broken)
    return spec


def drill_schema() -> dict[str, object]:
    """The JSON Schema (2020-12) of a spec."""
    return titled(DrillSpec.model_json_schema(), "A restore drill")


def _located(document: Document, path: KeyPath) -> tuple[str, int, KeyPath]:
    return document.name, document.position(path)[0], path


def _inline_secrets(value: object, path: KeyPath) -> Iterator[KeyPath]:
    if isinstance(value, dict):
        for key, child in value.items():
            if isinstance(key, str) and _SECRET_KEY.search(key):
                yield (*path, key)
            yield from _inline_secrets(child, (*path, key))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _inline_secrets(child, (*path, index))


def _broken(spec: DrillSpec) -> Iterator[tuple[KeyPath, str]]:
    """What a type cannot say."""
    source = spec.source
    if sum(one is not None for one in (source.path, source.s3, source.rds)) != 1:
        yield ("source",), "one of path, s3 and rds is expected"
    if source.rds is None and not spec.scratch.host:
        yield ("scratch",), "host is missing"
    for index, one in enumerate(spec.production):
        if one.host is None and one.database is None and one.system_identifier is None:
            yield ("production", index), "host, database or system_identifier is expected"
    for key in ("recovery_time", "recovery_point"):
        value = getattr(spec, key)
        if value is not None and value <= timedelta(0):
            yield (key,), "longer than nothing is expected"
    for key in ("time", "statement_timeout"):
        if getattr(spec.limits, key) <= timedelta(0):
            yield ("limits", key), "longer than nothing is expected"
    for index, check in enumerate(spec.verifications):
        yield from _broken_check(check, ("verifications", index))


def _broken_check(check: Check, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    kinds = [name for name in Check.model_fields if getattr(check, name) is not None]
    if len(kinds) != 1:
        yield path, f"exactly one of {', '.join(Check.model_fields)} is expected"
        return
    if check.query is not None:
        query = check.query
        if sum(one is not None for one in (query.expected, query.at_least, query.at_most)) == 0:
            yield (*path, "query"), "an expectation is missing: expected, at_least or at_most"
        if query.expected is not None and (query.at_least is not None or query.at_most is not None):
            yield (*path, "query", "expected"), "expected stands alone, without at_least and at_most"
    if check.schema_version is not None:
        version = check.schema_version
        if (version.expected is None) == (version.expected_file is None):
            yield (*path, "schema_version"), "one of expected and expected_file is expected"
    if check.fresh is not None and check.fresh.within <= timedelta(0):
        yield (*path, "fresh", "within"), "longer than nothing is expected"
