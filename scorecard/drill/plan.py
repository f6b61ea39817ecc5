"""What a drill would do, said without doing it."""

from __future__ import annotations

from collections.abc import Iterator

from scorecard.drill.spec import Check, DrillSpec, Production, Source
from scorecard.model import format_duration


def plan(spec: DrillSpec) -> Iterator[str]:
    """The steps in order, one line each."""
    scratch = spec.scratch
    where = f"{scratch.host}:{scratch.port}"
    yield f"drill of {spec.resource} for {spec.service}"
    refused = ", ".join(map(_production, spec.production))
    yield f"refuse to go on if {where} is one of production's: {refused}"
    yield f"fetch {_source(spec.source)}"
    if spec.recovery_point is not None:
        yield f"fail if the backup is older than {format_duration(spec.recovery_point)}"
    if spec.source.rds is not None:
        yield f"restore it into an instance drill-{spec.service}-… of {spec.source.rds.instance_class}, not public"
    else:
        name = f"drill_{spec.service.replace('-', '_')[:20]}_…"
        yield f"make a database {name} on {where}, as a role of its own, and restore into it up to the first error"
    limit = f"; fail if that takes longer than {format_duration(spec.recovery_time)}" if spec.recovery_time else ""
    yield f"end it after {format_duration(spec.limits.time)}{limit}"
    yield from (f"verify {_check(one)}" for one in spec.verifications)
    if not spec.verifications:
        yield "fail: there is no verification"
    if spec.foreign_keys:
        yield "verify every foreign key, those that are NOT VALID too"
    if spec.amcheck != "off":
        yield f"look for corruption with pg_amcheck ({spec.amcheck})"
    yield "drop what was made, and write the report"


def _production(one: Production) -> str:
    return f"{one.host}:{one.port}" if one.host else one.database or one.system_identifier or ""


def _source(source: Source) -> str:
    if source.rds is not None:
        return source.rds.snapshot or f"the newest snapshot of {source.rds.instance}"
    place = source.s3 or str(source.path)
    return f"{place}, or the newest {source.pattern} in it"


def _check(check: Check) -> str:
    if check.rows is not None:
        return f"that {check.rows.table} has {check.rows.at_least} rows or more"
    if check.fresh is not None:
        fresh = check.fresh
        return f"that the newest {fresh.column} of {fresh.table} is within {format_duration(fresh.within)}"
    if check.orphans is not None:
        return f"that every {check.orphans.column} of {check.orphans.table} is in {check.orphans.references}"
    if check.schema_version is not None:
        return f"that {check.schema_version.table} has the expected version"
    return check.query.name if check.query is not None else ""
