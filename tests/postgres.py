"""A real PostgreSQL for tests: a cluster of our own on a temporary directory and a Unix socket."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from urllib.parse import quote

import psycopg

_OWNER = "postgres"
_PORT = 5432
_SETTINGS = {
    "listen_addresses": "",
    # Tests end the server, never the machine: what it wrote is in the kernel's memory.
    "fsync": "off",
    "max_connections": "200",
    "max_wal_size": "256MB",
    "lc_messages": "C",
}


class Cluster:
    """One server. initdb and postgres refuse root, so as root they run as the user of the package."""

    def __init__(self, folder: Path, find: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self._bin = find.parent
        self._numbers = count(1)

    def create(self) -> None:
        """Make the cluster."""
        options = ["-A", "trust", "-U", _OWNER, "-E", "UTF8", "--no-locale", "--no-sync"]
        self._run("initdb", "-D", str(self.data), *options)
        lines = [f"{name} = '{value}'" for name, value in _SETTINGS.items()]
        with (self.data / "postgresql.conf").open("a") as file:
            file.write("\n".join([*lines, f"unix_socket_directories = '{self.folder}'", ""]))

    def start(self) -> None:
        """Start, and wait until it takes connections."""
        self._run("pg_ctl", "-D", str(self.data), "-w", "-l", str(self.folder / "log"), "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop: `fast` ends connections, `immediate` ends the processes as a crash would."""
        self._run("pg_ctl", "-D", str(self.data), "-w", "-m", mode, "stop")

    def url(self, database: str) -> str:
        """The address of a database, as the configuration has it."""
        return f"postgresql://{_OWNER}@/{database}?host={quote(str(self.folder), safe='')}&port={_PORT}"

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Run a statement outside a transaction."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement.encode())

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """A database of its own; its address."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield self.url(name)
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._bin / program), *arguments]
        if os.geteuid() == 0:
            command = [_tool("runuser"), "-u", _OWNER, "--", *command]
        # The server outlives pg_ctl and would keep a pipe open: a file takes what they say.
        with tempfile.TemporaryFile() as said:
            done = subprocess.run(command, stdout=said, stderr=said, check=False, cwd=self.folder, timeout=120)
            said.seek(0)
            assert done.returncode == 0, said.read().decode()


@contextmanager
def cluster(find: Path) -> Iterator[Cluster]:
    """A running cluster, removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="scorecard-pg-"))
    try:
        if os.geteuid() == 0:
            owner = pwd.getpwnam(_OWNER)
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        made = Cluster(folder, find)
        made.create()
        made.start()
        try:
            yield made
        finally:
            made.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _tool(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    assert found, f"{name} is not installed"
    return found
