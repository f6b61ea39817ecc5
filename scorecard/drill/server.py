"""The scratch server: who it is, and questions to it by psql."""

from __future__ import annotations

import csv
import io
import ipaddress
import os
import re
import secrets
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from scorecard.drill.outcome import DrillError, NotCarriedOut, Refused
from scorecard.drill.programs import Feed, Programs, Said
from scorecard.drill.spec import Production, Scratch

_CONNECT_SECONDS = 10
_ANSWER_SECONDS = 60.0
_LOOPBACK, _SOCKET = "loopback", "socket"
NULL = "\\N"
"""How psql prints SQL's null for us."""
_LOST = re.compile(
    r"server closed the connection|terminating connection|connection to server .*failed|could not connect|"
    r"database system is (?:in recovery|shutting down|starting up)|connection .*lost|no connection to the server|"
    r"could not receive data from server|could not send data to server|SSL SYSCALL error",
    re.IGNORECASE,
)


class SqlError(Exception):
    """The server refused a statement; the message is its own."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a server says that it is."""

    version: int
    superuser: bool
    system_identifier: str
    addresses: frozenset[str]
    port: int
    databases: frozenset[str]
    data_directory: str
    """Empty where the user may not know it."""

    @property
    def local(self) -> bool:
        """Whether it runs on this machine, as far as its address tells."""
        return bool(self.addresses & {_LOOPBACK, _SOCKET})


