"""A database of a shop, its dumps made once, and drills of them on a real PostgreSQL."""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from scorecard.drill.report import DrillReport
from scorecard.drill.restore import Setting, restore
from scorecard.drill.spec import DrillSpec, spec_of
from scorecard.strict_yaml import load
from tests.postgres import Cluster
from tests.postgres import cluster as cluster_of_its_own

SHOP = """
CREATE TABLE customers (id bigint PRIMARY KEY, email text NOT NULL UNIQUE, country text);
CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint NOT NULL, total numeric(12, 2) NOT NULL,
                     note text, created_at timestamptz NOT NULL);
CREATE TABLE order_lines (order_id bigint NOT NULL, line int NOT NULL, sku text, PRIMARY KEY (order_id, line));
CREATE TABLE audit (id bigint GENERATED ALWAYS AS IDENTITY, order_id bigint, at timestamptz DEFAULT now());
CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);
CREATE FUNCTION total_of(bigint) RETURNS numeric LANGUAGE sql STABLE AS $body$
  SELECT sum(total) FROM public.orders WHERE customer_id = $1; -- a semicolon; and 'quotes' and \\back
$body$;
CREATE FUNCTION orders_of(bigint) RETURNS bigint LANGUAGE sql STABLE
  BEGIN ATOMIC SELECT CASE WHEN count(*) > 0 THEN count(*) ELSE 0 END FROM orders WHERE customer_id = $1; END;
CREATE VIEW big_orders AS SELECT * FROM orders WHERE total > 500;
INSERT INTO customers SELECT n, 'c' || n || '@example.com', (ARRAY['AU', 'DE', E'O\\'Br'])[1 + n % 3]
  FROM generate_series(1, 2000) n;
INSERT INTO orders SELECT n, 1 + n % 2000, (n % 1000) + 0.5,
  CASE n % 5 WHEN 0 THEN E'tab\\there \\\\ and\\nnewline' WHEN 1 THEN NULL ELSE '\\! not a command; ''quoted'' $$' END,
  now() - (n % 1000) * interval '1 minute' FROM generate_series(1, 20000) n;
INSERT INTO order_lines SELECT 1 + n / 2, n % 2, 'sku-' || n FROM generate_series(0, 29999) n;
INSERT INTO audit (order_id) SELECT n FROM generate_series(1, 5000) n;
INSERT INTO alembic_version VALUES ('0042');
ALTER TABLE orders ADD CONSTRAINT orders_customer FOREIGN KEY (customer_id) REFERENCES customers;
ALTER TABLE order_lines ADD CONSTRAINT lines_order FOREIGN KEY (order_id) REFERENCES orders;
ALTER TABLE audit ADD CONSTRAINT audit_order FOREIGN KEY (order_id) REFERENCES orders;
CREATE INDEX orders_created ON orders (created_at);
GRANT SELECT ON orders TO PUBLIC;
COMMENT ON TABLE orders IS 'what was bought; it''s all here';
"""

VERIFICATIONS: list[dict[str, Any]] = [
    {"rows": {"table": "orders", "at_least": 20_000}},
    {"rows": {"table": "public.customers", "at_least": 2_000}},
    {"fresh": {"table": "orders", "column": "created_at", "within": "26h"}},
    {"orphans": {"table": "order_lines", "column": "order_id", "references": "orders"}},
    {"query": {"name": "every order costs something", "sql": "SELECT min(total) FROM orders", "at_least": 0.5}},
    {"schema_version": {"table": "alembic_version", "column": "version_num", "expected": "0042"}},
]


def setting(folder: Path, patience: float = 30) -> Setting:
    """What a drill is given: temporary files go to `folder`."""
    return Setting(
        clock=lambda: datetime.now(UTC),  # noqa: TID251 - dumps are as old as their files
        stop=threading.Event(),
        version="1",
        patience=patience,
        poll=0.01,
        folder=folder,
    )


