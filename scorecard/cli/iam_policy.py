"""`scorecard iam-policy`: what the scorecard's role in AWS must be allowed, and no more."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scorecard.cli.output import write
from scorecard.cli.workspace import config_option, open_workspace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scorecard.model import Service

_WILD = frozenset("*?[")
_MOST = 40
"""Objects that are named one by one; an inline policy has room for 10,240 characters
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html)."""


@click.command("iam-policy", short_help="Print the least policy that its role in AWS needs.")
@config_option
def iam_policy(config_file: Path | None) -> int:
    """Print the IAM policy for the role of integrations.aws, made of the calls that this version makes.

    Terraform states and plans, and drill reports, that the services of the configuration name are the only objects
    that it may read.
    """
    from scorecard.probes.aws.policy import policy

    services = open_workspace(config_file).catalog().services
    write(json.dumps(policy(_objects(services)), indent=2) + "\n")
    return 0


def _matching(pattern: str) -> tuple[str, ...]:
    """A pattern of ours as IAM has it, whose `*` goes over slashes and which knows no `[…]`."""
    if not _WILD & set(pattern):
        return pattern.rstrip("/"), f"{pattern.rstrip('/')}/*"
    return (re.sub(r"\[[^\]]*\]", "?", pattern),)


def _objects(services: Sequence[Service]) -> list[str]:
    """ARNs of the states, plans and drill reports that services name; of their buckets where there are many."""
    named = [one.spec.infrastructure for one in services if one.spec.infrastructure]
    places = {text for one in named for text in (one.state, one.plan) if text and text.startswith("s3://")}
    reports = {entry.drill for one in services for entry in one.spec.backups if entry.drill}
    places |= {place for text in reports if text.startswith("s3://") for place in _matching(text)}
    objects = sorted(f"arn:aws:s3:::{place.removeprefix('s3://')}" for place in places)
    if len(objects) <= _MOST:
        return objects
    return sorted({f"{name.partition('/')[0]}/*" for name in objects})
