"""Evidence of Terraform and of Kubernetes comes back from the store as it went in."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from scorecard.evidence import Evidence, Unavailable
from scorecard.evidence.aws import Gone, Tier, Unseen
from scorecard.evidence.infrastructure import (
    Drifted,
    Live,
    LiveInfrastructure,
    Managed,
    TerraformPlan,
    TerraformState,
)
from scorecard.evidence.kubernetes import PodPlacement, Workload, Workloads, ZoneRule
from scorecard.model import Cause
from scorecard.redact import without_secrets
from scorecard.store.codec import decode_answer, encode_answer

LOST = Unavailable(Cause.TIMEOUT, "no answer", count=2)
WHOLE = (
    TerraformState(
        place="s3://tf-state/payments.tfstate",
        resources=(
            Managed(
                'module.db.aws_db_instance.main["a"]',
                "aws_db_instance",
                "arn:aws:rds:eu-west-1:111122223333:db:payments",
                attributes=(("multi_az", "true"), ("iam_database_authentication_enabled", "false")),
                hidden=("instance_class",),
            ),
            Managed("aws_nat_gateway.a", "aws_nat_gateway", id="nat-0123456789abcdef0"),
        ),
        count=7,
    ),
    TerraformPlan(
        place="s3://tf-plans/payments.json",
        made_at=datetime(2026, 11, 23, tzinfo=UTC),
        drift=(Drifted("aws_db_instance.main", ("update",), ("password", "tags")),),
        missing=(LOST,),
    ),
    LiveInfrastructure(
        items=(
            Live(
                name="aws_ecs_service.web",
                arn="arn:aws:ecs:eu-west-1:111122223333:service/main/web",
                attributes=(("desired_count", "3"),),
                left=(("desired_count", "Application Auto Scaling"),),
            ),
            Live(name="a", arn="b", attributes=()),
            Unseen("aws_db_instance.main", LOST),
            Gone("aws_s3_bucket.logs"),
        ),
        derived=("arn:aws:ec2:eu-west-1:111122223333:instance/i-1",),
        underived=(Unseen("arn:aws:ec2:eu-west-1:111122223333:instance/i-2", LOST),),
    ),
    PodPlacement(
        items=(
            Tier(name="shop/Deployment/web", kind="Deployment", units="pods", zones=(("a", 2),), unplaced=(LOST,)),
            Unseen("shop/Deployment/api", LOST),
        )
    ),
    Workloads(
        items=(
            Workload(name="shop/Deployment/web", kind="Deployment", replicas=2, rule=ZoneRule.REQUIRED, words="so"),
            Unseen("shop/Deployment/api", LOST),
        )
    ),
)


@pytest.mark.parametrize("seen", WHOLE, ids=lambda one: one.kind())
def test_what_is_kept_is_what_was_seen(seen: Evidence) -> None:
    assert without_secrets(seen) == seen
    assert decode_answer(type(seen), encode_answer(seen)) == seen
