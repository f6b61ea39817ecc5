"""The tables: a `finding` per check, never a row per probe; transitions in `event`; one row per service and day.

Small rows with a key of several columns are kept in its order by SQLite (`sqlite_with_rowid=False`): one tree instead
of two.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

metadata = MetaData(naming_convention=NAMING)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


MICROSECOND = timedelta(microseconds=1)


def to_number(at: datetime) -> int:
    """An instant as microseconds since the epoch: integers compare and index alike in both databases.

    Nothing is rounded away: a finding of which the times are those of its evidence is stored without them, so what is
    read back must be what was written.
    """
    return (at - _EPOCH) // MICROSECOND


def from_number(value: int) -> datetime:
    """The instant that `to_number` wrote."""
    return _EPOCH + timedelta(microseconds=value)


class Instant(TypeDecorator[datetime]):
    """A UTC instant, stored as integer microseconds."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> int | None:  # noqa: ANN401, ARG002 - SQLAlchemy's signature
        """To the database."""
        return None if value is None else to_number(value)

    def process_result_value(self, value: int | None, dialect: Any) -> datetime | None:  # noqa: ANN401, ARG002 - SQLAlchemy's signature
        """From the database."""
        return None if value is None else from_number(value)


_KEY = BigInteger().with_variant(Integer, "sqlite")

