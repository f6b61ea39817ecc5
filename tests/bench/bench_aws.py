"""AWS at size: `python -m tests.bench.bench_aws [SERVICES]`, 500 over 10 accounts with ten resources each.

Asks five questions of AWS about every service against our loopback endpoint, in a process of its own, and prints calls,
seconds and megabytes; then the same resources as if they belonged to a tenth of the services. Goals: the calls of both
are the same, fewer than one call a service, under 60 s, under 300 MB with the data of the endpoint.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scorecard.demo.aws import Endpoint, serving
from tests.probes.aws.fleet import ask_all, fill

GOAL_SECONDS = 60.0
GOAL_MEGABYTES = 300.0
GOAL_CALLS_A_SERVICE = 1.0


def megabytes() -> float:
    """The most that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@contextmanager
def beside(endpoint: Endpoint) -> Iterator[str]:
    """Serve in a child, so that its memory and its time on the processor are not ours."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()

    def serve() -> None:
        with serving(endpoint) as url:
            theirs.send(url)
            theirs.recv()
            theirs.send(endpoint.wrong[:3])

    child = context.Process(target=serve)
    child.start()
    yield ours.recv()
    ours.send("enough")
    wrong = ours.recv()
    child.join()
    assert not wrong, wrong


def measured(services: int, resources: int) -> tuple[int, float]:
    """Calls and seconds of one cycle over everything."""
    from tests.probes.aws.estate import Clock

    endpoint = Endpoint(Clock())
    fleet = fill(endpoint, services=services, resources=resources, accounts=10)
    with tempfile.TemporaryDirectory() as base, beside(endpoint) as url:
        began = time.perf_counter()
        calls, answers = ask_all(fleet, Path(base), url)
        took = time.perf_counter() - began
    sys.stdout.write(f"{services:5} services, {resources} resources: {calls} calls, {took:.1f} s, {answers} answers\n")
    return calls, took


def main() -> int:
    """1 when a goal was missed."""
    os.environ.update(AWS_ACCESS_KEY_ID="AKIADEMO", AWS_SECRET_ACCESS_KEY="demo")
    services = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    before = megabytes()
    calls, took = measured(services, services * 10)
    grown = megabytes() - before
    fewer, _ = measured(services // 10, services * 10)
    sys.stdout.write(f"grown by {grown:.0f} MB, {calls / services:.2f} calls a service\n")
    good = took <= GOAL_SECONDS and grown <= GOAL_MEGABYTES and calls == fewer
    return 0 if good and calls <= services * GOAL_CALLS_A_SERVICE else 1


if __name__ == "__main__":
    sys.exit(main())
