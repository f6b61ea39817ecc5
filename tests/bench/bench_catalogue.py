"""How long 2,000 services of two lines and one defaults block take to load: `python tests/bench/bench_catalogue.py`.

Prints seconds, the median of five, for one file and for 2,000 files, and how that compares with parsing alone. The goal
is under 2 s.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from scorecard.catalog import load_catalog
from scorecard.config import load_config
from scorecard.strict_yaml import OWN_FILES, load_all

SERVICES = 2_000
GOAL = 2.0
ROUNDS = 5
NOW = datetime(2026, 11, 24, tzinfo=UTC)
DEFAULTS = """\
defaults:
  - spec:
      health: {liveness: /livez, readiness: /readyz}
      url: "https://{name}.example.org"
      aws: {tags: {Service: "{name}", Team: "{team}"}}
      logs: {cloudwatch: {group: "/ecs/{name}"}}
      dashboards: [{grafana: golden-signals, variables: {service: "{name}"}}]
      alerts: [{prometheus: {matchers: {service: "{name}"}}}]
      runbooks: [runbooks/]
"""


def service(number: int) -> str:
    """One service in two lines."""
    return f"kind: Service\nmetadata: {{name: service-{number:04}, team: team-{number % 40}}}\n"


def seconds(action: Callable[[], object]) -> float:
    """The median of five rounds."""
    taken = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        action()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def main() -> int:
    """Measure, print, and exit 1 when the goal is missed."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "scorecard.yaml").write_text(DEFAULTS)
        (directory / "services").mkdir()
        config = load_config(directory / "scorecard.yaml", {})
        text = "---\n".join(map(service, range(SERVICES)))
        (directory / "services/all.yaml").write_text(text)
        parsing = seconds(lambda: load_all(text, name="all.yaml", limits=OWN_FILES))
        one = seconds(lambda: load_catalog(config, now=NOW))
        loaded = len(load_catalog(config, now=NOW).services)
        (directory / "services/all.yaml").unlink()
        for number in range(SERVICES):
            (directory / f"services/{number}.yaml").write_text(service(number))
        many = seconds(lambda: load_catalog(config, now=NOW))
    sys.stdout.write(
        f"catalogue of {loaded} services: one file {one:.2f} s ({one / parsing:.1f} times parsing alone), "
        f"{SERVICES} files {many:.2f} s, goal {GOAL:g} s\n"
    )
    return int(max(one, many) > GOAL or loaded != SERVICES)


if __name__ == "__main__":
    sys.exit(main())
