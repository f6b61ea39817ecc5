"""Literal secrets in the definitions of what runs, and how each secret of a service is kept.

A value is looked at here and goes no further: what leaves is the variable's name, its place, its kind, and a keyed
fingerprint.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from scorecard.config.sections import SecretUnavailable
from scorecard.evidence import Unavailable
from scorecard.evidence.aws import Unseen
from scorecard.evidence.secrets import (
    DYNAMIC,
    PLAIN,
    STORED,
    Environments,
    KeptSecret,
    PlainSecret,
    SecretLevels,
    Variables,
)
from scorecard.model import Cause
from scorecard.plain_secrets import Fingerprint, secret_kind, secret_name
from scorecard.probes.aws import definitions, stores
from scorecard.probes.aws.arns import Arn, read_arn
from scorecard.probes.aws.calls import sweep
from scorecard.probes.aws.definitions import Container, Function
from scorecard.probes.aws.lane import Item, Lane
from scorecard.probes.aws.question import Question, Read, Reader, of_known

PARAMETERS = sweep("ssm", "DescribeParameters", "Parameters", MaxResults=50)
SECRET_KIND, PARAMETER_KIND = "secretsmanager:secret", "ssm:parameter"
MANAGER, SECURE, PLAIN_PARAMETER = "Secrets Manager", "SSM SecureString", "SSM parameter in plain text"
_SUFFIX = re.compile(r"-[A-Za-z0-9]{6}")
"""What Secrets Manager puts behind a name in its ARN."""


# --- literals in definitions -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Literals:
    """What the variables of one container or function hold."""

    count: int
    plain: tuple[PlainSecret, ...]


def literals(pairs: Iterable[tuple[str, str]], fingerprint: Fingerprint) -> Literals:
    """The literal secrets among variables."""
    given = [(name, value) for name, value in pairs if value]
    found = ((name, value, secret_kind(name, value)) for name, value in given)
    return Literals(
        len(given),
        tuple(
            PlainSecret(name=name, kind=kind.value, fingerprint=fingerprint(value))
            for name, value, kind in sorted(found, key=lambda one: one[0])
            if kind is not None
        ),
    )


def variables(container: Container) -> Iterator[tuple[str, str]]:
    """What an ECS container is given: its environment, and the options of its log driver, which hold tokens too."""
    for one in container.definition.get("environment", ()):
        yield str(one.get("name", "")), str(one.get("value", ""))
    options = (container.definition.get("logConfiguration") or {}).get("options") or {}
    for name, value in options.items():
        yield f"logConfiguration.options.{name}", str(value)


def _container_variables(fingerprint: Fingerprint) -> Callable[[Lane, Sequence[Arn]], Read]:
    def read(lane: Lane, arns: Sequence[Arn]) -> Read:
        def of_service(_name: str, parts: Sequence[Container]) -> list[Variables | Unseen]:
            items: list[Variables | Unseen] = []
            for part in parts:
                seen = literals(variables(part), fingerprint)
                items.append(
                    Variables(
                        name=part.name, kind="ECS container", where=part.where, count=seen.count, plain=seen.plain
                    )
                )
                files = [str(one.get("value", "")) for one in part.definition.get("environmentFiles", ())]
                if files:
                    words = f"{lane.label}: {part.where} takes variables from {', '.join(files)}, which is not read"
                    items.append(Unseen(f"{part.name} from files", Unavailable(Cause.NOT_SUPPORTED, words)))
            return items

        return of_known(definitions.containers(lane, arns), of_service)

    return read


def function_variables(lane: Lane, version: Function) -> Mapping[str, str] | Unavailable:
    """The variables of one version of a Lambda function; Lambda withholds them where it may not use their key."""
    about = version.configuration.get("Environment") or {}
    error = about.get("Error")
    if error:
        words = (
            f"{lane.label}, lambda: the variables of {version.name} are withheld: {error.get('ErrorCode', 'no reason')}"
        )
        return Unavailable(Cause.ACCESS_DENIED, words)
    return {str(name): str(value) for name, value in (about.get("Variables") or {}).items()}


def of_versions(
    lane: Lane, arns: Sequence[Arn], read: Callable[[Function, Mapping[str, str]], Iterable[object]]
) -> Read:
    """What `read` makes of the variables of each version of Lambda functions; withheld ones are `Unseen`."""

    def of_function(_name: str, parts: Sequence[Function]) -> list[object]:
        items: list[object] = []
        for part in parts:
            given = function_variables(lane, part)
            items += [Unseen(part.name, given)] if isinstance(given, Unavailable) else read(part, given)
        return items

    return of_known(definitions.versions(lane, arns), of_function)


def _function_variables(fingerprint: Fingerprint) -> Callable[[Lane, Sequence[Arn]], Read]:
    def of_version(part: Function, given: Mapping[str, str]) -> tuple[Variables]:
        seen = literals(given.items(), fingerprint)
        return (
            Variables(name=part.name, kind="Lambda function", where=part.where, count=seen.count, plain=seen.plain),
        )

    return lambda lane, arns: of_versions(lane, arns, of_version)


def _both_revisions(one: Variables | Unseen, other: Variables | Unseen) -> Variables | Unseen:
    """A container stands in two task definitions while a deployment is under way: what either holds counts."""
    if isinstance(one, Unseen) or isinstance(other, Unseen):
        return one if isinstance(one, Unseen) else other
    plain = {(found.name, found.fingerprint): found for found in (*one.plain, *other.plain)}
    where = one.where if one.where == other.where else f"{one.where} and {other.where}"
    return replace(one, where=where, count=max(one.count, other.count), plain=tuple(plain.values()))


def fingerprint_of(config: Any) -> Fingerprint:  # noqa: ANN401 - `scorecard.config.Config`
    """Made with the key of the installation, which every process of it has; without one, none."""
    try:
        key = config.auth.read_secret("session_key")
    except SecretUnavailable:
        key = None
    return Fingerprint(key.reveal().encode() if key else b"")


def environments(fingerprint: Fingerprint) -> Question:
    """The question about literals, with the installation's key."""
    return Question(
        "environments",
        Environments,
        (
            Reader(("ecs:service",), _container_variables(fingerprint), definitions.OF_SERVICES),
            Reader(("lambda:function",), _function_variables(fingerprint), definitions.OF_FUNCTIONS),
        ),
        "ECS services or Lambda functions",
        _both_revisions,
    )


