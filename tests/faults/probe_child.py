"""Probes the whole hostile corpus in a process of its own and prints by how much it grew, in KiB.

Takes what `hostile_http` prints, as its one argument.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from scorecard.egress.answer import Get
from scorecard.egress.policy import AddressPolicy
from scorecard.egress.prober import Prober, ProberSettings
from scorecard.egress.resolver import Resolver
from tests.faults.hostile_certificates import HOST
from tests.faults.hostile_http import corpus


def peak() -> int:
    """The most memory that this process ever had resident, in KiB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def main() -> None:
    """Warm up with one sound answer over TLS, then probe everything three times."""
    told = json.loads(sys.argv[1])
    encrypted = {one.name for one in corpus() if one.certificate}
    gets = [
        Get(key=name, url=f"https://{HOST}:{port}/" if name in encrypted else f"http://127.0.0.1:{port}/")
        for name, port in told["ports"].items()
    ]
    prober = Prober(
        AddressPolicy.of(["127.0.0.1"]),
        Resolver(lookup=lambda _name: ("127.0.0.1",)),
        ProberSettings(timeout=timedelta(seconds=0.5), ca_file=told["ca"]),
        lambda: datetime(2026, 11, 24, tzinfo=UTC),
    )
    list(prober.get_many([get for get in gets if get.key == "certificate-good"]))
    before = peak()
    answers = sum(1 for _ in range(3) for _ in prober.get_many(gets))
    print(json.dumps({"answers": answers, "grew": peak() - before}))  # noqa: T201 - its one line


if __name__ == "__main__":
    main()
