"""What a probe costs, beside Debian's blackbox exporter on the same machine and the same farm, in one run.

CPU is user and system time of the probing process alone, per probe. A pair is both probes of a service over one fresh
connection; the exporter opens one for each probe and knows no other way.
"""

from __future__ import annotations

import http.client
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from scorecard.egress.answer import Get, Got
from scorecard.egress.policy import AddressPolicy
from scorecard.egress.prober import Prober, ProberSettings
from scorecard.egress.resolver import Resolver
from scorecard.evidence.health import Reply
from tests.bench.farm import HANGING
from tests.faults.hostile_certificates import Authority

ROOT = Path(__file__).parents[2]
TARGETS = 1_000
BURST = 10_000
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Line:
    """One figure and what it should be."""

    name: str
    figure: str
    goal: str
    kept: bool


@contextmanager
def farm(ports: int = 1, certificate: str = "") -> Iterator[list[int]]:
    """The ports of a farm in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.farm", str(ports), *([certificate] if certificate else [])]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        yield [int(port) for port in process.stdout.readline().split()]
        process.stdin.close()
        process.wait(10)


def addresses(count: int, hanging: float = 0.0) -> list[str]:
    """Loopback addresses, the share of hanging ones evenly among them."""
    every = round(1 / hanging) if hanging else count + 1

    def last(number: int) -> int:
        return HANGING if number % every == every - 1 else 1 + number % 200

    return [f"127.{1 + number // 50_000}.{number // 200 % 250}.{last(number)}" for number in range(count)]


def prober(hosts: list[str], ca_file: str = "", *, concurrency: int = 200) -> Prober:
    """Ours, allowed to go to these addresses."""
    settings = ProberSettings(timeout=timedelta(seconds=5), concurrency=concurrency, ca_file=ca_file or None)
    return Prober(AddressPolicy.of(hosts), Resolver(), settings, lambda: datetime(2026, 1, 1, tzinfo=UTC))


def pairs(urls: list[str], *, known: bool = False) -> list[Get]:
    """Both probes of each service; with `known`, those that hang are known from the last run."""
    return [
        Get(key=(number, path), url=url + path, group=number, slow=known and f".{HANGING}:" in url)
        for number, url in enumerate(urls)
        for path in ("/livez", "/readyz")
    ]


@dataclass(frozen=True, slots=True)
class Sweep:
    """What one sweep took."""

    wall: float
    cpu: float
    """Microseconds for each probe."""
    answered: int
    latencies: tuple[float, ...]
    late: float
    """The longest of all, in seconds."""

    @property
    def p99(self) -> float:
        """Milliseconds."""
        return statistics.quantiles(self.latencies, n=100)[98]


def sweep(made: Prober, gets: list[Get]) -> Sweep:
    """Send them all at once."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    answers: list[Got] = list(made.get_many(gets))
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    well = [got.milliseconds for got in answers if got.reply is Reply.ANSWERED]
    return Sweep(wall, cpu / len(gets) * 1e6, len(well), tuple(well), max(got.milliseconds for got in answers) / 1000)


def exporter_cpu(urls: list[str], ca_file: str = "") -> float:
    """Microseconds of the blackbox exporter's CPU for each probe, over as many targets."""
    binary = shutil.which("prometheus-blackbox-exporter")
    if binary is None:
        raise SystemExit("prometheus-blackbox-exporter is not installed")
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "blackbox.yml"
        # With ca_file the exporter reads it for each probe (7.7 ms); the fair way is the system's pool, by environment.
        config.write_text("modules: {http: {prober: http, timeout: 5s, http: {preferred_ip_protocol: ip4}}}\n")
        with socket.create_server(("127.0.0.1", 0)) as free:
            listen = free.getsockname()[1]
        environment = {**os.environ, **({"SSL_CERT_FILE": ca_file, "SSL_CERT_DIR": folder} if ca_file else {})}
        with subprocess.Popen(
            [binary, f"--config.file={config}", f"--web.listen-address=127.0.0.1:{listen}", "--log.level=error"],
            env=environment,
            stderr=subprocess.DEVNULL,
        ) as process:
            targets = [f"{url}/livez" for url in urls]
            _wait(listen)
            _drive(listen, targets[:50])
            before = _cpu(process.pid)
            _drive(listen, targets)
            cpu = _cpu(process.pid) - before
            process.terminate()
    return cpu / len(targets) * 1e6


