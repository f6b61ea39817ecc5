"""The prober itself: connections, lanes, its own faults, and what it leaves behind."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scorecard.egress.answer import Get
from scorecard.egress.policy import AddressPolicy
from scorecard.egress.prober import Prober, ProberSettings
from scorecard.egress.resolver import NameState, Resolver
from scorecard.evidence.health import Reply
from scorecard.model import Cause

ROOT = Path(__file__).parents[3]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def clock() -> datetime:
    return datetime(2026, 11, 24, tzinfo=UTC)


@contextmanager
def server(pause: float = 0.0) -> Iterator[tuple[int, list[tuple[str, int]]]]:
    """Answers every request `ok` on every loopback address; silent on those that end in .250."""
    listener = socket.create_server(("0.0.0.0", 0), backlog=1024)
    seen: list[tuple[str, int]] = []
    open_ones: list[socket.socket] = []

    def serve(client: socket.socket) -> None:
        with client:
            client.settimeout(10)
            try:
                while client.recv(65_536):
                    time.sleep(pause)
                    client.sendall(OK)
            except OSError:
                return

    def accept() -> None:
        while True:
            try:
                client, address = listener.accept()
            except OSError:
                return
            seen.append(address)
            if client.getsockname()[0].endswith(".250"):
                open_ones.append(client)
            else:
                threading.Thread(target=serve, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1], seen
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for one in open_ones:
            one.close()


def prober(*allow: str, seconds: float = 1.0, policy: AddressPolicy | None = None, concurrency: int = 50) -> Prober:
    settings = ProberSettings(timeout=timedelta(seconds=seconds), concurrency=concurrency)
    return Prober(policy or AddressPolicy.of(allow or ("127.0.0.1",)), Resolver(deadline=seconds), settings, clock)


def test_a_group_shares_a_connection_and_a_get_without_one_shares_none() -> None:
    with server() as (port, seen):
        url = f"http://127.0.0.1:{port}/"
        made = prober()
        assert len(list(made.get_many([Get(key=n, url=url, group="a") for n in range(3)]))) == 3
        assert len(seen) == 1
        list(made.get_many([Get(key=n, url=url) for n in range(3)]))
        assert len(seen) == 4
        list(made.get_many([Get(key=n, url=url, group="a") for n in range(3)]))
        assert len(seen) == 5, "nothing is left over from the sweep before"


def test_what_a_get_sends_is_its_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        requests: list[bytes] = []

        def record() -> None:
            for _ in range(2):
                client, _ = listener.accept()
                with client:
                    requests.append(client.recv(65_536))
                    client.sendall(OK)

        thread = threading.Thread(target=record)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        made = prober(concurrency=1)
        assert [got.status for got in made.get_many([Get(key=1, url=url, headers=(("X-Request-ID", "abc"),))])] == [200]
        assert [got.status for got in made.get_many([Get(key=2, url=url)])] == [200]
        thread.join()
    assert b"\r\nX-Request-ID: abc\r\n" in requests[0]
    assert b"X-Request-ID" not in requests[1]
    assert requests[1].startswith(b"GET / HTTP/1.1\r\nHost: 127.0.0.1")


@pytest.mark.parametrize("error", [MemoryError, SystemExit, KeyError, KeyboardInterrupt])
def test_whatever_is_raised_for_one_target_is_that_targets_alone(error: type[BaseException]) -> None:
    class Broken(AddressPolicy):
        def refuses(self, address: str, port: int) -> str:
            if address == "127.0.0.66" and threading.current_thread().name == "prober" and self.armed:
                raise error
            self.armed = self.armed or address == "127.0.0.66"
            return super().refuses(address, port)

        armed = False

    policy = Broken.of(["127.0.0.1", "127.0.0.66"])
    with server() as (port, _):
        gets = [Get(key=n, url=f"http://127.0.0.1:{port}/") for n in range(5)]
        gets.insert(2, Get(key="bad", url=f"http://127.0.0.66:{port}/"))
        answers = {got.key: got for got in prober(policy=policy).get_many(gets)}
    assert len(answers) == 6
    bad = answers.pop("bad")
    assert (bad.reply, bad.cause, bad.detail) == (
        Reply.NOT_SENT,
        Cause.PROBE_ERROR,
        f"{error.__name__} while it was probed",
    )
    assert {got.status for got in answers.values()} == {200}


def test_an_iterator_that_is_dropped_ends_its_sweep() -> None:
    with server() as (port, _):
        gets = [Get(key=1, url=f"http://127.0.0.1:{port}/"), Get(key=2, url=f"http://127.0.0.250:{port}/")]
        made = prober("127.0.0.1", "127.0.0.250", seconds=30)
        answers = iter(made.get_many(gets))
        assert next(answers).key == 1
        del answers
        names = [thread.name for thread in threading.enumerate()]
    assert "prober" not in names


def test_sweeps_leave_neither_descriptors_nor_threads_behind() -> None:
    with server() as (port, _), socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        made = prober(seconds=0.2)
        ports = (port, silent.getsockname()[1], port)
        gets = [Get(key=n, url=f"http://127.0.0.1:{one}/", group="g") for n, one in enumerate(ports)]

        def counts() -> tuple[int, int]:
            return sum(1 for _ in Path("/proc/self/fd").iterdir()), threading.active_count()

        list(made.get_many(gets))
        time.sleep(0.1)
        before, threads = counts()
        for _ in range(10):
            assert len(list(made.get_many(gets))) == 3
        time.sleep(0.1)
        after, threads_after = counts()
    # The test's own server may still hold connections of the last sweep.
    assert after - before <= 4
    assert threads_after - threads <= 3


def test_targets_known_to_hang_slow_nobody_down() -> None:
    with server() as (port, _):
        well = [Get(key=n, url=f"http://127.0.0.{1 + n % 99}:{port}/") for n in range(100)]
        ill = [Get(key=f"ill-{n}", url=f"http://127.0.{n % 250}.250:{port}/", slow=True) for n in range(100)]
        allow = [*(f"127.0.0.{n}" for n in range(1, 100)), *(f"127.0.{n}.250" for n in range(250))]
        start = time.monotonic()
        arrived = {got.key: time.monotonic() - start for got in prober(*allow, concurrency=10).get_many([*ill, *well])}
    assert max(arrived[get.key] for get in well) < min(arrived[get.key] for get in ill)
    assert max(arrived.values()) < 5, "a hundred that hang end at one deadline, not by tens"


def test_a_few_places_are_enough_when_unknown_targets_hang() -> None:
    with server() as (port, _):
        allow = [f"127.0.{n}.250" for n in range(40)]
        gets = [Get(key=n, url=f"http://127.0.{n}.250:{port}/") for n in range(40)]
        start = time.monotonic()
        answers = list(prober(*allow, concurrency=5).get_many(gets))
        took = time.monotonic() - start
    assert {got.reply for got in answers} == {Reply.TIMED_OUT}
    assert took < 6, "one after another by fives it would be eight deadlines"


def test_a_bad_address_and_an_empty_list_are_answered_without_a_sound() -> None:
    made = prober()
    assert list(made.get_many([])) == []
    [got] = made.get_many([Get(key=1, url="ftp://example.net/")])
    assert (got.reply, got.cause) == (Reply.NOT_SENT, Cause.NOT_CONFIGURED)


def test_a_process_that_stood_still_blames_no_target() -> None:
    script = """
