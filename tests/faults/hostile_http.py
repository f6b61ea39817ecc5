"""A corpus of hostile HTTP servers on loopback, each with what we promise about it.

Run as a program it serves all of them in a process of its own and prints their ports as JSON; it ends with its stdin.
"""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.faults.hostile_certificates import KINDS, Authority

Serve = Callable[[socket.socket], None]

# What may be said, by the value of `Reply`.
BROKEN = frozenset({"broken"})
SILENT = frozenset({"timed_out"})
RESET = frozenset({"refused"})
ENDED = BROKEN | RESET
ANSWERED = frozenset({"answered"})
TLS = frozenset({"tls_failed"})
_BIG = b"x" * 65_536
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One way to treat a client."""

    name: str
    serve: Serve
    replies: frozenset[str]
    """How the prober may say that it ended."""
    passes: bool = False
    """It is a sound answer: 2xx, within the protocol, and not a page for people to sign in."""
    certificate: str = ""
    """Which certificate it shows; empty for plain HTTP."""
    reason: str = ""
    """What the prober's words hold."""
    handshake: bool = True
    """We take the TLS handshake off it."""


# --- what a server can do --------------------------------------------------------------------------------------------


def say(*parts: bytes) -> Serve:
    """Send and close."""

    def serve(client: socket.socket) -> None:
        for part in parts:
            client.sendall(part)

    return serve


def then_hang(*parts: bytes) -> Serve:
    """Send, then nothing more, with the connection open."""

    def serve(client: socket.socket) -> None:
        say(*parts)(client)
        _until_closed(client)

    return serve


def drip(before: bytes, dripped: bytes, pause: float = 0.05) -> Serve:
    """Send byte after byte, slowly enough that no pause is ever long, again and again."""

    def serve(client: socket.socket) -> None:
        client.sendall(before)
        while True:
            for byte in dripped:
                client.sendall(bytes([byte]))
                time.sleep(pause)

    return serve


def endless(before: bytes, again: bytes) -> Serve:
    """Send the same for ever, as fast as it is taken."""

    def serve(client: socket.socket) -> None:
        client.sendall(before)
        while True:
            client.sendall(again)

    return serve


def reset(*parts: bytes) -> Serve:
    """Send and reset the connection."""

    def serve(client: socket.socket) -> None:
        say(*parts)(client)
        time.sleep(0.02)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")

    return serve


