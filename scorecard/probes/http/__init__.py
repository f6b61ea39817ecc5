"""Health endpoints over HTTP, by libcurl; how and why is in `docs/explanation/probing.md`."""

from __future__ import annotations

from scorecard.egress.answer import Get, Got
from scorecard.egress.own import configured_policy
from scorecard.egress.prober import Prober, ProberSettings
from scorecard.egress.resolver import Resolver
from scorecard.probes import Context, Probe
from scorecard.probes.http.control import ControlPathProbe
from scorecard.probes.http.health import HealthProbe

__all__ = ["ControlPathProbe", "Get", "Got", "HealthProbe", "Prober", "ProberSettings", "Resolver", "probes"]


def probes(context: Context) -> tuple[Probe, ...]:
    """The two probes of this system, on one prober."""
    config = context.config
    probing = config.probing
    resolver = Resolver(deadline=probing.timeout.total_seconds())
    policy = configured_policy(
        probing.allow, store=config.store_address().reveal(), listen=config.server.listen, resolver=resolver
    )
    ca_file = str(probing.ca_file) if probing.ca_file else None
    settings = ProberSettings(timeout=probing.timeout, concurrency=probing.concurrency, ca_file=ca_file)
    prober = Prober(policy, resolver, settings, context.clock)
    return HealthProbe(prober, tuple(target.url for target in probing.control_targets)), ControlPathProbe(prober)