import sys
from datetime import UTC, datetime, timedelta
from scorecard.egress.answer import Get
from scorecard.egress.policy import AddressPolicy
from scorecard.egress.prober import Prober, ProberSettings
from scorecard.egress.resolver import Resolver
made = Prober(
    AddressPolicy.of(["127.0.0.1"]), Resolver(), ProberSettings(timeout=timedelta(seconds=1)),
    lambda: datetime(2026, 1, 1, tzinfo=UTC),
)
print("ready", flush=True)
for got in made.get_many([Get(key=1, url=sys.argv[1])]):
    print(got.reply.value, got.detail, flush=True)
"""
    with (
        server(pause=0.6) as (port, seen),
        subprocess.Popen(
            [sys.executable, "-c", script, f"http://127.0.0.1:{port}/"], cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as child,
    ):
        while not seen and child.poll() is None:
            time.sleep(0.01)
        child.send_signal(signal.SIGSTOP)
        time.sleep(2)
        child.send_signal(signal.SIGCONT)
        told, _ = child.communicate(timeout=10)
    assert told.splitlines()[1] in {"not_sent this process stood still", "answered "}


# --- names -----------------------------------------------------------------------------------------------------------


def test_a_resolver_whose_threads_are_all_stuck_says_so_at_once() -> None:
    release = threading.Event()

    def stuck(_name: str) -> tuple[str, ...]:
        release.wait(10)
        return ()

    resolver = Resolver(lookup=stuck, threads=2, deadline=0.1)
    assert resolver.resolve("a.test", 0.2).state is NameState.FAILED
    assert resolver.resolve("b.test", 0.2).state is NameState.FAILED
    start = time.monotonic()
    answer = resolver.resolve("c.test", 5)
    assert time.monotonic() - start < 2
    assert answer.detail == "all 2 threads wait for a resolver that does not answer"
    release.set()


@pytest.mark.parametrize(
    ("raised", "state"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), NameState.MISSING),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), NameState.FAILED),
        (UnicodeError("label too long"), NameState.FAILED),
        (MemoryError(), NameState.FAILED),
        (SystemExit(), NameState.FAILED),
    ],
)
def test_whatever_a_lookup_raises_is_an_answer(raised: BaseException, state: NameState) -> None:
    def lookup(_name: str) -> tuple[str, ...]:
        raise raised

    resolver = Resolver(lookup=lookup, threads=1)
    assert [resolver.resolve("a.test", 1).state for _ in range(3)] == [state] * 3


def test_a_name_without_addresses_is_missing_and_localhost_is_found() -> None:
    assert Resolver(lookup=lambda _name: ()).resolve("a.test", 1).state is NameState.MISSING
    found = Resolver().resolve("localhost", 2)
    assert found.state is NameState.FOUND
    assert set(found.addresses) <= {"127.0.0.1", "::1"}


def test_a_connection_that_is_left_over_is_closed_without_a_word(capfd: pytest.CaptureFixture[str]) -> None:
    with server(pause=0.4) as (port, seen):
        made = prober(seconds=2)
        answers = list(made.get_many([Get(key=n, url=f"http://127.0.0.1:{port}/", group="g") for n in range(2)]))
    assert [got.status for got in answers] == [200, 200]
    assert len(seen) == 2, "the first took long, so that the second went over a connection of its own"
    assert capfd.readouterr().err == ""
