"""Logs in files, Loki, Elasticsearch, OpenSearch and CloudWatch: how their lines are, and our request in them.

`lines` reads one line, `source` is what every kind of log answers (`files`, `loki`, `elasticsearch`, `cloudwatch`),
`verify` looks for our request in what they gave, `hunt` does so for thousands of requests, `lanes` keeps a slow store
from holding up the others.
"""

from __future__ import annotations

from scorecard.egress.own import configured_policy
from scorecard.egress.prober import Prober, ProberSettings
from scorecard.egress.resolver import Resolver
from scorecard.evidence.logs import LAG_LIMITS
from scorecard.probes import Context, Probe
from scorecard.probes.logs.correlation import CorrelationProbe
from scorecard.probes.logs.lines import FieldNames
from scorecard.probes.logs.places import Places
from scorecard.probes.logs.sample import LogSampleProbe

__all__ = ["CorrelationProbe", "LogSampleProbe", "probes"]


def probes(context: Context) -> tuple[Probe, ...]:
    """The two probes of logs; the request is sent first, so that a log has something to be sampled."""
    config = context.config
    probing = config.probing
    resolver = Resolver(deadline=probing.timeout.total_seconds())
    policy = configured_policy(
        probing.allow, store=config.store_address().reveal(), listen=config.server.listen, resolver=resolver
    )
    ca_file = str(probing.ca_file) if probing.ca_file else None
    settings = ProberSettings(timeout=probing.timeout, concurrency=probing.concurrency, ca_file=ca_file)
    prober = Prober(policy, resolver, settings, context.clock)
    fields = config.vocabulary.log_fields
    names = FieldNames(
        timestamp=tuple(fields.timestamp),
        level=tuple(fields.level),
        message=tuple(fields.message),
        service=tuple(fields.service),
    )
    places = Places(config.integrations, context.base, policy, resolver, context.clock)
    return CorrelationProbe(prober, places, names, context.clock, LAG_LIMITS), LogSampleProbe(
        places, names, context.clock
    )
