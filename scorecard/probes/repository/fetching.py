"""Bringing a remote repository here, bare: the child's side, and the only one with a network.

No checkout, no submodules, no hooks, no credential helpers, no `insteadOf`; every address is judged before it is
connected to.
"""

from __future__ import annotations

import errno
import ipaddress
import shutil
import socket
import ssl
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import urllib3
from dulwich.client import HttpGitClient, HTTPUnauthorized, SSHGitClient, StrangeHostname
from dulwich.errors import GitProtocolError, HangupException, NotGitRepository
from dulwich.refs import HEADREF, Ref
from dulwich.repo import Repo
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool

from scorecard.egress.policy import AddressPolicy
from scorecard.egress.resolver import system_lookup
from scorecard.isolation.child import serve
from scorecard.model import Cause
from scorecard.probes.repository.questions import Fetch, Fetched, UnreadableError
from scorecard.probes.repository.ssh import configured

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dulwich.client import FetchPackResult, GitClient
    from dulwich.objects import ObjectID

_CONNECT = 10.0
_READ = 30.0
_MAX_PACKS = 50
"""Every fetch leaves one; beyond this many the clone is made anew."""
_DENIED = frozenset({401, 403, 404})
_TOO_MANY = 429


def main() -> None:
    """Answer `Fetch`."""
    serve({"Fetch": (Fetch, fetch)})


def fetch(question: Fetch) -> Fetched:
    """Clone into the question's directory, or bring what is new.

    Raises:
        UnreadableError: when the remote cannot be reached, refuses, or has no such branch.
    """
    directory = Path(question.directory)
    if directory.exists() and len(list(directory.glob("objects/pack/*.pack"))) > _MAX_PACKS:
        shutil.rmtree(directory)
    try:
        return _brought(question, directory, depth=None)
    except OSError as error:
        shutil.rmtree(directory, ignore_errors=True)
        if error.errno != errno.EFBIG:
            raise UnreadableError(Cause.SCORECARD_FAULT, f"the clone cannot be written: {error.strerror}") from None
    # Too large with its history: the head alone, which leaves dates by git missing.
    try:
        return _brought(question, directory, depth=1)
    except OSError as error:
        shutil.rmtree(directory, ignore_errors=True)
        raise UnreadableError(Cause.NOT_SUPPORTED, f"larger than is cloned: {error.strerror}") from None


def _brought(question: Fetch, directory: Path, depth: int | None) -> Fetched:
    client, path = _client(question)
    repository = _opened(directory)
    try:
        wanted: list[ObjectID] = []

        def determine(refs: Mapping[Ref, ObjectID], depth: int | None = None) -> list[ObjectID]:  # noqa: ARG001 - dulwich's
            name = Ref(f"refs/heads/{question.branch}".encode()) if question.branch else HEADREF
            if name not in refs:
                raise UnreadableError(
                    Cause.NO_DATA, f"has no branch {question.branch!r}" if question.branch else "is empty"
                )
            wanted[:] = [refs[name]]
            return [] if refs[name] in repository.object_store else list(wanted)

        _asked(client, path, repository, determine, depth)
        repository.refs[HEADREF] = wanted[0]
        return Fetched(wanted[0].decode())
    finally:
        repository.close()


def _opened(directory: Path) -> Repo:
    if directory.exists():
        with suppress(NotGitRepository):
            return Repo(str(directory))
        shutil.rmtree(directory)
    return Repo.init_bare(str(directory), mkdir=True)


def _asked(client: GitClient, path: str, repository: Repo, determine: Any, depth: int | None) -> FetchPackResult:  # noqa: ANN401 - dulwich's protocol class
    try:
        return client.fetch(path, repository, determine_wants=determine, depth=depth)
    except HTTPUnauthorized:
        raise UnreadableError(Cause.ACCESS_DENIED, "asks for a sign-in") from None
    except NotGitRepository:
        raise UnreadableError(Cause.ACCESS_DENIED, "there is no such repository, or it is not shown to us") from None
    except StrangeHostname:
        raise UnreadableError(Cause.NOT_SUPPORTED, "its host or user is an option of ssh") from None
    except HangupException as error:
        raise _hung_up(error) from None
    except GitProtocolError as error:
        raise _protocol(error) from None
    except (AssertionError, ValueError, KeyError) as error:
        raise UnreadableError(Cause.BAD_RESPONSE, f"does not speak git: {type(error).__name__}") from None