# --- how each is kept ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a definition says that a secret is kept."""

    target: str
    """An ARN, or the name of an SSM parameter."""
    words: str
    """`injected at start as DB_PASSWORD`."""


def injected(container: Container) -> Iterator[Reference]:
    """The secrets that ECS gives a container when it starts, and the one with which it fetches the image."""
    about = container.definition
    for one in about.get("secrets", ()):
        yield Reference(str(one["valueFrom"]), f"injected at start as {one['name']}")
    for one in (about.get("logConfiguration") or {}).get("secretOptions", ()):
        yield Reference(str(one["valueFrom"]), f"injected into the log driver as {one['name']}")
    registry = (about.get("repositoryCredentials") or {}).get("credentialsParameter")
    if registry:
        yield Reference(str(registry), "used to fetch the image")


def fetched(given: Mapping[str, str] | Iterable[tuple[str, str]]) -> Iterator[Reference]:
    """The secrets whose ARN a program is given, to fetch them at run time."""
    for name, value in given.items() if isinstance(given, Mapping) else given:
        arn = read_arn(value.strip())
        if arn is not None and arn.kind in {SECRET_KIND, PARAMETER_KIND}:
            yield Reference(value.strip(), f"fetched at run time by {name}")


def secret_of(target: str) -> tuple[str, str, str] | None:
    """(region, account, name) of a secret in Secrets Manager, from its ARN in any of the forms that ECS takes.

    Behind the name stands a suffix of Secrets Manager's, and behind that may stand a key of its JSON and a version:
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html
    """
    arn = read_arn(target)
    if arn is None or arn.kind != SECRET_KIND:
        return None
    name = arn.id.partition(":")[0]
    return arn.region, arn.account, name[:-7] if _SUFFIX.fullmatch(name[-7:]) else name


def parameter_of(target: str) -> str:
    """The name of an SSM parameter, from its name or its ARN, without the slash at its head."""
    arn = read_arn(target)
    return (arn.id if arn is not None else target).lstrip("/")


def elsewhere(lane: Lane, target: str) -> bool:
    """Whether a reference leads to another region or account, where this lane cannot look."""
    arn = read_arn(target)
    if arn is None:
        return False
    account = lane.account.account
    return bool((arn.region and arn.region != lane.region) or (account and arn.account and arn.account != account))