class Shop:
    """The dumps of a database, and drills of them."""

    def __init__(self, cluster: Cluster, folder: Path, pg_dump: str) -> None:
        self.cluster = cluster
        self.folder = folder
        self._pg_dump = pg_dump
        self._copies = 0

    def dump(self, database: str, name: str, *options: str) -> Path:
        """Dump a database; an option such as `-Fc`."""
        target = self.folder / name
        command = [self._pg_dump, *options, "-f", str(target), self.cluster.url(database)]
        subprocess.run(command, check=True, timeout=60, capture_output=True)
        return target

    def value(self, source: Path | str | dict[str, Any], **changes: object) -> dict[str, Any]:
        """The spec of a drill, as YAML has it."""
        spec: dict[str, Any] = {
            "service": "shop",
            "resource": "backups/shop",
            "source": source if isinstance(source, dict) else {"path": str(source)},
            "scratch": {"host": str(self.cluster.folder)},
            "production": [{"database": "shop_production"}],
            "verifications": VERIFICATIONS,
        }
        spec.update(changes)
        return {key: value for key, value in spec.items() if value is not None}

    def spec(self, source: Path | str | dict[str, Any], **changes: object) -> DrillSpec:
        return spec_of(load(json.dumps(self.value(source, **changes)), name="drill.yaml"), self.folder)

    def file(self, folder: Path, source: Path | str | dict[str, Any], **changes: object) -> Path:
        """The spec in a file."""
        path = folder / "drill.yaml"
        path.write_text(yaml.safe_dump(self.value(source, **changes)))
        return path

    @contextmanager
    def copy(self, *statements: str) -> Iterator[str]:
        """A copy of the shop's database with something changed; its name."""
        self._copies += 1
        name = f"shop_{self._copies}"
        self.cluster.execute(f"CREATE DATABASE {name} TEMPLATE shop")
        try:
            for statement in statements:
                self.cluster.execute(statement, name)
            yield name
        finally:
            self.cluster.execute(f"DROP DATABASE {name}")

    def drill(self, source: Path | str | dict[str, Any], *, patience: float = 30, **changes: object) -> DrillReport:
        """Carry a drill out, and see that nothing is left behind."""
        temporary = Path(tempfile.mkdtemp(dir=self.folder))
        report = restore(self.spec(source, **changes), setting(temporary, patience=patience))
        assert list(temporary.iterdir()) == []
        return report

    def locks(self) -> int:
        """The locks that drills which live hold."""
        with psycopg.connect(self.cluster.url("postgres")) as connection:
            row = connection.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone()
        assert row is not None
        return int(row[0])

    def left_behind(self) -> list[str]:
        """Databases, roles and connections of drills; a server takes a moment to see that a client has gone."""
        found = self._now_there()
        for _ in range(200):
            if set(found) != {"scorecard drill"}:
                break
            time.sleep(0.05)
            found = self._now_there()
        return found

    def _now_there(self) -> list[str]:
        with psycopg.connect(self.cluster.url("postgres")) as connection:
            rows = connection.execute(
                "SELECT datname FROM pg_database WHERE datname ~ '^drill_' UNION ALL "
                "SELECT rolname FROM pg_roles WHERE rolname ~ '^drill_' UNION ALL "
                "SELECT application_name FROM pg_stat_activity WHERE application_name = 'scorecard drill'"
            ).fetchall()
        return [row[0] for row in rows]


@pytest.fixture(scope="session")
def shop(cluster: Cluster, program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The shop's database `shop`, and its dumps: shop.dump, shop.tar, shop.sql, shop.d."""
    made = Shop(cluster, tmp_path_factory.mktemp("shop"), program("pg_dump"))
    cluster.execute("CREATE DATABASE shop")
    with psycopg.connect(cluster.url("shop"), autocommit=True) as connection:
        connection.execute(SHOP.encode())
    made.dump("shop", "shop.dump", "-Fc")
    made.dump("shop", "shop.tar", "-Ft")
    made.dump("shop", "shop.sql", "-Fp")
    made.dump("shop", "shop.d", "-Fd")
    return made


@pytest.fixture(scope="session")
def other(shop: Shop, program: Callable[[str], str]) -> Iterator[Shop]:
    """Another server, that may be killed; with the dumps of the shop."""
    with cluster_of_its_own(Path(program("initdb"))) as running:
        yield Shop(running, shop.folder, program("pg_dump"))


@pytest.fixture(autouse=True)
def nothing_is_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "shop" in request.fixturenames:
        assert request.getfixturevalue("shop").left_behind() == []
