"""What a configuration makes of the two probes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scorecard.config import load_config
from scorecard.egress.own import configured_policy
from scorecard.egress.resolver import Resolver
from scorecard.evidence import ControlPath, HealthEndpoints
from scorecard.probes import Context
from scorecard.probes.http import ControlPathProbe, HealthProbe, probes

CONFIG = """
auth: {mode: token}
server: {listen: "10.1.2.3:8080"}
store: postgresql://scorecard@10.0.0.5/scorecard
probing:
  timeout: 2s
  concurrency: 17
  allow: [10.0.0.0/8, 127.0.0.1]
  control_targets: [{url: "http://127.0.0.1:9100/"}]
"""


def test_the_probes_are_made_from_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "scorecard.yaml"
    file.write_text(CONFIG, encoding="utf-8")
    context = Context(
        config=load_config(file, {}),
        clock=lambda: datetime(2026, 11, 24, tzinfo=UTC),
        cache=tmp_path / "cache",
        base=tmp_path,
    )
    health, control = probes(context)
    assert isinstance(health, HealthProbe)
    assert isinstance(control, ControlPathProbe)
    assert (health.answers, control.answers) == (HealthEndpoints, ControlPath)
    assert (health.name, control.name) == ("http", "http-control")
    assert health.control_targets == ("http://127.0.0.1:9100/",)
    prober = health.prober
    assert (prober.settings.timeout, prober.settings.concurrency) == (timedelta(seconds=2), 17)
    assert not prober.policy.refuses("10.9.9.9", 80)
    assert "database" in prober.policy.refuses("10.0.0.5", 5432)
    assert "listener" in prober.policy.refuses("10.1.2.3", 8080)
    assert not prober.policy.refuses("127.0.0.1", 80)


@pytest.mark.parametrize(
    ("store", "address", "refused"),
    [
        ("postgresql://u:p@db.test:6432/x", "10.0.0.7", True),
        ("postgresql+psycopg://u@[fd00::7]:6432/x", "fd00::7", True),
        ("postgresql:///x?host=/run/postgresql", "10.0.0.7", False),
        ("sqlite:///scorecard.db", "10.0.0.7", False),
    ],
)
def test_our_database_is_found_in_the_stores_address(store: str, address: str, refused: bool) -> None:
    resolver = Resolver(lookup=lambda _name: ("10.0.0.7",))
    policy = configured_policy(["10.0.0.0/8", "fd00::/8"], store=store, resolver=resolver)
    assert bool(policy.refuses(address, 6432)) is refused
    assert not policy.refuses(address, 80)


def test_a_wildcard_listener_is_every_address_of_this_machine() -> None:
    resolver = Resolver(lookup=lambda _name: ("10.0.0.8", "fd00::8"))
    for listen in ("0.0.0.0:8080", ":8080", "[::]:8080"):
        policy = configured_policy(["10.0.0.0/8", "fd00::/8"], listen=listen, resolver=resolver)
        assert "listener" in policy.refuses("10.0.0.8", 8080)
        assert "listener" in policy.refuses("fd00::8", 8080)
        assert not policy.refuses("10.0.0.8", 80)