def _protocol(error: GitProtocolError) -> UnreadableError:
    if isinstance(error.__cause__, urllib3.exceptions.HTTPError):
        return _network(error.__cause__)
    words = str(error).split()
    status = next((int(word) for word in words if word.isdecimal()), 0) if "resp" in words else 0
    if status in _DENIED:
        return UnreadableError(Cause.ACCESS_DENIED, f"answers {status}")
    if status == _TOO_MANY:
        return UnreadableError(Cause.RATE_LIMITED, f"answers {status}")
    if status:
        return UnreadableError(Cause.UNREACHABLE, f"answers {status}")
    return UnreadableError(Cause.BAD_RESPONSE, f"does not speak git: {str(error)[:100]}")


def _network(error: urllib3.exceptions.HTTPError) -> UnreadableError:
    reason = getattr(error, "reason", None) or error
    if isinstance(reason, UnreadableError):
        return reason
    if isinstance(reason, urllib3.exceptions.TimeoutError):
        return UnreadableError(Cause.TIMEOUT, f"does not answer within {_READ:g} s")
    if isinstance(reason, urllib3.exceptions.SSLError):
        return UnreadableError(Cause.UNREACHABLE, f"its certificate is refused: {reason}")
    return UnreadableError(Cause.UNREACHABLE, str(reason).rpartition(": ")[2] or "is not reached")


def _hung_up(error: HangupException) -> UnreadableError:
    lines = [line.decode("utf-8", "replace").strip() for line in error.stderr_lines or ()]
    said = next((line for line in reversed(lines) if line), "the connection ended")
    denied = any(word in " ".join(lines).lower() for word in ("permission denied", "host key", "not found", "access"))
    return UnreadableError(Cause.ACCESS_DENIED if denied else Cause.UNREACHABLE, f"ssh: {said[:200]}")


def _client(question: Fetch) -> tuple[GitClient, str]:
    parts = urlsplit(question.url)
    policy = AddressPolicy.of(question.allow, never=question.never, own=question.own)
    if parts.scheme == "ssh":
        user = parts.username or "git"
        place = configured(user, parts.hostname or "", parts.port)
        (address, *_) = judged(policy, place.host, place.port)
        # The name stands on the command line for ssh's own configuration; the address is the one that was judged.
        return SSHGitClient(
            parts.hostname or "", port=place.port, username=user, ssh_command=place.command(address)
        ), parts.path
    manager = urllib3.PoolManager(
        ssl_context=ssl.create_default_context(cafile=question.ca_file or None),
        timeout=urllib3.Timeout(connect=_CONNECT, read=_READ),
        retries=urllib3.Retry(total=3, connect=0, read=0, redirect=3, status=0),
    )
    manager.pool_classes_by_scheme = {"https": _pool(policy)}
    base = f"https://{parts.netloc}"
    client = HttpGitClient(
        base,
        pool_manager=manager,
        username=question.username or None,
        password=question.token or None,
    )
    return client, parts.path


def judged(
    policy: AddressPolicy, host: str, port: int, lookup: Callable[[str], tuple[str, ...]] = system_lookup
) -> tuple[str, ...]:
    """What a name resolves to, each address judged; never empty.

    Raises:
        UnreadableError: when it does not resolve, or one of them must not be connected to, which condemns the name.
    """
    try:
        addresses = (host,) if _literal(host) else lookup(host)
    except (OSError, UnicodeError):
        addresses = ()
    if not addresses:
        raise UnreadableError(Cause.UNREACHABLE, f"the name {host} does not resolve")
    for address in addresses:
        if refusal := policy.refuses(address, port):
            raise UnreadableError(Cause.NOT_CONFIGURED, refusal)
    return addresses


def _literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _pool(policy: AddressPolicy) -> type[HTTPSConnectionPool]:
    """A pool whose connections go to a judged address and to no other."""

    class JudgedConnection(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            host, port = self._dns_host, self.port
            refused = ""
            for address in judged(policy, host, port):
                try:
                    return socket.create_connection((address, port), timeout=_CONNECT)
                except TimeoutError:
                    raise UnreadableError(Cause.TIMEOUT, f"{host} does not connect within {_CONNECT:g} s") from None
                except OSError as error:
                    refused = f"{host}: {error.strerror}"
            raise UnreadableError(Cause.UNREACHABLE, refused)

    class JudgedPool(HTTPSConnectionPool):
        ConnectionCls = JudgedConnection

    return JudgedPool
