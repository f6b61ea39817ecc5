"""AWS: the resources of each service, and what the checks ask about them.

`calls` declares operations and `lane` makes them, once for all services of an account and region (`places` knows
which). `mapping` finds the resources; a `question` is one kind of evidence, made of readers by kind of resource:
`placement`, `standby`, `spread`, `encryption`, `balancers`. `alarms` and `widgets` are the alarms and dashboards of
CloudWatch; `state` and `live` are what Terraform wrote and what runs of it. `policy` says what the role
must be allowed.

To add a call: declare it with `sweep`, `batch` or `single`, and name it in the `Reader` that makes it. To add a kind of
resource to a question: a `Reader`. To add a question: a `Question`, named in `QUESTIONS`.
"""

from __future__ import annotations

from typing import Any

from scorecard.egress.aws import Clients
from scorecard.egress.own import configured_policy
from scorecard.egress.resolver import Resolver
from scorecard.evidence.dashboards import Signal
from scorecard.evidence.secrets import Environments
from scorecard.plain_secrets import Fingerprint
from scorecard.probes import Context, Probe
from scorecard.probes.aws.alarms import CloudWatchAlertsProbe
from scorecard.probes.aws.backups import AWS_BACKUPS
from scorecard.probes.aws.balancers import LISTENER_QUESTION
from scorecard.probes.aws.dumps import BucketDumpsProbe
from scorecard.probes.aws.encryption import DATA_AT_REST, DATA_IN_TRANSIT
from scorecard.probes.aws.environment import SECRET_LEVELS, environments, fingerprint_of
from scorecard.probes.aws.live import LiveProbe
from scorecard.probes.aws.orchestrator import TARGET_CHECKS
from scorecard.probes.aws.placement import PLACEMENT
from scorecard.probes.aws.places import Places
from scorecard.probes.aws.question import Question, QuestionProbe
from scorecard.probes.aws.reports import BucketDrillsProbe
from scorecard.probes.aws.resources import ResourcesProbe
from scorecard.probes.aws.restores import AWS_RESTORES, RESTORE_TESTING
from scorecard.probes.aws.revision import RUNNING_REVISIONS
from scorecard.probes.aws.rollback import ROLLBACK_SETTINGS, ROLLBACK_TRACES, RollbackTracesProbe
from scorecard.probes.aws.rotation import ROTATIONS
from scorecard.probes.aws.spread import SPREADS, WAYS_OUT
from scorecard.probes.aws.standby import STANDBYS
from scorecard.probes.aws.state import plan_probe, reading_child, state_probe
from scorecard.probes.aws.strategy import DRAININGS, HEALTH_GATES, STRATEGIES
from scorecard.probes.aws.widgets import CloudWatchDashboardsProbe

__all__ = ["QUESTIONS", "QuestionProbe", "ResourcesProbe", "configured_places", "probes"]

QUESTIONS: tuple[Question, ...] = (
    PLACEMENT,
    STANDBYS,
    SPREADS,
    WAYS_OUT,
    LISTENER_QUESTION,
    DATA_IN_TRANSIT,
    DATA_AT_REST,
    AWS_BACKUPS,
    AWS_RESTORES,
    RESTORE_TESTING,
    ROLLBACK_SETTINGS,
    ROLLBACK_TRACES,
    STRATEGIES,
    HEALTH_GATES,
    DRAININGS,
    environments(Fingerprint()),
    SECRET_LEVELS,
    ROTATIONS,
    RUNNING_REVISIONS,
    TARGET_CHECKS,
)
"""Every question to AWS about a service's resources."""


def configured_places(config: Any, clock: Any) -> Places:  # noqa: ANN401 - `scorecard.config.Config`, a callable
    """The accounts of a configuration, under its address policy."""
    probing = config.probing
    resolver = Resolver(deadline=probing.timeout.total_seconds())
    policy = configured_policy(
        probing.allow, store=config.store_address().reveal(), listen=config.server.listen, resolver=resolver
    )
    return Places(config.integrations, Clients(policy, resolver, clock))


def probes(context: Context) -> tuple[Probe, ...]:
    """The mapping, a probe for each question, and CloudWatch's two; all with one set of clients."""
    places = configured_places(context.config, context.clock)
    vocabulary = context.config.vocabulary
    severities = frozenset(word for words in vocabulary.severities.model_dump().values() for word in words)
    words = {signal: tuple(getattr(vocabulary.signals, signal.value)) for signal in Signal}
    cloudwatch = (
        CloudWatchAlertsProbe(places, severities, context.clock),
        CloudWatchDashboardsProbe(places, words, context.clock),
    )
    child = reading_child()
    terraform = (state_probe(places, child), plan_probe(places, child), LiveProbe(places))
    questions = (_probe(question, places, context.config) for question in QUESTIONS)
    dumps = (BucketDumpsProbe(places), BucketDrillsProbe(places))
    return ResourcesProbe(places), *cloudwatch, *terraform, *dumps, *questions


def _probe(question: Question, places: Places, config: Any) -> QuestionProbe:  # noqa: ANN401 - as above
    """The probe of a question; rollbacks are remembered, and literals are fingerprinted with the installation's key."""
    if question is ROLLBACK_TRACES:
        return RollbackTracesProbe(question, places)
    if question.answers is Environments:
        return QuestionProbe(environments(fingerprint_of(config)), places)
    return QuestionProbe(question, places)
