"""The scratch database: made under a name and a role of the drill's own, always dropped, and swept when a drill died.

A session lock is held for as long as the drill lives, so that a later drill tells the leftover of a killed one from the
database of one that runs, without a clock.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
import select
import subprocess
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from scorecard.drill.outcome import DrillError, NotCarriedOut
from scorecard.drill.programs import end
from scorecard.drill.server import Identity, Server, SqlError, random_password
from scorecard.drill.spec import DrillSpec

_MARK = "scorecard drill"
"""How the comments on what is ours begin."""
_LOCK = 1_884_903_284
"""The first half of our advisory locks: one namespace among all who use the server."""
_NAME = "^drill_[a-z0-9_]+_[0-9]{14}_[0-9a-f]{8}$"
_ITERATIONS = 4096
_LOCK_SECONDS = 20.0
_AMCHECK_SCHEMA = "scorecard_amcheck"


@dataclass(slots=True)
class ScratchDatabase:
    """One database on the scratch server, from its making to its end."""

    admin: Server
    identity: Identity
    spec: DrillSpec
    name: str
    role: str = ""
    """The role that the foreign SQL runs as; empty before it is made."""
    amcheck: str = ""
    """Why corruption cannot be looked for; empty where it can."""
    patience: float = 30.0
    """Seconds that a server which went away is waited for, so that the database on it can be dropped."""
    _lock: subprocess.Popen[bytes] | None = None
    _passwords: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def restricted(self) -> bool:
        """Whether the foreign SQL runs as a role that can do nothing else."""
        return self.role == self.name

    def session(self, *options: str) -> Server:
        """Connections to it as its role."""
        return self.admin.at(self.name, self.role, options)

    def make(self, passfile: Path | None) -> str:
        """Make it; what was made, for the report.

        Raises:
            NotCarriedOut: the server does not let us.
        """
        self._take_lock()
        try:
            self._make_role(passfile)
            self._make_database()
        except SqlError as error:
            code = "disk-full" if "space left" in str(error) else "not-permitted"
            raise NotCarriedOut(code, f"the scratch database cannot be made: {error}") from None
        self._make_extensions()
        who = "a role of its own" if self.restricted else f"the user {self.role}"
        return f"{self.name} as {who}"

    def drop(self) -> str:
        """Drop it, its role and its lock, whatever state they are in; a problem, or an empty text.

        A server that went away is waited for a while: it may be on its way back.
        """
        problem = ""
        until = time.monotonic() + self.patience
        while True:
            try:
                self.admin.script(_dropping(self.name))
                problem = ""
            except (SqlError, DrillError) as error:
                problem = f"{self.name} could not be dropped, the next drill on this server does it: {error}"
                lost = isinstance(error, NotCarriedOut) and error.code == "server-lost"
                if lost and time.monotonic() < until:
                    time.sleep(0.5)
                    continue
            break
        if self._lock is not None:
            end(self._lock)
            self._lock = None
        return problem

    def size(self) -> int:
        """Bytes that it has now; 0 where the server does not say."""
        try:
            return int(self.admin.query(f"SELECT pg_database_size('{self.name}')")[0][0])
        except (SqlError, DrillError, IndexError, ValueError):
            return 0

    def _take_lock(self) -> None:
        programs = self.admin.programs
        self._lock = programs.start(["psql", "-X", "-q", "-A", "-t", "-w"], self.admin.environment)
        assert self._lock.stdin is not None  # noqa: S101 - opened as pipes
        assert self._lock.stdout is not None  # noqa: S101 - as above
        self._lock.stdin.write(f"SELECT pg_try_advisory_lock({_LOCK}, hashtext('{self.name}'));\n".encode())
        self._lock.stdin.flush()
        ready, _, _ = select.select([self._lock.stdout], [], [], _LOCK_SECONDS)
        if not ready or os.read(self._lock.stdout.fileno(), 16).strip() != b"t":
            raise NotCarriedOut("server-lost", f"the scratch server {self.admin.where} gave no lock to the drill")

    def _make_role(self, passfile: Path | None) -> None:
        """A role that owns the database and nothing else; the user itself where that is harmless."""
        password = random_password()
        rights = "BYPASSRLS" if self.identity.superuser else ""
        self.role = self.name
        try:
            self.admin.script(
                f"BEGIN;\nCREATE ROLE {self.name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE {rights} "
                f"PASSWORD '{scram(password)}';\n"
                f"COMMENT ON ROLE {self.name} IS '{_MARK}';\nGRANT {self.name} TO CURRENT_USER;\nCOMMIT;\n"
            )
            self._passwords = ((self.name, password),)
            self.admin.write_passwords(passfile, self._passwords)
            self.admin.at(self.admin.database, self.name).query("SELECT 1")
        except (SqlError, NotCarriedOut) as error:
            if self.identity.superuser and not self.spec.scratch.superuser:
                raise NotCarriedOut(
                    "no-restricted-role",
                    f"{self.admin.user} is a superuser, and a role of the drill's own cannot sign in at "
                    f"{self.admin.where} ({error}); let it in by password in pg_hba.conf, or name a user with CREATEDB "
                    "and without SUPERUSER",
                ) from None
            self.role = self.admin.user

    def _make_database(self) -> None:
        place = f" TABLESPACE {quoted(self.spec.scratch.tablespace)}" if self.spec.scratch.tablespace else ""
        # template0 is never connected to, so that two drills can copy it at once.
        self.admin.query(
            f"CREATE DATABASE {self.name} OWNER {quoted(self.role)} TEMPLATE template0{place}",
            f"COMMENT ON DATABASE {self.name} IS '{_MARK}'",
            # What is restored is production's data: nobody else looks at it.
            f"REVOKE ALL ON DATABASE {self.name} FROM PUBLIC",
        )

    def _make_extensions(self) -> None:
        """Before anything foreign stands in the database."""
        inside = self.admin.at(self.name)
        for extension in self.spec.scratch.extensions:
            try:
                inside.query(f"CREATE EXTENSION {quoted(extension)} CASCADE")
            except SqlError as error:
                raise NotCarriedOut("no-extension", f"{extension} cannot be made in {self.name}: {error}") from None
        if self.spec.amcheck == "off":
            return
        try:
            inside.query(
                f"CREATE SCHEMA {_AMCHECK_SCHEMA}",
                f"CREATE EXTENSION amcheck WITH SCHEMA {_AMCHECK_SCHEMA}",
                f"GRANT USAGE ON SCHEMA {_AMCHECK_SCHEMA} TO {quoted(self.role)}",
                f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {_AMCHECK_SCHEMA} TO {quoted(self.role)}",
            )
        except SqlError as error:
            self.amcheck = f"the extension amcheck cannot be made: {error}"
            if self.spec.amcheck == "required":
                raise NotCarriedOut("no-extension", self.amcheck) from None


def name_of(service: str, started: datetime) -> str:
    """`drill_SERVICE_TIMESTAMP_RANDOM`: at most 53 characters of those that need no quotes."""
    short = re.sub(r"[^a-z0-9]", "_", service)[:20]
    return f"drill_{short}_{started:%Y%m%d%H%M%S}_{secrets.token_hex(4)}"


def sweep(admin: Server) -> tuple[str, ...]:
    """Drop what drills that died left behind; the names. What a running drill uses is locked, and stays."""
    ours = (
        f"SELECT datname AS name FROM pg_database d JOIN pg_roles r ON r.oid = datdba WHERE datname ~ '{_NAME}' "  # noqa: S608 - constants
        f"AND (shobj_description(d.oid, 'pg_database') = '{_MARK}' OR rolname = datname) "
        f"UNION SELECT rolname FROM pg_roles WHERE rolname ~ '{_NAME}' "
        f"AND shobj_description(oid, 'pg_authid') = '{_MARK}'"
    )
    swept = []
    for (name,) in admin.query(ours):
        try:
            said = admin.script(
                f"SELECT pg_try_advisory_lock({_LOCK}, hashtext('{name}')) AS free \\gset\n"
                f"\\if :free\n{_dropping(name)}SELECT 'dropped';\n\\endif\n"
            )
        except SqlError:
            continue  # another's, or another drill was quicker
        if said:
            swept.append(name)
    return tuple(swept)


def scram(password: str) -> str:
    """What a server stores of a password (RFC 5803), so that the password itself gets into no log of its statements."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ITERATIONS)
    client = hmac.digest(salted, b"Client Key", "sha256")
    stored = hashlib.sha256(client).digest()
    served = hmac.digest(salted, b"Server Key", "sha256")
    texts = [base64.b64encode(part).decode() for part in (salt, stored, served)]
    return f"SCRAM-SHA-256${_ITERATIONS}:{texts[0]}${texts[1]}:{texts[2]}"


def quoted(identifier: str) -> str:
    """An identifier as SQL has it."""
    return '"' + identifier.replace('"', '""') + '"'


def _dropping(name: str) -> str:
    return f"DROP DATABASE IF EXISTS {name} WITH (FORCE);\nDROP ROLE IF EXISTS {name};\n"


__all__ = ["ScratchDatabase", "name_of", "quoted", "sweep"]