service = Table(
    "service",
    metadata,
    Column("id", _KEY, primary_key=True),
    Column("name", String(63), nullable=False),
    Column("environment", String(63), nullable=False),
    Column("team", String(200), nullable=False, index=True),
    Column("tier", String(63), nullable=False),
    Column("type", String(16), nullable=False),
    Column("lifecycle", String(16), nullable=False),
    Column("document", Text, nullable=False),
    Column("source", String(16), nullable=False),  # catalogue or api
    Column("active", Boolean, nullable=False),
    Column("demo", Boolean, nullable=False),
    Column("first_seen", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    UniqueConstraint("name", "environment"),
)

former_name = Table(
    "former_name",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("environment", String(63), primary_key=True),
    Column("service_id", ForeignKey("service.id", ondelete="CASCADE"), nullable=False),
)

team = Table(
    "team",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("document", Text, nullable=False),
)

cycle = Table(
    "cycle",
    metadata,
    Column("id", _KEY, primary_key=True),
    Column("cadence", String(16), nullable=False),
    Column("tick", BigInteger, nullable=False),
    Column("planned_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("state", String(16), nullable=False),  # running, done, skipped
    Column("shards", Integer, nullable=False),
    Column("requested_by", String(200), nullable=False),
    Column("detail", Text, nullable=False),
    # One plan for each tick, whoever ticks.
    UniqueConstraint("cadence", "tick"),
    Index("ix_cycle_state_cadence", "state", "cadence"),
)

shard_run = Table(
    "shard_run",
    metadata,
    # One effect for each shard of a cycle, however often the item runs: written in the transaction of the results.
    Column("cycle_id", ForeignKey("cycle.id", ondelete="CASCADE"), primary_key=True),
    Column("shard", String(80), primary_key=True),
    Column("started_at", Instant, nullable=False),
    Column("finished_at", Instant, nullable=False),
    Column("services", Integer, nullable=False),
    Column("answered", Integer, nullable=False),
    Column("unknown", Integer, nullable=False),
    sqlite_with_rowid=False,
)

observation = Table(
    "observation",
    metadata,
    Column("service_id", ForeignKey("service.id", ondelete="CASCADE"), primary_key=True),
    Column("kind", String(63), primary_key=True),
    Column("at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("cycle_id", BigInteger, nullable=False),
    Column("digest", String(71), nullable=False),  # of `evidence`; empty where `value` stands here
    Column("value", Text, nullable=False),
    Column("window", LargeBinary),
)

evidence = Table(
    "evidence",
    metadata,
    Column("digest", String(71), primary_key=True),
    Column("kind", String(63), nullable=False),
    Column("value", Text, nullable=False),
    Column("stored_at", Instant, nullable=False),
    Column("referred", Boolean, nullable=False),  # by a transition; the others go once nothing rests on them
)

finding = Table(
    "finding",
    metadata,
    Column("service_id", ForeignKey("service.id", ondelete="CASCADE"), primary_key=True),
    Column("checklist", String(63), primary_key=True),
    Column("row", String(63), primary_key=True),
    Column("check_id", String(63), primary_key=True),  # empty for a row that does not apply
    Column("status", String(16), nullable=False),
    Column("cause", String(20), nullable=False),
    Column("body", Text, nullable=False),
    Column("since", Instant, nullable=False),
    Column("cycle_id", BigInteger, nullable=False),
    Index("ix_finding_checklist_status_cause", "checklist", "status", "cause"),
)

event = Table(
    "event",
    metadata,
    Column("id", _KEY, primary_key=True),
    Column("service_id", ForeignKey("service.id", ondelete="CASCADE"), nullable=False),
    Column("checklist", String(63), nullable=False),
    Column("row", String(63), nullable=False),  # both empty for a change of the score
    Column("check_id", String(63), nullable=False),
    Column("at", Instant, nullable=False),
    Column("cycle_id", BigInteger, nullable=False),
    Column("before", String(20), nullable=False),
    Column("after", String(20), nullable=False),
    Column("cause", String(16), nullable=False),
    Column("message", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("demo", Boolean, nullable=False),
    Index("ix_event_service_id_checklist_at", "service_id", "checklist", "at"),
    Index("ix_event_checklist_at", "checklist", "at"),
)

summary = Table(
    "summary",
    metadata,
    Column("service_id", ForeignKey("service.id", ondelete="CASCADE"), primary_key=True),
    Column("checklist", String(63), primary_key=True),
    Column("score", Float),
    Column("score_upper", Float),
    Column("coverage", Float),
    Column("verified_only", Float),
    Column("level", String(16), nullable=False),
    Column("level_rank", Integer, nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("exempt_rows", Integer, nullable=False),
    Column("rows", String(200), nullable=False),  # a letter per row of the checklist, in its order
    Column("last_proven", Text, nullable=False),  # row -> microseconds, for rows that are unknown now
    Column("basis", String(80), nullable=False),  # digests of checklist, definition, exclusions and launch bar
    Column("as_of", Instant, nullable=False),
    Column("next_at", Instant, index=True),  # when time alone may change it; null for never
    Column("aged", Boolean, nullable=False),  # too old for the gate: looking again changes it though no finding moves
    Column("changed_at", Instant, nullable=False, index=True),
    Index("ix_summary_checklist_score", "checklist", "score"),
)

day = Table(
    "day",
    metadata,
    Column("service_id", ForeignKey("service.id", ondelete="CASCADE"), primary_key=True),
    Column("checklist", String(63), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("score", Float),
    Column("score_upper", Float),
    Column("coverage", Float),
    Column("level", String(16), nullable=False),
    Column("demo", Boolean, nullable=False),
    Index("ix_day_checklist_day", "checklist", "day"),
    sqlite_with_rowid=False,
)

hour = Table(
    "hour",
    metadata,
    Column("cadence", String(16), primary_key=True),
    Column("shard", String(80), primary_key=True),
    Column("hour", Instant, primary_key=True),
    Column("runs", Integer, nullable=False),
    Column("services", Integer, nullable=False),
    Column("answered", Integer, nullable=False),
    Column("unknown", Integer, nullable=False),
    Column("milliseconds", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

waiver = Table(
    "waiver",
    metadata,
    Column("id", _KEY, primary_key=True),
    Column("service_id", ForeignKey("service.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("row", String(63), nullable=False),
    Column("check_id", String(63), nullable=False),
    Column("fingerprint", String(71), nullable=False),
    Column("reason", Text, nullable=False),
    Column("requested_by", String(200), nullable=False),
    Column("approved_by", String(200), nullable=False),
    Column("approved_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("revoked", Boolean, nullable=False),
)

token = Table(
    "token",
    metadata,
    Column("id", String(16), primary_key=True),  # the part of the token that is no secret
    Column("name", String(63), nullable=False),
    Column("service", String(63), nullable=False),  # by its name, in every environment
    Column("kinds", String(200), nullable=False),  # what it may push, comma separated
    Column("digest", String(71), nullable=False),  # of the secret, which is kept nowhere
    Column("created_at", Instant, nullable=False),
    Column("created_by", String(200), nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    Column("last_used_at", Instant),
    Index("ix_token_service", "service"),
)

pushed = Table(
    "pushed",
    metadata,
    Column("id", _KEY, primary_key=True),
    Column("service_id", ForeignKey("service.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("pushed_by", String(200), nullable=False),
    Column("provenance", String(16), nullable=False),
    Column("digest", String(71), nullable=False),
    Column("document", Text, nullable=False),
    Index("ix_pushed_service_id_kind", "service_id", "kind", "received_at"),
)
