"""Amazon Resource Names, taken apart: `arn:partition:service:region:account:resource`."""

from __future__ import annotations

from dataclasses import dataclass

_PARTS = 6


@dataclass(frozen=True, slots=True, order=True)
class Arn:
    """One resource and where it is asked about."""

    text: str
    service: str
    region: str
    """Empty for a bucket, whose ARN does not say."""
    account: str
    kind: str
    """`rds:db`, `ecs:service`, `elasticloadbalancing:loadbalancer`, and `s3` for a bucket."""
    id: str
    """What is left: `payments`, `cluster/payments`."""

    @property
    def last(self) -> str:
        """What stands behind the last slash or colon."""
        return self.id.replace(":", "/").rpartition("/")[2]


def read_arn(text: str) -> Arn | None:
    """The parts of an ARN; None where it is none."""
    parts = text.split(":", _PARTS - 1)
    if len(parts) != _PARTS or parts[0] != "arn" or not parts[2] or not parts[5]:
        return None
    _, _, service, region, account, resource = parts
    cut = min((at for at in (resource.find("/"), resource.find(":")) if at >= 0), default=-1)
    if cut < 0:
        return Arn(text, service, region, account, service, resource)
    return Arn(text, service, region, account, f"{service}:{resource[:cut]}", resource[cut + 1 :])