def page(body: bytes, *headers: str, status: str = "200 OK") -> Serve:
    """A whole answer with its length."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return say("\r\n".join([*head, "", ""]).encode("latin-1") + body)


def redirect(location: str, body: bytes = b"") -> Serve:
    """A redirect with a body."""
    return page(body, f"Location: {location}", status="302 Found")


def chunked(*parts: bytes) -> bytes:
    """The head of a chunked answer, and what follows it."""
    return _HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(parts)


def encoded(coding: str, body: bytes, *headers: str) -> Serve:
    """An answer in a content coding that nobody asked for."""
    return page(body, f"Content-Encoding: {coding}", *headers)


def _until_closed(client: socket.socket) -> None:
    client.settimeout(30)
    with suppress(OSError):
        while client.recv(4096):
            pass


def _bomb(size: int = 20_000_000) -> bytes:
    return gzip.compress(bytes(size), 9)


# --- the corpus ------------------------------------------------------------------------------------------------------


def hangs_and_drips() -> Iterator[Behaviour]:
    yield Behaviour("hang-before-status", then_hang(), SILENT, reason="no status line")
    yield Behaviour("hang-in-status", then_hang(b"HTTP/1.1 2"), SILENT)
    yield Behaviour("hang-in-headers", then_hang(_HEAD), SILENT, reason="headers")
    yield Behaviour("hang-in-body", then_hang(_HEAD + b"Content-Length: 10\r\n\r\nok"), SILENT, reason="after 2 bytes")
    yield Behaviour("hang-without-length", then_hang(_HEAD + b"\r\nok"), SILENT)
    yield Behaviour("hang-in-chunk-size", then_hang(chunked(b"1")), SILENT)
    yield Behaviour("hang-in-chunk", then_hang(chunked(b"5\r\nok")), SILENT)
    yield Behaviour("hang-in-trailers", then_hang(chunked(b"2\r\nok\r\n0\r\nX: y\r\n")), SILENT)
    yield Behaviour("hang-after-100", then_hang(b"HTTP/1.1 100 Continue\r\n\r\n"), SILENT)
    yield Behaviour("hang-after-102", then_hang(b"HTTP/1.1 102 Processing\r\n\r\n"), SILENT)
    yield Behaviour("drip-status", drip(b"HTTP/1.1 ", b"2"), SILENT | BROKEN)
    yield Behaviour("drip-reason", drip(b"HTTP/1.1 200 ", b"O"), SILENT)
    yield Behaviour("drip-header", drip(_HEAD + b"X: ", b"y"), SILENT)
    yield Behaviour("drip-headers", drip(_HEAD, b"X: y\r\n"), SILENT | BROKEN)
    yield Behaviour("drip-body", drip(_HEAD + b"Content-Length: 10000\r\n\r\n", b"y"), SILENT)
    yield Behaviour("drip-chunk-size", drip(chunked(), b"0"), SILENT | BROKEN)
    yield Behaviour("drip-chunk-extension", drip(chunked(b"1;"), b"x"), SILENT)
    yield Behaviour("drip-chunks", drip(chunked(), b"1\r\nx\r\n"), SILENT)
    yield Behaviour("drip-trailers", drip(chunked(b"0\r\n"), b"X: y\r\n"), SILENT | BROKEN)
    yield Behaviour("drip-100", drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.005), SILENT | BROKEN)


def endings() -> Iterator[Behaviour]:
    yield Behaviour("close-at-once", say(), ENDED)
    yield Behaviour("reset-at-once", reset(), RESET)
    yield Behaviour("close-in-status", say(b"HTTP/1.1 20"), ENDED)
    yield Behaviour("close-in-headers", say(_HEAD + b"X: "), ENDED)
    yield Behaviour("close-after-status-line", say(b"HTTP/1.1 200 OK\r\n"), ENDED)
    yield Behaviour("close-in-body", say(_HEAD + b"Content-Length: 10\r\n\r\nok"), BROKEN)
    yield Behaviour("close-in-chunk", say(chunked(b"5\r\nok")), BROKEN)
    yield Behaviour("close-before-last-chunk", say(chunked(b"2\r\nok\r\n")), BROKEN)
    yield Behaviour("reset-in-headers", reset(_HEAD), ENDED)
    yield Behaviour("reset-in-body", reset(_HEAD + b"Content-Length: 10\r\n\r\nok"), ENDED)


def endless_ones() -> Iterator[Behaviour]:
    yield Behaviour("endless-100", endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100), BROKEN)
    yield Behaviour("endless-103", endless(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 100), BROKEN)
    yield Behaviour("endless-status-line", endless(b"HTTP/1.1 200 ", _BIG), BROKEN)
    yield Behaviour("endless-garbage", endless(b"", _BIG), BROKEN)
    yield Behaviour("endless-header-line", endless(_HEAD + b"X: ", _BIG), BROKEN)
    yield Behaviour("endless-headers", endless(_HEAD, b"X: y\r\n" * 1000), BROKEN)
    yield Behaviour("endless-body", endless(_HEAD + b"\r\n", _BIG), BROKEN, reason="over 65536 bytes")
    yield Behaviour("endless-body-with-length", endless(_HEAD + b"Content-Length: 99999999999\r\n\r\n", _BIG), BROKEN)
    yield Behaviour("endless-chunks", endless(chunked(), b"10000\r\n" + _BIG + b"\r\n"), BROKEN)
    yield Behaviour("endless-chunk-extension", endless(chunked(b"1;"), _BIG), BROKEN | SILENT)
    yield Behaviour("endless-trailers", endless(chunked(b"0\r\n"), b"X: y\r\n" * 1000), BROKEN)
    yield Behaviour(
        "many-headers", say(_HEAD, b"X: y\r\n" * 500, b"Content-Length: 2\r\n\r\nok"), BROKEN, reason="lines"
    )
    yield Behaviour("large-cookie", say(_HEAD, b"Set-Cookie: a=", b"b" * 40_000, b"\r\n\r\n"), BROKEN, reason="bytes")


def bombs() -> Iterator[Behaviour]:
    once = _bomb()
    yield Behaviour("gzip-bomb", encoded("gzip", once), BROKEN, reason="decodes to over")
    yield Behaviour("x-gzip-bomb", encoded("x-gzip", once), BROKEN)
    yield Behaviour("gzip-bomb-as-json", encoded("gzip", once, "Content-Type: application/json"), BROKEN)
    yield Behaviour("deflate-bomb", encoded("deflate", zlib.compress(bytes(20_000_000), 9)), BROKEN)
    yield Behaviour("double-bomb", encoded("gzip, gzip", gzip.compress(once)), BROKEN)
    yield Behaviour("brotli-bomb", encoded("br", b"\x5b\xff\xff\xff\x03" + bytes(64)), BROKEN, reason="'br'")
    yield Behaviour("zstd-bomb", encoded("zstd", b"\x28\xb5\x2f\xfd" + bytes(64)), BROKEN, reason="'zstd'")
    yield Behaviour("small-double-gzip", encoded("gzip, gzip", gzip.compress(gzip.compress(b"ok"))), BROKEN)
    yield Behaviour("gzip-truncated", encoded("gzip", gzip.compress(b"ok" * 100)[:-9]), BROKEN, reason="truncated")
    yield Behaviour("gzip-that-is-none", encoded("gzip", b"ok"), BROKEN)
    yield Behaviour("gzip-wrong-checksum", encoded("gzip", gzip.compress(b"ok")[:-8] + b"12345678"), BROKEN)
    yield Behaviour("gzip-with-more-behind-it", encoded("gzip", gzip.compress(b"ok") + b"more"), BROKEN)
    yield Behaviour("bomb-in-a-redirect", _bomb_redirect(once), ANSWERED)
    yield Behaviour("endless-redirect-body", endless(b"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n", _BIG), ANSWERED)
    yield Behaviour("hanging-redirect-body", then_hang(b"HTTP/1.1 302 Found\r\nContent-Length: 9\r\n\r\n"), ANSWERED)


def _bomb_redirect(bomb: bytes) -> Serve:
    head = f"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n"
    return say(head.encode() + bomb)


def redirects() -> Iterator[Behaviour]:
    for name, location in (
        ("file", "file:///etc/passwd"),
        ("gopher", "gopher://127.0.0.1:6379/_FLUSHALL"),
        ("credentials", "http://admin:admin@127.0.0.1/"),
        ("metadata", "http://169.254.169.254/latest/meta-data/"),
        ("other-host", "http://10.0.0.1/"),
        ("itself", "/"),
        ("javascript", "javascript:alert(1)"),
        ("nonsense", "http://[::1"),
    ):
        yield Behaviour(f"redirect-to-{name}", redirect(location, b"moved"), ANSWERED)
    yield Behaviour("redirect-without-location", page(b"", status="302 Found"), ANSWERED)
    yield Behaviour("not-modified", say(b"HTTP/1.1 304 Not Modified\r\n\r\n"), ANSWERED)
    yield Behaviour("multiple-choices", page(b"ok", status="300 Multiple Choices"), ANSWERED)


def status_lines() -> Iterator[Behaviour]:
    for name, line in (
        ("99", "HTTP/1.1 99 Low"),
        ("600", "HTTP/1.1 600 High"),
        ("999", "HTTP/1.1 999 High"),
        ("20", "HTTP/1.1 20 OK"),
        ("2000", "HTTP/1.1 2000 OK"),
        ("000", "HTTP/1.1 000 OK"),
        ("negative", "HTTP/1.1 -200 OK"),
        ("hexadecimal", "HTTP/1.1 0xC8 OK"),
        ("words", "HTTP/1.1 OK"),
        ("nothing", "HTTP/1.1"),
        ("no-space", "HTTP/1.1 200OK"),
        ("tab", "HTTP/1.1\t200 OK"),
        ("lower-case", "http/1.1 200 OK"),
        ("leading-space", " HTTP/1.1 200 OK"),
        ("nul", "HTTP/1.1 200 O\0K"),
        ("http-2", "HTTP/2 200 OK"),
        ("http-3", "HTTP/3 200 OK"),
        ("http-1.2", "HTTP/1.2 200 OK"),
        ("icy", "ICY 200 OK"),
        ("rtsp", "RTSP/1.0 200 OK"),
        ("ssh", "SSH-2.0-OpenSSH_9.2"),
        ("smtp", "220 mail.example.net ESMTP"),
    ):
        yield Behaviour(f"status-{name}", say(f"{line}\r\nContent-Length: 2\r\n\r\nok".encode()), BROKEN)
    yield Behaviour("http-0.9", say(b"<html>ok</html>"), BROKEN)
    yield Behaviour("http-2-frames", say(bytes(3) + b"\x04" + bytes(5)), ENDED)
    yield Behaviour("upgrade", say(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"), BROKEN)
    yield Behaviour("upgrade-and-hang", then_hang(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"), BROKEN | SILENT)
    yield Behaviour("early-hints-last", say(b"HTTP/1.1 103 Early Hints\r\nContent-Length: 2\r\n\r\nok"), BROKEN)
    yield Behaviour("continue-last", say(b"HTTP/1.1 100 Continue\r\n\r\n"), ENDED)


def framing() -> Iterator[Behaviour]:
    for name, value in (
        ("negative", "-2"),
        ("hexadecimal", "0x2"),
        ("plus", "+2"),
        ("words", "two"),
        ("fraction", "2.0"),
        ("overflow", "99999999999999999999999999"),
        ("too-long", "3"),
        ("list", "2, 3"),
    ):
        yield Behaviour(f"length-{name}", say(_HEAD + f"Content-Length: {value}\r\n\r\nok".encode()), BROKEN)
    yield Behaviour("two-lengths", say(_HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok"), BROKEN)
    yield Behaviour("length-and-chunked", say(_smuggled()), BROKEN)
    yield Behaviour("unknown-transfer-coding", say(_HEAD + b"Transfer-Encoding: cow\r\n\r\nok"), BROKEN)
    for name, coding in (
        ("identity", b"identity"),
        ("chunked-chunked", b"chunked, chunked"),
        ("chunked-twice", b"chunked\r\nTransfer-Encoding: chunked"),
    ):
        head = _HEAD + b"Transfer-Encoding: " + coding
        yield Behaviour(f"coding-{name}", say(head + b"\r\n\r\n7\r\n2\r\nok\r\n\r\n0\r\n\r\n"), BROKEN)
    old = b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    yield Behaviour("chunked-in-http-1.0", say(old), BROKEN)
    for name, first, trailer in (
        ("success", b"500 Down", b"HTTP/1.1 200 O:K"),
        ("redirect", b"200 OK", b"HTTP/1.1 302 F:ound"),
    ):
        head = b"HTTP/1.1 " + first + b"\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"
        sent = say(head + trailer + b"\r\nX: y\r\n\r\n")
        yield Behaviour(f"trailer-like-a-{name}", sent, ANSWERED, passes=name == "redirect")
    for name, data in (
        ("words", b"two\r\nok\r\n0\r\n\r\n"),
        ("negative", b"-2\r\nok\r\n0\r\n\r\n"),
        ("overflow", b"fffffffffffffffff2\r\nok\r\n0\r\n\r\n"),
        ("empty", b"\r\nok\r\n0\r\n\r\n"),
        ("too-small", b"1\r\nok\r\n0\r\n\r\n"),
        ("no-line-end", b"2\r\nok0\r\n\r\n"),
    ):
        yield Behaviour(f"chunk-size-{name}", say(chunked(data)), BROKEN)
    for name, line in (
        ("no-colon", b"nonsense"),
        ("nul", b"X: a\0b"),
        ("space-in-name", b"X Y: z"),
        ("space-before-colon", b"X : z"),
        ("no-name", b": z"),
        ("bare-cr", b"X: a\rY: b"),
        ("control", b"X: a\x07"),
    ):
        yield Behaviour(f"header-{name}", say(_HEAD + line + b"\r\nContent-Length: 2\r\n\r\nok"), BROKEN)


def _smuggled() -> bytes:
    return _HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"


def bodies() -> Iterator[Behaviour]:
    """Answers within the protocol; what is in them must not be taken for more than it is."""
    as_json = "Content-Type: application/json"
    for name, body in (
        ("deep", b"[" * 60_000),
        ("closed-deep", b"[" * 30_000 + b"]" * 30_000),
        ("digits", b"1" * 60_000),
        ("nan", b'{"status": NaN}'),
        ("twice", b'{"status": "ok", "status": "down"}'),
        ("surrogate", b'{"status": "\\ud800"}'),
        ("bad-utf-8", b'{"status": "\xff\xfe"}'),
        ("utf-16", '{"status": "ok"}'.encode("utf-16")),
        ("cut", b'{"status": "ok"'),
    ):
        yield Behaviour(f"json-{name}", page(body, as_json), ANSWERED, passes=True)
    html = "Content-Type: text/html"
    for name, body in (
        ("password", b"<html><form><input name=p type='password'></form></html>"),
        ("title", b"<!DOCTYPE html><title>Sign in - Example</title>"),
        ("saml", b"<html><form method=post><input type=hidden name=SAMLRequest value=x></form></html>"),
        ("refresh", b"<html><meta http-equiv=refresh content='0; url=/login'></html>"),
        ("unnamed", b"  <!doctype html>\n<title>Log in</title>"),
    ):
        header = "Content-Type: text/plain" if name == "unnamed" else html
        yield Behaviour(f"login-{name}", page(body, header), ANSWERED)
    yield Behaviour("asks-for-a-password", page(b"", 'WWW-Authenticate: Basic realm="x"', status="401 No"), ANSWERED)
    yield Behaviour("sets-cookies", page(b"ok", "Set-Cookie: a=b; Path=/"), ANSWERED, passes=True)
    yield Behaviour("continue-then-ok", say(b"HTTP/1.1 100 Continue\r\n\r\n", _ok()), ANSWERED, passes=True)
    yield Behaviour("folded-header", say(_HEAD + b"X: a\r\n b\r\nContent-Length: 2\r\n\r\nok"), ANSWERED, passes=True)
    yield Behaviour("no-content", say(b"HTTP/1.1 204 No Content\r\n\r\n"), ANSWERED, passes=True)
    yield Behaviour("plain-ok", say(_ok()), ANSWERED, passes=True)
    yield Behaviour("gzip-ok", encoded("gzip", gzip.compress(b"ok")), ANSWERED, passes=True)


def _ok() -> bytes:
    return _HEAD + b"Content-Length: 2\r\nConnection: close\r\n\r\nok"


def encrypted() -> Iterator[Behaviour]:
    for kind, reason in KINDS.items():
        replies = TLS if reason else ANSWERED
        yield Behaviour(f"certificate-{kind}", say(_ok()), replies, not reason, certificate=kind, reason=reason)
    yield Behaviour("tls-hang-in-body", then_hang(_HEAD + b"Content-Length: 9\r\n\r\nok"), SILENT, certificate="good")
    yield Behaviour("tls-drip-headers", drip(_HEAD, b"X"), SILENT, certificate="good")
    yield Behaviour("tls-endless-body", endless(_HEAD + b"\r\n", _BIG), BROKEN, certificate="good")
    yield Behaviour("tls-cut-without-notice", reset_free(_HEAD + b"\r\nok"), ENDED, certificate="good")
    for name, serve, replies in (
        ("tls-hang-in-handshake", then_hang(), SILENT),
        ("tls-drip-handshake", drip(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc", b"\x03"), SILENT | TLS),
        ("tls-plain-answer", say(_ok()), TLS),
        ("tls-alert", say(b"\x15\x03\x03\x00\x02\x02\x28"), TLS),
        ("tls-garbage", say(b"\xff" * 100), TLS),
        ("tls-endless-garbage", endless(b"", _BIG), TLS),
        ("tls-close", say(), TLS | RESET),
        ("tls-reset", reset(), TLS | RESET),
    ):
        yield Behaviour(name, serve, replies, certificate="good", handshake=False)


def reset_free(data: bytes) -> Serve:
    """Send over TLS and close the TCP connection without TLS's own goodbye."""

    def serve(client: socket.socket) -> None:
        client.sendall(data)
        client.shutdown(socket.SHUT_RDWR)

    return serve


