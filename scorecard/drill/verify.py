"""Questions to the restored data: what is asked, what the answer should be, and whether the question proves anything.

Whether it does is measured and not guessed from its text: the server counts which tables the query read, and the same
question is asked again while every table is empty, in a transaction that is rolled back. A question that an empty
database answers rightly says nothing about a backup.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

from scorecard.drill.outcome import NotCarriedOut
from scorecard.drill.report import Verification
from scorecard.drill.scratch import quoted
from scorecard.drill.server import NULL, Server, SqlError, lost, milliseconds, raise_for, rows_of
from scorecard.drill.spec import Check, DrillSpec, Query, Scalar, SchemaVersion
from scorecard.model import format_duration
from scorecard.redact import redact_text

_MARK = "-- scorecard: end of answer --"
_LONGEST = 300
_MOST_SHOWN = 5
_SKEW = timedelta(minutes=5)

_READ = (
    "SELECT DISTINCT s.relkind, n.nspname || '.' || s.relname FROM pg_catalog.pg_stat_xact_user_tables t "
    "JOIN pg_catalog.pg_class s ON s.oid = t.relid JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace "
    "WHERE coalesce(t.seq_scan, 0) + coalesce(t.idx_scan, 0) > 0 ORDER BY 2"
)
_EMPTY = """DO $scorecard$
DECLARE one record;
BEGIN
  FOR one IN SELECT c.oid::pg_catalog.regclass::text AS name FROM pg_catalog.pg_class c
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname !~ '^pg_'
             AND n.nspname <> 'information_schema' AND pg_catalog.pg_has_role(c.relowner, 'USAGE') LOOP
    EXECUTE 'ALTER TABLE ' || one.name || ' DISABLE TRIGGER USER';
    EXECUTE 'TRUNCATE ' || one.name || ' CASCADE';
  END LOOP;
  PERFORM pg_catalog.set_config('scorecard.emptied', 'yes', true);
END $scorecard$"""
_EMPTIED = "SELECT pg_catalog.current_setting('scorecard.emptied', true)"
_TABLES = (
    "SELECT n.nspname || '.' || c.relname, pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c "
    "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition "
    "AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1"
)
_FOREIGN_KEYS = (
    "SELECT k.conname, pg_catalog.format('%I.%I', a.nspname, f.relname), "
    "pg_catalog.format('%I.%I', b.nspname, t.relname), "
    "(SELECT pg_catalog.string_agg(pg_catalog.format('r.%I = c.%I', y.attname, x.attname), ' AND ' ORDER BY i.ord) "
    "FROM ROWS FROM (pg_catalog.unnest(k.conkey), pg_catalog.unnest(k.confkey)) WITH ORDINALITY i(child, parent, ord) "
    "JOIN pg_catalog.pg_attribute x ON x.attrelid = k.conrelid AND x.attnum = i.child "
    "JOIN pg_catalog.pg_attribute y ON y.attrelid = k.confrelid AND y.attnum = i.parent), "
    "(SELECT pg_catalog.string_agg(pg_catalog.format('c.%I IS NOT NULL', x.attname), ' AND ') "
    "FROM pg_catalog.pg_attribute x WHERE x.attrelid = k.conrelid AND x.attnum = ANY (k.conkey)) "
    "FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class f ON f.oid = k.conrelid "
    "JOIN pg_catalog.pg_namespace a ON a.oid = f.relnamespace JOIN pg_catalog.pg_class t ON t.oid = k.confrelid "
    "JOIN pg_catalog.pg_namespace b ON b.oid = t.relnamespace WHERE k.contype = 'f' AND k.conparentid = 0 ORDER BY 2, 1"
)


@dataclass(frozen=True, slots=True)
class Question:
    """One verification before it is asked."""

    name: str
    sql: str
    expected: str
    code: str
    """The reason of a drill that fails at it."""
    holds: Callable[[str], bool]
    """Whether an answer is what it should be; the answer is one value as psql prints it."""
    shown: Callable[[str], str] = lambda answer: answer
    """The answer for a person."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A verification, and the reason that it gives where it does not hold."""

    verification: Verification
    code: str


def questions(spec: DrillSpec, now: datetime) -> tuple[Question, ...]:
    """What the spec wants to know.

    Raises:
        NotCarriedOut: the file of an expected schema version cannot be read.
    """
    return tuple(_question(check, now) for check in spec.verifications)


def ask(server: Server, asked: tuple[Question, ...], spec: DrillSpec, *, scratch: bool = True) -> tuple[Asked, ...]:
    """Ask them all, each in a session of its own that writes nothing and ends after `limits.statement_timeout`.

    Where the database is not surely a scratch one, its tables are not emptied to see what a question proves: which
    tables it reads must do.

    Raises:
        NotCarriedOut: the server was lost, or a question got no answer in time.
    """
    session = server.at(server.database, server.user, (*server.options, *session_options(spec)))
    empty = _when_empty(session, asked) if scratch else {}
    found = []
    for question in asked:
        answer, relations, wrong = _answer(session, question.sql)
        ok = not wrong and question.holds(answer)
        vacuous = empty.get(question.name)
        if not ok:
            vacuous = False  # it did not hold, which is more than an empty database would have shown
        if any(kind in {"m", "f"} for kind, _ in relations):
            vacuous = False  # what a materialised view holds is not emptied with the tables
        found.append(
            Asked(
                Verification(
                    name=question.name,
                    query=question.sql,
                    expected=question.expected,
                    actual=_short(wrong or question.shown(answer)),
                    ok=ok,
                    relations=tuple(name for _, name in relations),
                    vacuous=vacuous,
                ),
                question.code,
            )
        )
    return tuple(found)