class _Levels:
    """Tells the level of a reference; asks for the types of parameters only where there is one."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane

    def of(self, reference: Reference) -> KeptSecret | Unseen:
        named = secret_of(reference.target)
        if named is not None:
            return KeptSecret(name=named[2], kind=MANAGER, level=STORED, words=reference.words)
        name = parameter_of(reference.target)
        if elsewhere(self._lane, reference.target):
            words = f"{self._lane.label}: whether {name} in another region or account is encrypted is not asked"
            return Unseen(name, Unavailable(Cause.NOT_SUPPORTED, words))
        swept = self._lane.all(PARAMETERS)
        known = {str(one.get("Name", "")).lstrip("/"): one for one in swept.items}
        if name not in known:
            words = f"{self._lane.label}, {PARAMETERS.name}: there is no parameter {name}, which is {reference.words}"
            return Unseen(name, swept.missing or Unavailable(Cause.NO_DATA, words))
        return parameter_level(name, known[name], reference.words)


def parameter_level(name: str, parameter: Item, words: str) -> KeptSecret:
    """An SSM parameter is as good as its type."""
    secure = parameter.get("Type") == "SecureString"
    kind = SECURE if secure else PLAIN_PARAMETER
    return KeptSecret(name=name, kind=kind, level=STORED if secure else PLAIN, words=words)


def _plain_ones(place: str, where: str, found: Literals) -> Iterator[KeptSecret]:
    for one in found.plain:
        # The comma keeps `-token in` from looking like an option of a command line, whose value is redacted.
        name = f"{one.name}, in {place}"
        yield KeptSecret(name=name, kind="plain variable", level=PLAIN, words=f"a literal {one.kind} in {where}")


def _container_levels(lane: Lane, arns: Sequence[Arn]) -> Read:
    levels, nameless = _Levels(lane), Fingerprint()

    def of_service(_name: str, parts: Sequence[Container]) -> list[KeptSecret | Unseen]:
        items: list[KeptSecret | Unseen] = []
        for part in parts:
            items += _plain_ones(part.name, part.where, literals(variables(part), nameless))
            items += [levels.of(one) for one in (*injected(part), *fetched(variables(part)))]
        return items

    return of_known(definitions.containers(lane, arns), of_service)


def _function_levels(lane: Lane, arns: Sequence[Arn]) -> Read:
    levels, nameless = _Levels(lane), Fingerprint()

    def of_version(part: Function, given: Mapping[str, str]) -> Iterator[KeptSecret | Unseen]:
        yield from _plain_ones(part.name, part.where, literals(given.items(), nameless))
        yield from map(levels.of, fetched(given))

    return of_versions(lane, arns, of_version)


def _database_levels(read: Callable[[Lane, Sequence[Arn]], stores.Known]) -> Callable[[Lane, Sequence[Arn]], Read]:
    return lambda lane, arns: of_known(read(lane, arns), lambda name, one: tuple(_of_database(name, one)))


def _of_database(name: str, one: Mapping[str, Any]) -> Iterator[KeptSecret]:
    if one.get("MasterUserSecret"):
        words = "its master password is made, kept and rotated by RDS"
        yield KeptSecret(name=name, kind="RDS-managed", level=DYNAMIC, words=words)
    elif one.get("IAMDatabaseAuthenticationEnabled"):
        words = "it takes tokens of IAM in place of a password"
        yield KeptSecret(name=name, kind="IAM authentication", level=DYNAMIC, words=words)


def _tagged_secrets(_lane: Lane, arns: Sequence[Arn]) -> Read:
    found: dict[str, Sequence[KeptSecret] | Unavailable] = {}
    for arn in arns:
        named = secret_of(arn.text)
        if named is not None:
            words = "tagged as the service's"
            found[arn.text] = (KeptSecret(name=named[2], kind=MANAGER, level=STORED, words=words),)
    return found


def _tagged_parameters(lane: Lane, arns: Sequence[Arn]) -> Read:
    """Of parameters in plain text only those are secrets that are called so."""
    swept = lane.all(PARAMETERS)
    known = {str(one.get("Name", "")).lstrip("/"): one for one in swept.items}
    found: dict[str, Sequence[KeptSecret] | Unavailable] = {}
    for arn in arns:
        name = parameter_of(arn.text)
        one = known.get(name)
        if one is None:
            if swept.missing:
                found[arn.text] = swept.missing
        else:
            secret = one.get("Type") == "SecureString" or secret_name(name.rpartition("/")[2])
            found[arn.text] = (parameter_level(name, one, "tagged as the service's"),) if secret else ()
    return found


def _weaker(one: KeptSecret | Unseen, other: KeptSecret | Unseen) -> KeptSecret | Unseen:
    if isinstance(one, Unseen) or isinstance(other, Unseen):
        return one if isinstance(one, Unseen) else other
    return other if other.level < one.level else one


SECRET_LEVELS = Question(
    "secret-levels",
    SecretLevels,
    (
        Reader(("ecs:service",), _container_levels, (*definitions.OF_SERVICES, PARAMETERS)),
        Reader(("lambda:function",), _function_levels, (*definitions.OF_FUNCTIONS, PARAMETERS)),
        Reader(("rds:db",), _database_levels(stores.databases), (stores.DB_INSTANCES,)),
        Reader(("rds:cluster",), _database_levels(stores.clusters), (stores.DB_CLUSTERS,)),
        Reader((SECRET_KIND,), _tagged_secrets, ()),
        Reader((PARAMETER_KIND,), _tagged_parameters, (PARAMETERS,)),
    ),
    "things that hold or take secrets",
    _weaker,
)