def corpus() -> tuple[Behaviour, ...]:
    """All of them."""
    sources = (hangs_and_drips, endings, endless_ones, bombs, redirects, status_lines, framing, bodies, encrypted)
    return tuple(one for source in sources for one in source())


# --- serving ---------------------------------------------------------------------------------------------------------


def _answer(behaviour: Behaviour, client: socket.socket, context: ssl.SSLContext | None) -> None:
    with suppress(OSError):
        client.settimeout(30)
        if context is not None:
            client = context.wrap_socket(client, server_side=True)
        elif not behaviour.certificate:
            client.recv(65_536)
        if context is not None:
            client.recv(65_536)
        behaviour.serve(client)
    client.close()


def _accept(behaviour: Behaviour, listener: socket.socket, context: ssl.SSLContext | None) -> None:
    while True:
        client, _ = listener.accept()
        threading.Thread(target=_answer, args=(behaviour, client, context), daemon=True).start()


def _full_backlog() -> tuple[socket.socket, list[socket.socket]]:
    """A listener that nobody accepts from and whose queue is full, so that one more connection hangs."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    fillers = []
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
        fillers.append(filler)
    return listener, fillers


def main() -> None:
    """Serve, and print `{"ports": {name: port}, "ca": path}`."""
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority(Path(folder))
        ports: dict[str, int] = {}
        for behaviour in corpus():
            listener = socket.create_server(("127.0.0.1", 0), backlog=128)
            ports[behaviour.name] = listener.getsockname()[1]
            takes = behaviour.certificate and behaviour.handshake
            context = authority.context(behaviour.certificate) if takes else None
            threading.Thread(target=_accept, args=(behaviour, listener, context), daemon=True).start()
        listener, fillers = _full_backlog()
        ports["hang-in-connect"] = listener.getsockname()[1]
        print(json.dumps({"ports": ports, "ca": str(authority.ca_file)}), flush=True)  # noqa: T201 - its one line
        sys.stdin.read()
        for filler in fillers:
            filler.close()


if __name__ == "__main__":
    main()
