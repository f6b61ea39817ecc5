"""A real network that loses packets: two namespaces, a link between them, and nftables that drops at random.

The scorecard stands in one of them, its targets and its control target in the other; nothing leaves this machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.faults.far_network import SERVICES

ROOT = Path(__file__).parents[2]
DEADLINE = 1.0
HOSTS = tuple(f"198.18.0.{number}" for number in range(10, 30))
CONTROL, NEAR = "198.18.0.99", "198.18.0.1"
DOWN = HOSTS[:12]
"""60 % of the hosts, and of the services."""

pytestmark = pytest.mark.faults


@dataclass
class Link:
    """Two namespaces with a link between them."""

    ip: str
    nft: str
    near: str
    far: str

    def run(self, *command: str) -> None:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stderr}"

    def inside(self, namespace: str, *command: str) -> list[str]:
        return [self.ip, "netns", "exec", namespace, *command]

    def make(self) -> None:
        """Lay the link and give both ends their addresses."""
        self.run(self.ip, "link", "add", "near", "netns", self.near, "type", "veth", "peer", "far", "netns", self.far)
        for namespace, device, addresses in ((self.near, "near", (NEAR,)), (self.far, "far", (*HOSTS, CONTROL))):
            for address in addresses:
                self.run(self.ip, "-n", namespace, "address", "add", f"{address}/24", "dev", device)
            for each in ("lo", device):
                self.run(self.ip, "-n", namespace, "link", "set", each, "up")
        for namespace, hook in ((self.near, "input"), (self.far, "input")):
            self.rule(
                namespace,
                f"add table inet fault; add chain inet fault {hook} {{ type filter hook {hook} priority 0; }}",
            )

    def rule(self, namespace: str, words: str) -> None:
        self.run(*self.inside(namespace, self.nft, words))

    def lose(self, percent: int) -> None:
        """From now on so many of a hundred packets that come to us are lost, whoever sent them."""
        self.rule(
            self.near,
            f"flush chain inet fault input; add rule inet fault input iif near numgen random mod 100 < {percent} drop",
        )

    def heal(self) -> None:
        for namespace in (self.near, self.far):
            self.rule(namespace, "flush chain inet fault input")

    def cut(self, *hosts: str) -> None:
        """These hosts take no packet any more."""
        self.rule(self.far, f"add rule inet fault input ip daddr {{ {', '.join(hosts)} }} drop")


@dataclass
class Scorecard:
    """A scorecard in the namespace `near`."""

    process: subprocess.Popen[str]

    def runs(self, count: int) -> list[dict[str, Any]]:
        """What came of so many runs, one minute apart by its own clock."""
        assert self.process.stdin
        assert self.process.stdout
        found = []
        for _ in range(count):
            self.process.stdin.write("run\n")
            self.process.stdin.flush()
            found.append(json.loads(self.process.stdout.readline()))
        return found


@pytest.fixture
def link(program: Callable[[str], str]) -> Iterator[Link]:
    ip, nft = program("ip"), program("nft")
    if os.geteuid() != 0:
        pytest.skip("making a network namespace needs root")
    made = Link(ip, nft, f"near-{os.getpid()}", f"far-{os.getpid()}")
    with ExitStack() as stack:
        for namespace in (made.near, made.far):
            done = subprocess.run([ip, "netns", "add", namespace], check=False, capture_output=True)
            if done.returncode:
                pytest.skip(f"network namespaces are not allowed here: {done.stderr.decode().strip()}")
            stack.callback(subprocess.run, [ip, "netns", "delete", namespace], check=True)
        made.make()
        yield made


@pytest.fixture
def scorecard(link: Link) -> Iterator[Scorecard]:
    program = (sys.executable, "-m", "tests.faults.far_network")
    commands = (
        (link.far, "far", *HOSTS, CONTROL),
        (link.near, "near", CONTROL, str(DEADLINE), *HOSTS),
    )
    with ExitStack() as stack:
        started = []
        for namespace, *arguments in commands:
            process = stack.enter_context(
                subprocess.Popen(
                    link.inside(namespace, *program, *arguments),
                    cwd=ROOT,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(process.kill)
            started.append(process)
        assert started[0].stdout
        assert started[0].stdout.readline() == "listening\n"
        yield Scorecard(started[1])


def verdicts(run: dict[str, Any]) -> Counter[str]:
    return Counter(status for status, _ in run["judged"].values())


def test_no_service_flips_while_our_own_network_loses_packets_and_the_runs_are_suspect(
    link: Link, scorecard: Scorecard
) -> None:
    sound = scorecard.runs(3)
    assert [verdicts(run) for run in sound] == [Counter({"pass": SERVICES})] * 3
    assert not any(run["suspect"] for run in sound)
    for percent in (10, 30, 60):
        link.lose(percent)
        runs = scorecard.runs(6)
        link.heal()
        assert sum(verdicts(run)["fail"] for run in runs) == 0, (percent, runs)
        assert all(run["suspect"] for run in runs if run["blamed"]), percent
        assert sum(run["suspect"] for run in runs) >= 5, (percent, runs)
        unknown = {cause for run in runs for status, cause in run["judged"].values() if status == "unknown"}
        assert unknown <= {"scorecard_fault"}, (percent, unknown)
        assert verdicts(scorecard.runs(3)[-1]) == Counter({"pass": SERVICES}), "all is well as soon as the network is"


def test_a_true_outage_of_sixty_percent_is_told_as_one_since_the_control_target_is_up(
    link: Link, scorecard: Scorecard
) -> None:
    assert verdicts(scorecard.runs(3)[-1]) == Counter({"pass": SERVICES})
    link.cut(*DOWN)
    runs = scorecard.runs(4)
    assert not any(run["suspect"] for run in runs)
    assert verdicts(runs[-1]) == Counter({"fail": SERVICES * 6 // 10, "pass": SERVICES * 4 // 10})
    failed = {name for name, (status, _) in runs[-1]["judged"].items() if status == "fail"}
    assert failed == {f"s-{number}" for number in range(SERVICES) if number % len(HOSTS) < len(DOWN)}