def _drive(listen: int, targets: list[str], threads: int = 4) -> None:
    def work(mine: list[str]) -> None:
        client = http.client.HTTPConnection("127.0.0.1", listen)
        for target in mine:
            client.request("GET", f"/probe?module=http&target={quote(target, safe='')}")
            body = client.getresponse().read()
            if b"probe_success 1" not in body:
                raise RuntimeError(f"the exporter did not reach {target}: {body[-300:].decode()}")
        client.close()

    workers = [threading.Thread(target=work, args=(targets[number::threads],)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def _wait(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.02)
        else:
            return


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def plain() -> Iterator[Line]:
    """CPU and bursts over plain HTTP."""
    hosts = addresses(TARGETS)
    with farm() as (port,):
        urls = [f"http://{host}:{port}" for host in hosts]
        gets = [Get(key=url, url=f"{url}/livez") for url in urls]
        made = prober(hosts)
        sweep(made, gets[:50])
        ours = min(sweep(made, gets).cpu for _ in range(3))
        theirs = exporter_cpu(urls)
        words = f"{ours:.0f} µs; the blackbox exporter {theirs:.0f} µs: {ours / theirs:.2f}"
        yield Line("plain probe, CPU", words, "at most a fifth", ours <= theirs / 5)
        few = sweep(prober(hosts, concurrency=2), gets)
        yield Line("  99th percentile, two at a time", f"{few.p99:.2f} ms", "under 2 ms", few.p99 < 2)
        many = addresses(BURST)
        done = sweep(prober(many), pairs([f"http://{host}:{port}" for host in many]))
        yield from burst("10,000 x 2 plain, burst", done, 2)
        yield from hanging(port)
        yield from half(port)


def burst(name: str, done: Sweep, seconds: float) -> Iterator[Line]:
    """The figures of a burst to healthy targets."""
    if done.answered != 2 * BURST:
        raise RuntimeError(f"{name}: {2 * BURST - done.answered} of {2 * BURST} probes were not answered")
    yield Line(name, f"{done.wall:.2f} s, {done.cpu:.0f} µs each", f"{seconds:g} s", done.wall <= seconds)
    # Over TLS the farm's one process is the slower side, and what grows is its own queue.
    goal = "none" if "TLS" in name else "under 10 ms"
    yield Line("  99th percentile reported", f"{done.p99:.1f} ms", goal, goal == "none" or done.p99 < 10)


def hanging(port: int) -> Iterator[Line]:
    """A burst in which one of twenty hangs, in the first run and once that is known."""
    hosts = addresses(BURST, 0.05)
    urls = [f"http://{host}:{port}" for host in hosts]
    made = prober(hosts)
    first = sweep(made, pairs(urls))
    yield Line("10,000 x 2, 5 % hanging, first run", f"{first.wall:.2f} s", "none", kept=True)
    again = sweep(made, pairs(urls, known=True))
    yield Line("  the next run", f"{again.wall:.2f} s", "5.75 s", again.wall <= 5.75)
    late = max(first.late, again.late)
    yield Line("  the longest probe", f"{late:.2f} s", "5.3 s", late <= 5.3)


def half(port: int) -> Iterator[Line]:
    """How much later the healthy half is done when the other half hangs, as it did in the last run."""
    hosts = addresses(BURST, 0.5)
    urls = [f"http://{host}:{port}" for host in hosts]
    made = prober(hosts)
    alone = healthy_done(made, pairs([url for url in urls if f".{HANGING}:" not in url]))
    among = healthy_done(made, pairs(urls, known=True))
    words = f"{among:.2f} s; alone {alone:.2f} s"
    yield Line("half of 10,000 hang: healthy ones done", words, "1 s more", among <= alone + 1)


def healthy_done(made: Prober, gets: list[Get]) -> float:
    """Seconds until the last healthy target's answer was handed over."""
    start = last = time.perf_counter()
    for got in made.get_many(gets):
        if got.reply is Reply.ANSWERED:
            last = time.perf_counter()
    return last - start


def encrypted() -> Iterator[Line]:
    """CPU and a burst over TLS, one connection for both probes of a service."""
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority(Path(folder))
        authority.context("good", ["127.0.0.1"])
        ca_file = str(authority.ca_file)
        with farm(TARGETS, str(Path(folder) / "good.pem")) as ports:
            urls = [f"https://127.0.0.1:{port}" for port in ports]
            gets = [Get(key=url, url=f"{url}/livez") for url in urls]
            made = prober(["127.0.0.1"], ca_file)
            sweep(made, gets[:50])
            alone = min(sweep(made, gets).cpu for _ in range(2))
            pair = min(sweep(made, pairs(urls)).cpu for _ in range(2))
            theirs = exporter_cpu(urls, ca_file)
            words = f"{alone:.0f} µs; the blackbox exporter {theirs:.0f} µs: {alone / theirs:.2f}"
            yield Line("TLS probe, CPU, cold", words, "none", kept=True)
            yield Line("TLS pair, CPU", f"{pair:.0f} µs: {pair / theirs:.2f}", "at most half", pair <= theirs / 2)
            yield from burst("10,000 x 2 TLS, burst", sweep(made, pairs(urls * (BURST // TARGETS))), 9)


def lines() -> Iterator[Line]:
    """All figures of this file."""
    yield from plain()
    yield from encrypted()


def main() -> int:
    """Print the figures; 1 when one of them is missed."""
    missed = 0
    for line in lines():
        missed += not line.kept
        print(f"{'  ' if line.kept else '! '}{line.name:<38} {line.figure:<58} goal: {line.goal}", flush=True)  # noqa: T201
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