@dataclass(slots=True)
class Server:
    """Connections to one server as one user."""

    programs: Programs
    scratch: Scratch
    user: str
    database: str
    options: tuple[str, ...] = ()
    """Settings of each session, such as `statement_timeout=5000`."""
    answer_seconds: float | None = _ANSWER_SECONDS
    _passfile: Path = field(init=False)

    def __post_init__(self) -> None:
        self._passfile = self.programs.folder / "pgpass"

    def at(self, database: str, user: str | None = None, options: tuple[str, ...] = ()) -> Server:
        """The same server, another database or user."""
        return replace_server(self, database, user or self.user, options)

    @property
    def where(self) -> str:
        """For messages."""
        return f"{self.scratch.host}:{self.scratch.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What libpq needs to know."""
        known = {
            "PGHOST": self.scratch.host,
            "PGPORT": str(self.scratch.port),
            "PGUSER": self.user,
            "PGDATABASE": self.database,
            "PGPASSFILE": str(self._passfile),
            "PGCONNECT_TIMEOUT": str(_CONNECT_SECONDS),
            "PGSSLMODE": self.scratch.sslmode,
            "PGAPPNAME": "scorecard drill",
            "PGCLIENTENCODING": "UTF8",
        }
        if self.scratch.sslrootcert is not None:
            known["PGSSLROOTCERT"] = str(self.scratch.sslrootcert.absolute())
        if self.options:
            known["PGOPTIONS"] = " ".join(f"-c {option}" for option in self.options)
        return known

    def run(self, *arguments: str, feed: Feed | bytes | None = None, stop_at_error: bool = True) -> Said:
        """psql, without a file of the user's."""
        command = ["psql", "-X", "-q", "--csv", "-t", "-P", f"null={NULL}", "-w"]
        if stop_at_error:
            command += ["-v", "ON_ERROR_STOP=1"]
        return self.programs.run([*command, *arguments], self.environment, feed=feed, seconds=self.answer_seconds)

    def query(self, *statements: str) -> list[list[str]]:
        """Run statements of ours in one session; the rows of all of them.

        Raises:
            SqlError: the server refused one.
            NotCarriedOut: the server cannot be reached, or was lost.
        """
        said = self.run(*(part for statement in statements for part in ("-c", statement)))
        raise_for(said, self.where)
        return rows_of(said.out)

    def script(self, text: str) -> list[list[str]]:
        """The same for a script with psql's own commands, which no argument list shows to others."""
        said = self.run("-f", "-", feed=text.encode())
        raise_for(said, self.where)
        return rows_of(said.out)

    def write_passwords(self, passfile: Path | None, more: Iterable[tuple[str, str]] = ()) -> None:
        """Write the drill's own password file: the spec's password or the given file's lines, and further users."""
        lines = [_passline(user, password) for user, password in more]
        try:
            if self.scratch.password_file is not None:
                password = self.scratch.password_file.read_text(encoding="utf-8").strip()
                lines.append(_passline(self.scratch.user, password))
            elif passfile is not None:
                lines += passfile.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
            raise NotCarriedOut("no-password", f"the password file cannot be read: {reason}") from None
        descriptor = os.open(self._passfile, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write("\n".join([*lines, ""]))

    def identify(self) -> Identity:
        """Ask the server who it is.

        Raises:
            NotCarriedOut: it does not answer.
        """
        try:
            rows = self.query(
                "SELECT current_setting('server_version_num'), rolsuper, system_identifier, "
                "coalesce(host(inet_server_addr()), ''), coalesce(inet_server_port(), current_setting('port')::int), "
                "CASE WHEN rolsuper OR pg_has_role('pg_read_all_settings', 'member') "
                "THEN current_setting('data_directory', true) ELSE '' END "
                "FROM pg_roles, pg_control_system() WHERE rolname = current_user",
                "SELECT datname FROM pg_database",
            )
        except SqlError as error:
            raise NotCarriedOut("no-server", f"{self.where} does not say who it is: {error}") from None
        version, superuser, identifier, address, port, folder = rows[0]
        seen = addresses_of(self.scratch.host) | ({address} if address else set())
        return Identity(
            int(version), superuser == "t", identifier, frozenset(seen), int(port),
            frozenset(row[0] for row in rows[1:]), folder,
        )  # fmt: skip


def replace_server(server: Server, database: str, user: str, options: tuple[str, ...]) -> Server:
    """The server under another database, user and options."""
    made = Server(server.programs, server.scratch, user, database, options, server.answer_seconds)
    made.answer_seconds = None if options else server.answer_seconds
    return made


def raise_for(said: Said, where: str) -> None:
    """Raise where psql did not end well: its code is 1 or 3 for a statement, 2 for the connection."""
    if said.code == 0:
        return
    if lost(said.err):
        raise NotCarriedOut("server-lost", f"the scratch server {where} does not answer: {said.first}")
    raise SqlError(said.first.removeprefix("psql:<stdin>:").strip())


def lost(said: str) -> bool:
    """Whether a program's words mean that the server went away."""
    return _LOST.search(said) is not None


def rows_of(out: bytes) -> list[list[str]]:
    """The rows that psql printed."""
    return list(csv.reader(io.StringIO(out.decode("utf-8", "replace"), newline="")))


def refuse_by_name(scratch: Scratch, production: Sequence[Production]) -> None:
    """Refuse a scratch server that is named as production's, by name or by address, before anything is sent to it.

    Raises:
        Refused: it is.
    """
    here = addresses_of(scratch.host)
    for one in production:
        if one.host is None or one.port != scratch.port:
            continue
        if _same(one.host, scratch.host, here):
            raise Refused("production", f"{scratch.host}:{scratch.port} is production's {one.host}:{one.port}")


def refuse_by_identity(identity: Identity, scratch: Scratch, production: Sequence[Production]) -> None:
    """Refuse a server that turns out to be production's.

    Raises:
        Refused: it is.
    """
    for one in production:
        if one.system_identifier is not None and one.system_identifier == identity.system_identifier:
            raise Refused(
                "production", f"{scratch.host}:{scratch.port} has production's identifier {one.system_identifier}"
            )
        if one.host is None and one.database is not None and one.database in identity.databases:
            raise Refused("production", f"{scratch.host}:{scratch.port} has production's database {one.database}")
        if one.host is not None and one.port == identity.port and overlap(addresses_of(one.host), identity.addresses):
            raise Refused("production", f"{scratch.host}:{scratch.port} is production's {one.host}:{one.port}")


def _same(production: str, scratch: str, here: frozenset[str]) -> bool:
    return production.lower().rstrip(".") == scratch.lower().rstrip(".") or overlap(addresses_of(production), here)


def overlap(some: frozenset[str], others: frozenset[str]) -> bool:
    """Whether two hosts may be one: a socket may be of a server on loopback, two sockets are told by their folders."""
    if some & others - {_SOCKET}:
        return True
    return (_SOCKET in some and _LOOPBACK in others) or (_LOOPBACK in some and _SOCKET in others)


def addresses_of(host: str) -> frozenset[str]:
    """Every address that a host stands for; those of this machine's loopback are one and the same."""
    if host.startswith("/"):
        return frozenset({_SOCKET, str(Path(host).resolve())})
    try:
        found = {str(ipaddress.ip_address(host))}
    except ValueError:
        try:
            found = {str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
        except OSError:
            return frozenset({host.lower().rstrip(".")})
    return frozenset(_LOOPBACK if ipaddress.ip_address(one.partition("%")[0]).is_loopback else one for one in found)


def _passline(user: str, password: str) -> str:
    escaped = [text.replace("\\", "\\\\").replace(":", "\\:") for text in (user, password)]
    return f"*:*:*:{escaped[0]}:{escaped[1]}"


def random_password() -> str:
    """A password that nobody will know."""
    return secrets.token_urlsafe(32)


def milliseconds(duration: timedelta) -> int:
    """For PostgreSQL's settings."""
    return max(1, int(duration.total_seconds() * 1000))


__all__ = ["NULL", "DrillError", "Identity", "Server", "SqlError"]
