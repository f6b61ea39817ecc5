"""The one session of integrations and sources, against loopback servers."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from scorecard.egress.errors import EgressError
from scorecard.egress.policy import AddressPolicy
from scorecard.egress.resolver import Resolver
from scorecard.egress.session import PolicySession, json_of, policy_session
from scorecard.model import Cause

Respond = Callable[[BaseHTTPRequestHandler], None]


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, host: str, respond: Respond) -> None:
        self.respond = respond
        self.asked: list[tuple[str, dict[str, str], tuple[str, int]]] = []
        super().__init__((host, 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        self.server.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}, self.client_address))
        self.server.respond(self)

    do_POST = do_GET  # noqa: N815 - the name that http.server looks for

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@contextmanager
def serve(respond: Respond, host: str = "127.0.0.1") -> Iterator[tuple[Server, str]]:
    server = Server(host, respond)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server, f"http://{host}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def answer(body: bytes, status: int = 200, **headers: str) -> Respond:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return respond


def lookup(name: str) -> tuple[str, ...]:
    if name == "nowhere.test":
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return {"mixed.test": ("127.0.0.1", "10.0.0.1")}.get(name, ("127.0.0.1",))


@contextmanager
def session(*allow: str, **settings: object) -> Iterator[PolicySession]:
    policy = AddressPolicy.of(allow or ("127.0.0.1",))
    with policy_session(policy, Resolver(lookup=lookup), **settings) as made:
        yield made


def error_of(made: PolicySession, url: str) -> EgressError:
    with pytest.raises(EgressError) as caught:
        made.get_json(url)
    return caught.value


def test_json_is_read_strictly_and_a_connection_is_kept() -> None:
    with serve(answer(b'{"a": [1, 2]}')) as (server, url), session() as made:
        assert made.get_json(f"{url}/x", params={"q": "a b"}) == {"a": [1, 2]}
        assert made.get_json(f"{url}/x") == {"a": [1, 2]}
    assert server.asked[0][0] == "/x?q=a+b"
    assert server.asked[0][2] == server.asked[1][2]


def test_the_name_is_judged_and_pinned_and_the_host_header_is_kept() -> None:
    with serve(answer(b"1")) as (server, url), session() as made:
        port = url.rpartition(":")[2]
        assert made.get_json(f"http://api.test:{port}/") == 1
        assert server.asked[0][1]["host"] == f"api.test:{port}"
        mixed = error_of(made, f"http://mixed.test:{port}/")
    assert mixed.cause is Cause.NOT_CONFIGURED
    assert "mixed.test leads to 10.0.0.1" in mixed.message
    assert len(server.asked) == 1


def test_each_failure_has_its_cause() -> None:
    with session(deadline=1.0) as made:
        assert error_of(made, "http://nowhere.test/").cause is Cause.UNREACHABLE
        assert error_of(made, "http://127.0.0.1:9/").message == "GET http://127.0.0.1:9/: connection refused"
        assert error_of(made, "http://10.0.0.1/").cause is Cause.NOT_CONFIGURED
        assert error_of(made, "file:///etc/passwd").cause is Cause.NOT_CONFIGURED
        assert error_of(made, "http://u:p@127.0.0.1/").cause is Cause.NOT_CONFIGURED


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (401, Cause.ACCESS_DENIED),
        (403, Cause.ACCESS_DENIED),
        (404, Cause.BAD_RESPONSE),
        (429, Cause.RATE_LIMITED),
        (500, Cause.BAD_RESPONSE),
        (503, Cause.UNREACHABLE),
        (504, Cause.TIMEOUT),
    ],
)
def test_each_status_has_its_cause(status: int, cause: Cause) -> None:
    with serve(answer(b"{}", status)) as (_, url), session() as made:
        error = error_of(made, url)
    assert (error.cause, error.status) == (cause, status)
    assert str(status) in error.message


def test_the_environment_is_not_read_and_cookies_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with serve(answer(b"1", Set_Cookie="a=b; Path=/")) as (server, url), session() as made:
        made.get_json(url)
        made.get_json(url)
        assert not made.cookies
    assert all("cookie" not in headers for _, headers, _ in server.asked)


def test_a_redirect_is_not_followed_unless_asked_and_its_body_is_not_read() -> None:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        if handler.path == "/end":
            answer(b"7")(handler)
            return
        handler.send_response(302)
        handler.send_header("Location", "/end")
        handler.send_header("Content-Length", str(1 << 40))
        handler.end_headers()

    with serve(respond) as (server, url):
        with session(deadline=2.0) as made:
            start = time.monotonic()
            assert made.get(f"{url}/start").status_code == 302
            assert time.monotonic() - start < 1
            assert [path for path, _, _ in server.asked] == ["/start"]
        with session(redirects=3) as made:
            assert made.get_json(f"{url}/start") == 7


def test_a_redirect_to_another_origin_carries_no_secret() -> None:
    with serve(answer(b"1")) as (other, there):
        redirect = answer(b"", 307, Location=f"{there}/x")
        with serve(redirect) as (first, here), session(redirects=1, headers={"Authorization": "Bearer t0ken"}) as made:
            made.get_json(here)
    assert first.asked[0][1]["authorization"] == "Bearer t0ken"
    assert "authorization" not in other.asked[0][1]


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "http://a:b@127.0.0.1/",
        "http://10.0.0.1/",
        "http://169.254.169.254/",
    ],
)
def test_a_redirect_out_of_the_policy_is_an_error(location: str) -> None:
    with serve(answer(b"", 302, Location=location)) as (_, url), session(redirects=3) as made:
        assert error_of(made, url).cause in {Cause.BAD_RESPONSE, Cause.NOT_CONFIGURED}


def test_a_circle_of_redirects_ends_after_three_hops() -> None:
    with serve(answer(b"", 302, Location="/again")) as (server, url), session(redirects=99) as made:
        assert made.get(url).status_code == 302
    assert len(server.asked) == 4


def test_a_dripping_answer_ends_by_the_deadline() -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.1)

    with serve(_quietly(drip)) as (_, url), session(deadline=0.6) as made:
        start = time.monotonic()
        error = error_of(made, url)
        assert time.monotonic() - start < 2
    assert (error.cause, error.message) == (Cause.TIMEOUT, f"GET {url}/: not complete within 0.6 s")


def test_an_endless_body_and_a_bomb_end_at_the_budget() -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for _ in range(10_000):
            handler.wfile.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")

    with serve(_quietly(endless)) as (_, url), session(budget=100_000) as made:
        assert error_of(made, url).message.endswith("the answer is over 100000 bytes")
    bomb = gzip.compress(b"0" * 10_000_000)
    with serve(answer(bomb, Content_Encoding="gzip")) as (_, url), session(budget=100_000) as made:
        assert "decodes to over 100000 bytes" in error_of(made, url).message


def test_gzip_is_decoded() -> None:
    body = gzip.compress(json.dumps({"a": 1}).encode())
    with serve(answer(body, Content_Encoding="gzip")) as (server, url), session() as made:
        assert json_of(made.get(url)) == {"a": 1}
    assert server.asked[0][1]["accept-encoding"] == "gzip"


def test_a_post_is_sent_once_and_never_redirected() -> None:
    with serve(answer(b"", 307, Location="/x")) as (server, url), session(redirects=3) as made:
        assert made.post(url, data=b"{}").status_code == 307
    assert len(server.asked) == 1


def test_a_proxy_of_the_operator_gets_the_whole_address() -> None:
    with serve(answer(b"5")) as (server, url), session(proxy=url) as made:
        assert made.get_json("http://api.example.net/x") == 5
    assert server.asked[0][0] == "http://api.example.net/x"


def test_several_threads_share_a_session_with_a_deadline_each() -> None:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        if handler.path == "/hang":
            time.sleep(1.5)
        answer(b"1")(handler)

    seen: dict[int, object] = {}
    with serve(_quietly(respond)) as (_, url), session(deadline=0.5) as made:

        def ask(number: int) -> None:
            try:
                seen[number] = made.get_json(f"{url}/{'hang' if number % 2 else 'x'}")
            except EgressError as error:
                seen[number] = error.cause

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert seen == {number: Cause.TIMEOUT if number % 2 else 1 for number in range(8)}


def _quietly(respond: Respond) -> Respond:
    """A server whose client goes away in the middle has nothing to say about it."""

    def quiet(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        try:
            respond(handler)
        except OSError:
            handler.wfile = handler.connection.makefile("wb")

    return quiet