def session_options(spec: DrillSpec) -> tuple[str, ...]:
    """Settings of a session that asks."""
    timeout = milliseconds(spec.limits.statement_timeout)
    # Parallel workers count what they read for themselves; row security would hide rows silently.
    return (f"statement_timeout={timeout}", "max_parallel_workers_per_gather=0", "row_security=off", "TimeZone=UTC")


def tables_of(server: Server) -> tuple[str, ...]:
    """The names of all tables, with their schemas."""
    return tuple(name for name, _ in server.query(_TABLES))


def holds_rows(server: Server) -> tuple[int, int]:
    """How many tables there are, and how many of them hold a row."""
    tables = server.query(_TABLES)
    filled = 0
    for chunk in (tables[at : at + 200] for at in range(0, len(tables), 200)):
        counted = " + ".join(f"(EXISTS (SELECT 1 FROM {name}))::int" for _, name in chunk)  # noqa: S608 - quoted by the server's format()
        filled += int(server.query(f"SELECT {counted}")[0][0])
    return len(tables), filled


def foreign_keys(server: Server, spec: DrillSpec) -> Asked | None:
    """Every foreign key of the catalogue looked at again: one that is NOT VALID was never checked.

    None where the database has none.
    """
    keys = [row for row in server.query(_FOREIGN_KEYS) if row[0] not in spec.ignore_foreign_keys]
    if not keys:
        return None
    session = server.at(server.database, server.user, (*server.options, *session_options(spec)))
    lines, orphaned = [], []
    for name, child, parent, match, filled in keys:
        sql = f"SELECT count(*) FROM {child} c WHERE {filled} AND NOT EXISTS (SELECT 1 FROM {parent} r WHERE {match})"  # noqa: S608 - names quoted by the server's format()
        lines.append(sql)
        answer, _, wrong = _answer(session, sql)
        if wrong or answer != "0":
            orphaned.append(f"{name}: {wrong or f'{answer} rows of {child} refer to no row of {parent}'}")
    return Asked(
        Verification(
            name="foreign keys",
            query=";\n".join(lines[:_MOST_SHOWN])
            + (f";\n-- and {len(lines) - _MOST_SHOWN} more" if lines[_MOST_SHOWN:] else ""),
            expected=f"no orphan behind {len(keys)} foreign keys",
            actual=_short(_some(orphaned, "; ") or "none"),
            ok=not orphaned,
            relations=tuple(sorted({row[1].replace('"', "") for row in keys})),
            vacuous=not orphaned,
        ),
        "orphans",
    )


def corruption(server: Server, spec: DrillSpec) -> Asked:
    """Look at every table and index with pg_amcheck, each index against the rows of its table.

    Raises:
        NotCarriedOut: the server was lost.
    """
    command = ["pg_amcheck", "-w", "--heapallindexed", "--parent-check", "--jobs", str(spec.limits.jobs)]
    said = server.programs.run([*command, "-d", server.database], server.environment)
    if lost(said.err):
        raise NotCarriedOut("server-lost", f"the scratch server {server.where} does not answer: {said.first}")
    told = " ".join((said.out.decode("utf-8", "replace") + said.err).split()) if said.code else "nothing found"
    return Asked(
        Verification(
            name="corruption",
            query=" ".join(command),
            expected="nothing found",
            actual=_short(redact_text(told)),
            ok=said.code == 0,
            vacuous=said.code == 0,
        ),
        "corrupt",
    )


def _question(check: Check, now: datetime) -> Question:
    if check.rows is not None:
        table, least = check.rows.table, check.rows.at_least
        return Question(
            f"rows of {table}", f"SELECT count(*) FROM {_table(table)}", f"{least} or more", "too-few-rows",  # noqa: S608 - quoted
            lambda answer: int(answer) >= least,
        )  # fmt: skip
    if check.fresh is not None:
        return _freshness(check.fresh.table, check.fresh.column, check.fresh.within, now)
    if check.orphans is not None:
        lost_rows = check.orphans
        column, other = quoted(lost_rows.column), quoted(lost_rows.references_column)
        sql = (
            f"SELECT count(*) FROM {_table(lost_rows.table)} c WHERE c.{column} IS NOT NULL AND NOT EXISTS "  # noqa: S608 - quoted
            f"(SELECT 1 FROM {_table(lost_rows.references)} r WHERE r.{other} = c.{column})"
        )
        return Question(
            f"orphans of {lost_rows.table}.{lost_rows.column}", sql, "0", "orphans", lambda answer: answer == "0"
        )
    if check.schema_version is not None:
        return _version(check.schema_version)
    assert check.query is not None  # noqa: S101 - the spec has exactly one
    query = check.query
    return Question(query.name, query.sql, _expectation(query), "query", lambda answer: _meets(answer, query))


