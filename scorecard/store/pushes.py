"""What pipelines push, and the tokens with which they do: shown once, kept as a digest, of one service, ended."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, and_, delete, insert, or_, select, update

from scorecard.evidence.pushed import Pushed, PushedKind
from scorecard.model import Provenance, ServiceKey
from scorecard.store import codec
from scorecard.store.catalogued import find
from scorecard.store.engine import Database, storable
from scorecard.store.tables import pushed, token

LONGEST_LIFE = timedelta(days=90)
READ_AT_MOST = 100
"""Documents of one kind that judging reads, the newest ones."""
_PREFIX = "rsc_"
_ID_BYTES = 6
_SECRET_BYTES = 32
_SHORTEST = timedelta(minutes=1)
_STEP = timedelta(minutes=1)
"""How exactly the last use is kept: a busy pipeline does not write with every push."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What is known of a token; its secret is known to nobody but its owner."""

    id: str
    name: str
    service: str
    kinds: tuple[PushedKind, ...]
    created_at: datetime
    created_by: str
    expires_at: datetime
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None

    def active(self, now: datetime) -> bool:
        """Whether it opens anything at `now`."""
        return self.revoked_at is None and now < self.expires_at


class Pushes:
    """The part of the store that keeps what was pushed."""

    db: Database

    def create_token(
        self,
        *,
        name: str,
        service: str,
        kinds: Iterable[PushedKind],
        now: datetime,
        life: timedelta,
        created_by: str,
    ) -> tuple[Token, str]:
        """Make a token; the second value is the whole of it, which cannot be shown again.

        Raises:
            ValueError: it would live for less than a minute or more than ninety days.
        """
        if not _SHORTEST <= life <= LONGEST_LIFE:
            raise ValueError(f"a token lives from a minute to {LONGEST_LIFE.days} days")
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        made = Token(
            id=secrets.token_hex(_ID_BYTES),
            name=name,
            service=service,
            kinds=tuple(dict.fromkeys(kinds)),
            created_at=now,
            created_by=created_by,
            expires_at=now + life,
        )
        values = {
            "id": made.id,
            "name": name,
            "service": service,
            "kinds": ",".join(made.kinds),
            "digest": _digest(secret),
            "created_at": now,
            "created_by": created_by,
            "expires_at": made.expires_at,
        }
        with self.db.write() as connection:
            connection.execute(insert(token).values(values))
        return made, f"{_PREFIX}{made.id}_{secret}"

    def tokens(self, service: str = "") -> tuple[Token, ...]:
        """All tokens that are kept, newest first, or those of one service."""
        query = select(token).order_by(token.c.created_at.desc(), token.c.id)
        if service:
            query = query.where(token.c.service == service)
        with self.db.read() as connection:
            return tuple(_token(row) for row in connection.execute(query))

    def revoke_token(self, token_id: str, now: datetime) -> Token | None:
        """Let a token open nothing more, from now on; None where there is none. A revoked one stays as it was."""
        if not storable(token_id):
            return None
        with self.db.write() as connection:
            connection.execute(
                update(token).where(token.c.id == token_id, token.c.revoked_at.is_(None)).values(revoked_at=now)
            )
            row = connection.execute(select(token).where(token.c.id == token_id)).first()
            return _token(row) if row else None

    def token_of(self, whole: str, now: datetime) -> Token | None:
        """The token that somebody showed, where it is one of ours and opens something; None for every other text."""
        token_id, _, secret = whole.removeprefix(_PREFIX).partition("_")
        if not (whole.startswith(_PREFIX) and secret and whole.isascii() and storable(whole)):
            return None
        with self.db.read() as connection:
            row = connection.execute(select(token).where(token.c.id == token_id)).first()
        # The same work whether or not there is such a token.
        right = hmac.compare_digest(row.digest if row else _digest(""), _digest(secret))
        if row is None or not right or not _token(row).active(now):
            return None
        if row.last_used_at is None or now - row.last_used_at >= _STEP:
            with self.db.write() as connection:
                connection.execute(update(token).where(token.c.id == token_id).values(last_used_at=now))
        return _token(row)

    def push(
        self,
        key: ServiceKey,
        kind: PushedKind,
        document: Any,  # noqa: ANN401 - any JSON
        now: datetime,
        *,
        pushed_by: str,
        provenance: Provenance = Provenance.REPORTED,
    ) -> Pushed:
        """Keep a document about a service.

        Raises:
            LookupError: the service is not registered.
        """
        text = codec.clean(json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")))
        values = {
            "kind": kind.value,
            "received_at": now,
            "pushed_by": pushed_by,
            "provenance": provenance.value,
            "digest": codec.digest(text),
            "document": text,
        }
        with self.db.write() as connection:
            service_id = find(connection, key)
            if service_id is None:
                raise LookupError(f"{key} is not registered")
            done = connection.execute(insert(pushed).values(service_id=service_id, **values))
            number = int(done.inserted_primary_key[0])  # type: ignore[index] # an insert of one row has one
            row = connection.execute(select(pushed).where(pushed.c.id == number)).one()
            return _pushed(row)

    def pushed(
        self,
        key: ServiceKey,
        kind: PushedKind | None = None,
        limit: int = READ_AT_MOST,
        *,
        provenance: Provenance | None = None,
    ) -> tuple[Pushed, ...]:
        """The newest documents about a service, newest first; of every kind and provenance unless one is given."""
        query = select(pushed).order_by(pushed.c.received_at.desc(), pushed.c.id.desc()).limit(limit)
        if provenance is not None:
            query = query.where(pushed.c.provenance == provenance.value)
        if kind is not None:
            query = query.where(pushed.c.kind == kind.value)
        with self.db.read() as connection:
            service_id = find(connection, key)
            if service_id is None:
                return ()
            return tuple(_pushed(row) for row in connection.execute(query.where(pushed.c.service_id == service_id)))

    def prune_pushes(self, now: datetime, history: timedelta) -> None:
        """Forget what was pushed before the history that is kept, and tokens that ended before it."""
        cut = now - history
        with self.db.write() as connection:
            connection.execute(delete(pushed).where(pushed.c.received_at < cut))
            ended = or_(token.c.expires_at < cut, and_(token.c.revoked_at.is_not(None), token.c.revoked_at < cut))
            connection.execute(delete(token).where(ended))


def _digest(secret: str) -> str:
    # 256 random bits need no slow hash: there is nothing to guess.
    return "sha256:" + hashlib.sha256(secret.encode()).hexdigest()


def _token(row: Row[Any]) -> Token:
    return Token(
        id=row.id,
        name=row.name,
        service=row.service,
        kinds=tuple(PushedKind(kind) for kind in row.kinds.split(",") if kind),
        created_at=row.created_at,
        created_by=row.created_by,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )


def _pushed(row: Row[Any]) -> Pushed:
    return Pushed(
        id=row.id,
        kind=PushedKind(row.kind),
        received_at=row.received_at,
        pushed_by=row.pushed_by,
        provenance=Provenance(row.provenance),
        digest=row.digest,
        document=json.loads(row.document),
    )
