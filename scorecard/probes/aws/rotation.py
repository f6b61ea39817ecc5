"""How the stored secrets of a service are changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from scorecard.evidence import Unavailable
from scorecard.evidence.aws import Unseen
from scorecard.evidence.secrets import Rotation, Rotations
from scorecard.model import Cause
from scorecard.probes.aws import definitions, stores
from scorecard.probes.aws.arns import Arn
from scorecard.probes.aws.calls import sweep
from scorecard.probes.aws.definitions import Container
from scorecard.probes.aws.environment import (
    MANAGER,
    PARAMETER_KIND,
    PARAMETERS,
    SECRET_KIND,
    SECURE,
    Reference,
    elsewhere,
    fetched,
    injected,
    of_versions,
    parameter_of,
    secret_of,
    variables,
)
from scorecard.probes.aws.lane import Item, Lane
from scorecard.probes.aws.question import Question, Read, Reader, of_known

SECRETS = sweep("secretsmanager", "ListSecrets", "SecretList", MaxResults=100)
_NONE = "SSM has no rotation of its own"


class _Kept:
    """Finds the rotation of references; asks each store only where one leads there."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane

    def of(self, reference: Reference) -> Rotation | Unseen | None:
        """None where it is no stored secret: a parameter in plain text is a matter of its level."""
        named = secret_of(reference.target)
        if named is None:
            return self._parameter(reference)
        if elsewhere(self._lane, reference.target):
            words = (
                f"{self._lane.label}: the secret {named[2]} is kept in another region or account, which is not asked"
            )
            return Unseen(named[2], Unavailable(Cause.NOT_SUPPORTED, words))
        swept = self._lane.all(SECRETS)
        known = {str(one.get("Name", "")): one for one in swept.items}
        # A name may end in what looks like Secrets Manager's suffix; the ARN then has it twice.
        one = known.get(named[2]) or next((s for s in swept.items if s.get("ARN") == reference.target), None)
        if one is None:
            words = f"{self._lane.label}, {SECRETS.name}: there is no secret {named[2]}, which is {reference.words}"
            return Unseen(named[2], swept.missing or Unavailable(Cause.NO_DATA, words))
        return _of_secret(named[2], one)

    def _parameter(self, reference: Reference) -> Rotation | Unseen | None:
        name = parameter_of(reference.target)
        if elsewhere(self._lane, reference.target):
            words = f"{self._lane.label}: the parameter {name} is kept in another region or account, which is not asked"
            return Unseen(name, Unavailable(Cause.NOT_SUPPORTED, words))
        swept = self._lane.all(PARAMETERS)
        known = {str(one.get("Name", "")).lstrip("/"): one for one in swept.items}
        if name not in known:
            words = f"{self._lane.label}, {PARAMETERS.name}: there is no parameter {name}, which is {reference.words}"
            return Unseen(name, swept.missing or Unavailable(Cause.NO_DATA, words))
        if known[name].get("Type") != "SecureString":
            return None
        return Rotation(name=name, kind=SECURE, enabled=False, by=_NONE)


def _of_secret(name: str, one: Item) -> Rotation:
    rules = one.get("RotationRules") or {}
    days = rules.get("AutomaticallyAfterDays")
    return Rotation(
        name=name,
        kind=MANAGER,
        enabled=bool(one.get("RotationEnabled")),
        by="RDS" if one.get("OwningService") == "rds" else str(one.get("RotationLambdaARN") or ""),
        last=_time(one.get("LastRotatedDate")),
        due=_time(one.get("NextRotationDate")),
        every_days=float(days) if days else None,
        created=_time(one.get("CreatedDate")),
    )


def _time(value: object) -> datetime | None:
    return value if isinstance(value, datetime) else None


def _rotations(kept: _Kept, references: Sequence[Reference]) -> list[Rotation | Unseen]:
    return [found for one in references if (found := kept.of(one)) is not None]


def _of_containers(lane: Lane, arns: Sequence[Arn]) -> Read:
    kept = _Kept(lane)

    def of_service(_name: str, parts: Sequence[Container]) -> list[Rotation | Unseen]:
        return _rotations(kept, [one for part in parts for one in (*injected(part), *fetched(variables(part)))])

    return of_known(definitions.containers(lane, arns), of_service)


def _of_functions(lane: Lane, arns: Sequence[Arn]) -> Read:
    kept = _Kept(lane)
    return of_versions(lane, arns, lambda _part, given: _rotations(kept, list(fetched(given))))


def _of_tagged(lane: Lane, arns: Sequence[Arn]) -> Read:
    """Secrets and parameters that carry the service's tags; those that are gone are no subjects."""
    kept = _Kept(lane)
    found: dict[str, Sequence[Rotation | Unseen] | Unavailable] = {}
    for arn in arns:
        one = kept.of(Reference(arn.text, "tagged as the service's"))
        if isinstance(one, Unseen) and one.why.cause is Cause.NO_DATA:
            continue
        found[arn.text] = () if one is None else (one,)
    return found


def _of_databases(read: Callable[[Lane, Sequence[Arn]], stores.Known]) -> Callable[[Lane, Sequence[Arn]], Read]:
    def rotations(lane: Lane, arns: Sequence[Arn]) -> Read:
        return {
            name: one if isinstance(one, Unavailable) else _of_master(name, one)
            for name, one in read(lane, arns).items()
        }

    return rotations


def _of_master(name: str, database: Mapping[str, Any]) -> Sequence[Rotation]:
    master = database.get("MasterUserSecret")
    if not master:
        return ()
    status = str(master.get("SecretStatus", ""))
    impaired = f"RDS says that its secret is {status}" if status == "impaired" else ""
    return (Rotation(name=name, kind="RDS-managed", enabled=True, by="RDS", impaired=impaired),)


ROTATIONS = Question(
    "rotations",
    Rotations,
    (
        Reader(("ecs:service",), _of_containers, (*definitions.OF_SERVICES, SECRETS, PARAMETERS)),
        Reader(("lambda:function",), _of_functions, (*definitions.OF_FUNCTIONS, SECRETS, PARAMETERS)),
        Reader(("rds:db",), _of_databases(stores.databases), (stores.DB_INSTANCES,)),
        Reader(("rds:cluster",), _of_databases(stores.clusters), (stores.DB_CLUSTERS,)),
        Reader((SECRET_KIND,), _of_tagged, (SECRETS,)),
        Reader((PARAMETER_KIND,), _of_tagged, (PARAMETERS,)),
    ),
    "secrets in a store",
)