def _freshness(table: str, column: str, within: timedelta, now: datetime) -> Question:
    def holds(answer: str) -> bool:
        newest = _instant(answer)
        return newest is not None and -_SKEW <= now - newest <= within

    def shown(answer: str) -> str:
        newest = _instant(answer)
        if newest is None:
            return "no row" if answer == NULL else f"{answer} seconds after 1970, which is no time"
        return f"{newest:%Y-%m-%dT%H:%M:%SZ}"

    sql = f"SELECT extract(epoch FROM max({quoted(column)})::timestamptz) FROM {_table(table)}"  # noqa: S608 - quoted
    oldest = f"{now - within:%Y-%m-%dT%H:%M:%SZ} or later ({format_duration(within)})"
    return Question(f"newest {column} of {table}", sql, oldest, "stale", holds, shown)


def _instant(answer: str) -> datetime | None:
    """The time of so many seconds; None for none, for infinity, and for a year that no calendar has."""
    try:
        return datetime.fromtimestamp(float(answer), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _version(version: SchemaVersion) -> Question:
    expected = str(version.expected)
    if version.expected_file is not None:
        try:
            lines = version.expected_file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise NotCarriedOut("no-expected-version", f"{version.expected_file}: {error}") from None
        expected = lines[0].strip() if lines else ""
    sql = f"SELECT max({quoted(version.column)})::text FROM {_table(version.table)}"  # noqa: S608 - quoted
    return Question("schema version", sql, expected, "schema-version", lambda answer: answer == expected)


def _expectation(query: Query) -> str:
    if query.expected is not None:
        return _text(query.expected)
    bounds = [
        f"{word} {bound}"
        for word, bound in (("at least", query.at_least), ("at most", query.at_most))
        if bound is not None
    ]
    return ", ".join(bounds)


def _meets(answer: str, query: Query) -> bool:
    if query.expected is not None:
        number, expected = _number(answer), _number(_text(query.expected))
        if isinstance(query.expected, bool):
            return answer == ("t" if query.expected else "f")
        return answer == query.expected or (number is not None and number == expected)
    number = _number(answer)
    if number is None:
        return False
    least, most = query.at_least, query.at_most
    return (least is None or number >= Decimal(str(least))) and (most is None or number <= Decimal(str(most)))


def _text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _answer(session: Server, sql: str) -> tuple[str, tuple[tuple[str, str], ...], str]:
    """The one value that a query answers with, the tables that it read (kind and name), and what went wrong."""
    said = session.run("-c", "BEGIN READ ONLY", "-c", sql, "-c", f"\\echo {_MARK}", "-c", _READ, "-c", "ROLLBACK")
    try:
        raise_for(said, session.where)
    except SqlError as error:
        if "statement timeout" in str(error):
            raise NotCarriedOut("statement-timeout", f"no answer in time to {_short(sql)}") from None
        return "", (), str(error)
    answer, _, rest = said.out.partition(f"{_MARK}\n".encode())
    rows = rows_of(answer)
    relations = tuple((row[0], row[1]) for row in rows_of(rest) if len(row) == 2)  # noqa: PLR2004 - kind and name
    if len(rows) != 1 or len(rows[0]) != 1:
        return "", relations, f"one value is expected, {len(rows)} rows of {len(rows[0]) if rows else 0} columns came"
    return rows[0][0], relations, ""


def _when_empty(session: Server, asked: tuple[Question, ...]) -> dict[str, bool]:
    """Whether each would hold if no table held a row; nothing where the tables cannot be emptied."""
    arguments = ["-v", "ON_ERROR_ROLLBACK=on", "-c", "BEGIN", "-c", _EMPTY, "-c", _EMPTIED, "-c", f"\\echo {_MARK}"]
    for question in asked:
        arguments += ["-c", question.sql, "-c", f"\\echo {_MARK}"]
    said = session.run(*arguments, "-c", "ROLLBACK", stop_at_error=False)
    if lost(said.err):
        raise NotCarriedOut("server-lost", f"the scratch server {session.where} does not answer: {said.first}")
    emptied, *answers = said.out.decode("utf-8", "replace").split(f"{_MARK}\n")
    if emptied.strip() != "yes":
        return {}
    found = {}
    for question, answer in zip(asked, answers, strict=False):
        rows = rows_of(answer.encode())
        found[question.name] = len(rows) == 1 and len(rows[0]) == 1 and question.holds(rows[0][0])
    return found


def _table(name: str) -> str:
    return ".".join(quoted(part) for part in name.split("."))


def _some(lines: list[str], between: str) -> str:
    """The first few, and how many more there are."""
    more = len(lines) - _MOST_SHOWN
    return between.join(lines[:_MOST_SHOWN] + ([f"-- {more} more"] if more > 0 else []))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


__all__ = ["Asked", "Question", "ask", "corruption", "foreign_keys", "holds_rows", "questions", "tables_of"]
