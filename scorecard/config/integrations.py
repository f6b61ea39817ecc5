"""The systems that are asked for evidence: each kind a list of named instances.

A service names an instance, or gets the first of its kind.
"""

import re
from datetime import timedelta
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field

from scorecard.config.fields import CleanText, LabelText, LocalPath, WebAddress
from scorecard.config.sections import Http, Section
from scorecard.model import Duration

Named = TypeVar("Named", bound="Instance | AwsInstance")

_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d{1,2}")
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::(\{account\}|\d{12}):role/\S+")


def _region(text: str) -> str:
    if not _REGION.fullmatch(text):
        raise ValueError(f"{text[:40]!a} is not a region such as eu-west-1")
    return text


def _role(text: str) -> str:
    if not _ROLE.fullmatch(text):
        raise ValueError(f"{text[:80]!a} is not a role such as arn:aws:iam::{{account}}:role/scorecard")
    return text


Region = Annotated[str, AfterValidator(_region)]
RoleArn = Annotated[str, AfterValidator(_role)]


class Instance(Http):
    """One instance of a system with an HTTP API."""

    name: LabelText = "main"
    """What services call it."""


class GithubInstance(Instance):
    """GitHub, or a GitHub Enterprise Server."""

    url: WebAddress = "https://api.github.com"
    """The base address of its REST API."""


class GitlabInstance(Instance):
    """GitLab."""

    url: WebAddress = "https://gitlab.com"
    """Its base address."""


class LokiInstance(Instance):
    """Loki."""

    tenant: CleanText | None = None
    """The value of X-Scope-OrgID."""


class VaultInstance(Instance):
    """HashiCorp Vault or OpenBao."""

    namespace: CleanText | None = None
    """The value of X-Vault-Namespace."""


class AwsInstance(Section):
    """AWS, asked by one role."""

    name: LabelText = "main"
    """What services call it."""
    regions: tuple[Region, ...] = Field(min_length=1)
    """The regions that are asked."""
    role: RoleArn | None = None
    """The role that is assumed, {account} being the service's; without it the process's own credentials are used."""
    external_id: CleanText | None = None
    """The external id that the role's trust policy asks for."""
    endpoint_url: WebAddress | None = None
    """Another endpoint for every service, such as a VPC endpoint."""
    ca_file: LocalPath | None = None
    """A PEM file of the authorities that are trusted, instead of the system's."""
    proxy: CleanText | None = None
    """The address of a proxy; none unless given."""
    timeout: Duration = timedelta(seconds=10)
    """Total time of one attempt of one call."""


class Integrations(Section):
    """The systems that are asked, each kind a list of named instances."""

    prometheus: tuple[Instance, ...] = ()
    """Prometheus or what speaks its HTTP API."""
    alertmanager: tuple[Instance, ...] = ()
    """Alertmanager."""
    grafana: tuple[Instance, ...] = ()
    """Grafana."""
    github: tuple[GithubInstance, ...] = ()
    """GitHub."""
    gitlab: tuple[GitlabInstance, ...] = ()
    """GitLab."""
    loki: tuple[LokiInstance, ...] = ()
    """Loki."""
    elasticsearch: tuple[Instance, ...] = ()
    """Elasticsearch or OpenSearch."""
    kubernetes: tuple[Instance, ...] = ()
    """Kubernetes API servers."""
    vault: tuple[VaultInstance, ...] = ()
    """Vault."""
    aws: tuple[AwsInstance, ...] = ()
    """AWS."""


def instance(instances: tuple[Named, ...], name: str | None) -> Named | None:
    """The instance of that name; the first when no name is given; None when there is none."""
    return next((found for found in instances if name in {None, found.name}), None)
