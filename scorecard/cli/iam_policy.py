"""`scorecard iam-policy`: what the scorecard's role in AWS must be allowed, and no more."""

from __future__ import annotations

import json

import click

from scorecard.cli.output import write


@click.command("iam-policy", short_help="Print the least policy that its role in AWS needs.")
def iam_policy() -> int:
    """Print the IAM policy for the role of integrations.aws, made of the calls that this version makes."""
    from scorecard.probes.aws.policy import policy

    write(json.dumps(policy(), indent=2) + "\n")
    return 0
