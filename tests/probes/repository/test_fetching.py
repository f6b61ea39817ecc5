"""Remote repositories: cloned bare from the real git over TLS on loopback, and what becomes of every refusal."""

from __future__ import annotations

import base64
import ipaddress
import os
import shlex
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from werkzeug.serving import make_server

from scorecard.config import SecretUnavailable, load_config
from scorecard.egress.own import OwnPlaces, own_places
from scorecard.egress.policy import AddressPolicy
from scorecard.egress.resolver import Resolver
from scorecard.evidence import DecisionRecords
from scorecard.model import Cause, Repository, Service, Spec
from scorecard.probes import Context, Upstream
from scorecard.probes.repository import DecisionRecordsProbe, Repositories, checkouts, probes
from scorecard.probes.repository.checkouts import Credential
from scorecard.probes.repository.fetching import judged
from scorecard.probes.repository.isolation import Worker
from scorecard.probes.repository.questions import UnreadableError
from scorecard.probes.repository.ssh import SshPlace, configured
from tests.conftest import START

RECORD = "# 1. A\n\nDate: 2026-01-01\n\n## Status\n\nAccepted\n"


class GitRepository(Protocol):
    """The fixture's work tree."""

    path: Path

    def git(self, *arguments: str, at: str = ..., **more: str) -> str: ...
    def commit(self, files: Mapping[str, str | bytes], *, at: str = ...) -> str: ...


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "forge")])
    now = datetime.fromtimestamp(time.time(), UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "forge.pem", folder / "forge.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


@dataclass
class Forge:
    """`git http-backend` behind TLS, which can be told to misbehave."""

    root: Path
    certificate: Path
    port: int = 0
    token: str = ""
    status: int = 0
    redirect: str = ""
    requests: list[str] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}/payments.git"

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        self.requests.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
        authorization = environ.get("HTTP_AUTHORIZATION", "")
        self.authorizations.append(authorization)
        if self.redirect:
            start("302 Found", [("Location", self.redirect + environ["PATH_INFO"])])
            return [b""]
        if self.status:
            start(f"{self.status} No", [])
            return [b"no"]
        if self.token and authorization != "Basic " + base64.b64encode(f"x:{self.token}".encode()).decode():
            start("401 Unauthorized", [("WWW-Authenticate", "Basic")])
            return [b""]
        return self._git(environ, start)

    def _git(self, environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(None if environ.get("wsgi.input_terminated") else length)
        done = subprocess.run(
            ["git", "http-backend"],
            input=body,
            env={
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(self.root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": "safe.directory",
                "GIT_CONFIG_VALUE_0": "*",
                "REQUEST_METHOD": environ["REQUEST_METHOD"],
                "PATH_INFO": unquote(environ["PATH_INFO"]),
                "QUERY_STRING": environ["QUERY_STRING"],
                "CONTENT_TYPE": environ.get("CONTENT_TYPE", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": environ.get("HTTP_CONTENT_ENCODING", ""),
                "GIT_PROTOCOL": environ.get("HTTP_GIT_PROTOCOL", ""),
            },
            check=True,
            capture_output=True,
            timeout=60,
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = [tuple(line.split(": ", 1)) for line in head.decode().split("\r\n")]
        status = next((value for name, value in headers if name == "Status"), "200 OK")
        start(status, [(name, value) for name, value in headers if name != "Status"])
        return [content]


@pytest.fixture
def forge(tmp_path: Path, repository: GitRepository) -> Iterator[Forge]:
    repository.commit({"docs/adr/0001-a.md": RECORD})
    (tmp_path / "root").mkdir()
    repository.git("clone", "-q", "--bare", str(repository.path), str(tmp_path / "root" / "payments.git"))
    repository.git("remote", "add", "forge", str(tmp_path / "root" / "payments.git"))
    certificate, key = _certificate(tmp_path)
    made = Forge(tmp_path / "root", certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = make_server("127.0.0.1", 0, made, threaded=True, ssl_context=context)
    made.port = server.server_port
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def opened(tmp_path: Path, forge: Forge, worker: Worker) -> Iterator[Callable[..., Repositories]]:
    """Makes what opens repositories; by default it trusts the forge and may connect to it."""
    made: list[Repositories] = []

    def make(**changes: Any) -> Repositories:  # noqa: ANN401 - its own keywords
        settings: dict[str, Any] = {
            "base": tmp_path,
            "cache": tmp_path / "cache",
            "environment": os.environ,
            "credentials": {"127.0.0.1": Credential("x", lambda: "", str(forge.certificate))},
            "allow": ("127.0.0.1",),
            "worker": worker,
        }
        made.append(Repositories(**(settings | changes)))
        return made[-1]

    yield make
    for each in made:
        each.close()


def ask(repositories: Repositories, url: str, **more: Any) -> Any:  # noqa: ANN401 - any answer
    service = Service(name="payments", spec=Spec(repositories=(Repository(url=url, **more),)))
    ((_, answer),) = DecisionRecordsProbe(repositories).ask([service], Upstream())
    return answer


Opened = Callable[..., Repositories]


class TestClones:
    def test_a_remote_is_cloned_bare_and_read(self, forge: Forge, opened: Opened, tmp_path: Path) -> None:
        answer = ask(opened(), forge.url)
        assert isinstance(answer, DecisionRecords), answer
        assert [record.name for record in answer.records] == ["docs/adr/0001-a.md"]
        assert (answer.missing, answer.history_missing) == ((), ())
        (clone,) = (tmp_path / "cache").glob("*.git")
        assert not (clone / "docs").exists(), "nothing is checked out"
        assert answer.exhibits[0].facts["repository"] == forge.url

    def test_all_questions_of_a_run_share_one_clone(self, forge: Forge, opened: Opened) -> None:
        repositories = opened()
        ask(repositories, forge.url)
        count = len(forge.requests)
        ask(repositories, forge.url)
        ask(repositories, forge.url, path="docs")
        assert len(forge.requests) == count

    def test_a_later_run_brings_what_is_new(
        self, forge: Forge, opened: Opened, repository: GitRepository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(checkouts, "_FRESH", -1.0)
        repositories = opened()
        ask(repositories, forge.url)
        repository.commit({"docs/adr/0002-b.md": RECORD})
        repository.git("push", "-q", "forge", "main")
        assert len(ask(repositories, forge.url).records) == 2
        repository.git("reset", "-q", "--hard", "HEAD~1")
        repository.git("push", "-q", "-f", "forge", "main")
        assert len(ask(repositories, forge.url).records) == 1, "history may be rewritten"

    def test_a_branch_of_ones_own(self, forge: Forge, opened: Opened, repository: GitRepository) -> None:
        repository.git("checkout", "-q", "-b", "release/1")
        repository.commit({"docs/adr/0002-b.md": RECORD})
        repository.git("push", "-q", "forge", "release/1")
        repositories = opened()
        assert len(ask(repositories, forge.url, default_branch="release/1").records) == 2
        assert len(ask(repositories, forge.url).records) == 1
        gone = ask(repositories, forge.url, default_branch="gone")
        assert (gone.cause, "no branch 'gone'" in gone.detail) == (Cause.NO_DATA, True)

    def test_one_that_is_too_large_with_its_history_is_read_at_its_head(
        self, forge: Forge, opened: Opened, repository: GitRepository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        repository.commit({"noise.bin": os.urandom(300_000)})
        repository.git("rm", "-q", "noise.bin")
        repository.commit({"docs/adr/0002-b.md": RECORD})
        repository.git("push", "-q", "forge", "main")
        monkeypatch.setattr(checkouts, "_CLONE", checkouts.replace(checkouts._CLONE, file_size=100_000))
        answer = ask(opened(), forge.url)
        assert isinstance(answer, DecisionRecords), answer
        assert len(answer.records) == 2
        assert "shallow" in answer.history_missing[0].detail

    def test_one_that_is_too_large_at_its_head_is_not_read(
        self, forge: Forge, opened: Opened, repository: GitRepository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        repository.commit({"noise.bin": os.urandom(300_000)})
        repository.git("push", "-q", "forge", "main")
        monkeypatch.setattr(checkouts, "_CLONE", checkouts.replace(checkouts._CLONE, file_size=100_000))
        answer = ask(opened(), forge.url)
        assert (answer.cause, "larger than is cloned" in answer.detail) == (Cause.NOT_SUPPORTED, True)


class TestCredentials:
    def test_a_token_is_given_to_its_own_host_and_read_at_each_call(self, forge: Forge, opened: Opened) -> None:
        forge.token = "s3cret"
        denied = ask(opened(), forge.url)
        assert (denied.cause, "sign-in" in denied.detail) == (Cause.ACCESS_DENIED, True)
        credential = Credential("x", lambda: forge.token, str(forge.certificate))
        repositories = opened(credentials={"127.0.0.1": credential})
        assert len(ask(repositories, forge.url).records) == 1

    def test_a_token_file_that_is_not_there_is_told_and_is_no_bug_of_the_probe(
        self, forge: Forge, opened: Opened
    ) -> None:
        def read() -> str:
            raise SecretUnavailable("token_file /run/secrets/forge: No such file or directory")

        answer = ask(opened(credentials={"127.0.0.1": Credential("x", read, str(forge.certificate))}), forge.url)
        assert answer.cause is Cause.NOT_CONFIGURED
        assert "token_file /run/secrets/forge: No such file or directory" in answer.detail

    def test_a_redirect_elsewhere_takes_no_token_along(self, forge: Forge, opened: Opened) -> None:
        forge.redirect = f"https://127.0.0.2:{forge.port}"
        credential = Credential("x", lambda: "s3cret", str(forge.certificate))
        answer = ask(opened(credentials={"127.0.0.1": credential}), forge.url)
        assert answer.cause is Cause.NOT_CONFIGURED, "127.0.0.2 is not listed"
        assert "127.0.0.2" in answer.detail
        assert len(forge.requests) == 1

    def test_a_redirect_down_to_plain_http_is_not_followed(self, forge: Forge, opened: Opened) -> None:
        forge.redirect = f"http://127.0.0.1:{forge.port}"
        assert isinstance(ask(opened(), forge.url).cause, Cause)
        assert len(forge.requests) == 1


class TestRefusals:
    @pytest.mark.parametrize(
        ("status", "cause"),
        [
            (401, Cause.ACCESS_DENIED),
            (403, Cause.ACCESS_DENIED),
            (404, Cause.ACCESS_DENIED),
            (429, Cause.RATE_LIMITED),
            (500, Cause.UNREACHABLE),
            (503, Cause.UNREACHABLE),
        ],
    )
    def test_statuses_have_their_cause(self, forge: Forge, opened: Opened, status: int, cause: Cause) -> None:
        forge.status = status
        answer = ask(opened(), forge.url)
        assert answer.cause is cause, answer
        assert answer.detail.startswith(forge.url)

    def test_what_is_no_git_server_is_a_bad_response(self, forge: Forge, opened: Opened) -> None:
        forge.status = 200
        assert ask(opened(), forge.url).cause is Cause.BAD_RESPONSE

    def test_an_address_that_is_not_listed_is_not_connected_to(self, forge: Forge, opened: Opened) -> None:
        answer = ask(opened(allow=()), forge.url)
        assert (answer.cause, "loopback" in answer.detail) == (Cause.NOT_CONFIGURED, True)
        assert forge.requests == []

    def test_a_metadata_address_is_never_connected_to(self, opened: Opened) -> None:
        answer = ask(opened(allow=("169.254.0.0/16",)), "https://169.254.169.254/latest/meta-data")
        assert "metadata" in answer.detail

    def test_an_unknown_certificate_is_not_trusted(self, forge: Forge, opened: Opened) -> None:
        answer = ask(opened(credentials={}), forge.url)
        assert (answer.cause, "certificate" in answer.detail) == (Cause.UNREACHABLE, True)
        assert forge.requests == []

    def test_a_closed_port_is_unreachable(self, opened: Opened) -> None:
        answer = ask(opened(), "https://127.0.0.1:1/payments.git")
        assert (answer.cause, "refused" in answer.detail) == (Cause.UNREACHABLE, True)

    @pytest.mark.parametrize("url", ["ext::sh -c touch% {marker}", "http://127.0.0.1/x", "git://127.0.0.1/x"])
    def test_other_transports_are_refused(self, opened: Opened, tmp_path: Path, url: str) -> None:
        marker = tmp_path / "marker"
        assert ask(opened(), url.format(marker=marker)).cause is Cause.NOT_SUPPORTED
        assert not marker.exists()

    def test_one_repository_of_two_that_fails_is_missing(
        self, forge: Forge, opened: Opened, repository: GitRepository
    ) -> None:
        forge.status = 503
        spec = Spec(repositories=(Repository(url=str(repository.path)), Repository(url=forge.url)))
        service = Service(name="payments", spec=spec)
        ((_, answer),) = DecisionRecordsProbe(opened()).ask([service], Upstream())
        assert isinstance(answer, DecisionRecords)
        assert [record.name for record in answer.records] == ["payments:docs/adr/0001-a.md"]
        assert [part.cause for part in answer.missing] == [Cause.UNREACHABLE]


class TestSsh:
    """The client is a stand-in on PATH; what it speaks is the real `git upload-pack`."""

    @pytest.fixture
    def ssh(self, forge: Forge, tmp_path: Path) -> dict[str, str]:
        """The environment in which `ssh` runs the command here, and writes down how it was called."""
        (tmp_path / "bin").mkdir()
        script = tmp_path / "bin" / "ssh"
        script.write_text(
            f"#!/bin/sh\nfor last; do :; done\n"
            f'[ "$1" = -G ] && {{ cat {tmp_path}/told 2>/dev/null || echo "hostname $last"; exit; }}\n'
            f'printf "%s\\n" "$@" > {tmp_path}/called\n[ -e {tmp_path}/deny ] && '
            f"{{ echo 'git@127.0.0.1: Permission denied (publickey).' >&2; exit 255; }}\n"
            f'cd {forge.root} && exec sh -c "$(echo $last | sed s:/example:./:)"\n'
        )
        script.chmod(0o755)
        return {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "HOME": str(tmp_path)}

    def test_a_repository_is_cloned_over_ssh_without_asking_anybody(
        self, opened: Opened, ssh: dict[str, str], tmp_path: Path
    ) -> None:
        answer = ask(opened(environment=ssh), "git@127.0.0.1:example/payments.git")
        assert isinstance(answer, DecisionRecords), answer
        called = (tmp_path / "called").read_text().splitlines()
        assert "-oBatchMode=yes" in called
        assert "git@127.0.0.1" in called

    def test_a_refused_key_is_access_denied_and_says_what_ssh_said(
        self, opened: Opened, ssh: dict[str, str], tmp_path: Path
    ) -> None:
        (tmp_path / "deny").touch()
        answer = ask(opened(environment=ssh), "git@127.0.0.1:example/payments.git")
        assert (answer.cause, "Permission denied" in answer.detail) == (Cause.ACCESS_DENIED, True)

    def test_an_address_that_is_not_listed_is_not_connected_to(
        self, opened: Opened, ssh: dict[str, str], tmp_path: Path
    ) -> None:
        answer = ask(opened(environment=ssh, allow=()), "git@127.0.0.1:example/payments.git")
        assert answer.cause is Cause.NOT_CONFIGURED
        assert not (tmp_path / "called").exists()

    def test_ssh_goes_to_the_address_that_was_judged_and_expects_the_key_of_the_name(
        self, opened: Opened, ssh: dict[str, str], tmp_path: Path
    ) -> None:
        (tmp_path / "told").write_text("hostname localhost\nport 2222\n")
        answer = ask(opened(environment=ssh, allow=("127.0.0.1", "::1")), "git@forge-alias:example/payments.git")
        assert isinstance(answer, DecisionRecords), answer
        called = (tmp_path / "called").read_text().splitlines()
        assert {"-oHostName=127.0.0.1", "-oHostName=::1"} & set(called), called
        assert "-oHostKeyAlias=[localhost]:2222" in called
        assert called[called.index("-p") + 1] == "2222"
        assert "git@forge-alias" in called, "the operator's own settings for the name count"

    def test_a_name_that_does_not_resolve_for_us_is_not_left_to_ssh(
        self, opened: Opened, ssh: dict[str, str], tmp_path: Path
    ) -> None:
        """Rebinding: a resolver that has no answer for the judge, and one for ssh."""
        answer = ask(opened(environment=ssh), "git@forge.invalid:example/payments.git")
        assert (answer.cause, "does not resolve" in answer.detail) == (Cause.UNREACHABLE, True)
        assert not (tmp_path / "called").exists()

    def test_a_proxy_of_ssh_s_configuration_is_refused_since_it_resolves_elsewhere(
        self, opened: Opened, ssh: dict[str, str], tmp_path: Path
    ) -> None:
        (tmp_path / "told").write_text("hostname 127.0.0.1\nproxyjump bastion\n")
        answer = ask(opened(environment=ssh), "git@127.0.0.1:example/payments.git")
        assert (answer.cause, "through a proxy" in answer.detail) == (Cause.NOT_SUPPORTED, True)
        assert not (tmp_path / "called").exists()

    def test_the_real_ssh_connects_to_the_literal_address_whatever_the_name_means(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(20)
            port = listener.getsockname()[1]
            place = SshPlace("forge.invalid", port, f"[forge.invalid]:{port}")
            command = [*shlex.split(place.command("127.0.0.1")), "-p", str(port), "git@forge.invalid", "true"]
            with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as client:
                connection, _ = listener.accept()
                with connection:
                    assert connection.recv(64).startswith(b"SSH-2.0-")
                client.kill()

    def test_the_real_ssh_says_where_it_would_go(self) -> None:
        assert configured("git", "forge.invalid", 2222) == SshPlace("forge.invalid", 2222, "[forge.invalid]:2222")
        assert configured("git", "127.0.0.1", None) == SshPlace("127.0.0.1", 22, "127.0.0.1")


class TestAddresses:
    """The policy is the prober's: our own places are in it, and one bad answer condemns a name."""

    def test_neither_our_database_nor_our_listener_is_cloned_from(self, forge: Forge, opened: Opened) -> None:
        place = f"127.0.0.1:{forge.port}"
        never = ask(opened(allow=(place,), places=OwnPlaces(never=(place,))), forge.url)
        assert (never.cause, "our own database" in never.detail) == (Cause.NOT_CONFIGURED, True)
        own = ask(opened(allow=("127.0.0.0/8",), places=OwnPlaces(own=(place,))), forge.url)
        assert own.cause is Cause.NOT_CONFIGURED
        assert forge.requests == []

    def test_one_bad_answer_condemns_the_name(self) -> None:
        policy = AddressPolicy.of(["127.0.0.1"])
        with pytest.raises(UnreadableError, match="metadata"):
            judged(policy, "forge.test", 443, lambda _: ("127.0.0.1", "169.254.169.254"))
        assert judged(policy, "forge.test", 443, lambda _: ("127.0.0.1",)) == ("127.0.0.1",)

    def test_the_probes_know_our_places_from_the_configuration(self, tmp_path: Path) -> None:
        places = own_places(
            store="postgresql://x@127.0.0.3:5433/s", listen="127.0.0.1:8080", resolver=Resolver(deadline=1)
        )
        assert places == OwnPlaces(("127.0.0.3:5433",), ("127.0.0.1:8080",))
        config = tmp_path / "scorecard.yaml"
        config.write_text("store: postgresql://x@127.0.0.3:5433/s\nserver: {listen: '127.0.0.1:8080'}\n")
        made = probes(Context(config=load_config(config, {}), base=tmp_path, cache=tmp_path, clock=lambda: START))
        assert made[0].repositories._places == places  # type: ignore[attr-defined]
