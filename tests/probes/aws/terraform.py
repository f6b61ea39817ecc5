"""Terraform states and plans, and a bucket of the loopback AWS that holds them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from scorecard.demo.aws import AwsRefusal, Endpoint
from scorecard.model import AwsRef, Infrastructure, Service, Spec
from tests.probes.aws.estate import ACCOUNT, NOW, arn

STATE, PLAN = "s3://tf-state/payments.tfstate", "s3://tf-plans/payments.json"
DATABASE = arn("rds", "db:payments")


@dataclass
class Bucket:
    """What `s3:GetObject` answers, parts of an object and its versions included."""

    objects: dict[str, bytes] = field(default_factory=dict)
    """By `bucket/key`."""
    written: datetime = NOW
    parts: list[str] = field(default_factory=list)
    """Ranges that were asked for."""

    def put(self, place: str, body: object) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.objects[place.removeprefix("s3://")] = data

    def __call__(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        data = self.objects.get(f"{asked['Bucket']}/{asked['Key']}")
        if data is None:
            raise AwsRefusal("NoSuchKey", "The specified key does not exist.", 404)
        tag = f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
        if asked.get("IfMatch", tag) != tag:
            raise AwsRefusal("PreconditionFailed", "At least one of the pre-conditions did not hold", 412)
        first, last = map(int, asked["Range"].removeprefix("bytes=").split("-"))
        self.parts.append(asked["Range"])
        if first >= len(data):
            raise AwsRefusal("InvalidRange", "The requested range is not satisfiable", 416)
        part = data[first : last + 1]
        return {
            "Body": part,
            "ContentRange": f"bytes {first}-{first + len(part) - 1}/{len(data)}",
            "ETag": tag,
            "LastModified": self.written,
        }


def bucket(endpoint: Endpoint) -> Bucket:
    found = Bucket()
    endpoint.on(ACCOUNT, "s3:GetObject", found)
    return found


def payments(*, state: str | None = STATE, plan: str | None = None) -> Service:
    aws = AwsRef(account=ACCOUNT, tags={"Service": "payments"})
    return Service(name="payments", spec=Spec(aws=aws, infrastructure=Infrastructure(state=state, plan=plan)))


def state(*resources: Mapping[str, Any], **more: object) -> dict[str, Any]:
    return {
        "version": 4,
        "terraform_version": "1.9.8",
        "serial": 41,
        "lineage": "3f0e8a57-0f4b-4a55-a3b5-0d2f2b1c9b11",
        "outputs": {},
        "resources": list(resources),
        "check_results": None,
        **more,
    }


def resource(type_: str, attributes: Mapping[str, Any], *, name: str = "main", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """One resource with one instance; `module`, `mode`, and of the instance `index_key`, `deposed`, `sensitive`."""
    instance = {
        "schema_version": 1,
        "attributes": dict(attributes),
        "sensitive_attributes": [[{"type": "get_attr", "value": one}] for one in more.pop("sensitive", ())],
        "private": "bnVsbA==",
        **{key: more.pop(key) for key in ("index_key", "deposed") if key in more},
    }
    provider = 'provider["registry.terraform.io/hashicorp/aws"]'
    return {"mode": "managed", "type": type_, "name": name, "provider": provider, "instances": [instance], **more}


def database(**attributes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """The attributes of an `aws_db_instance` as the provider writes them; a password among them."""
    return {
        "id": "db-ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        "arn": DATABASE,
        "identifier": "payments",
        "multi_az": True,
        "storage_encrypted": True,
        "backup_retention_period": 7,
        "deletion_protection": True,
        "iam_database_authentication_enabled": False,
        "publicly_accessible": False,
        "instance_class": "db.r6g.large",
        "username": "payments",
        "password": "tok3nC4naryQ7xZ9",
        **attributes,
    }


def running(**values: Any) -> dict[str, Any]:  # noqa: ANN401 - AWS's
    """The same database, as AWS describes it."""
    return {
        "DBInstanceIdentifier": "payments",
        "DBInstanceArn": DATABASE,
        "MultiAZ": True,
        "StorageEncrypted": True,
        "BackupRetentionPeriod": 7,
        "DeletionProtection": True,
        "IAMDatabaseAuthenticationEnabled": False,
        "PubliclyAccessible": False,
        "DBInstanceClass": "db.r6g.large",
        **values,
    }


def plan(*drift: Mapping[str, Any], **more: object) -> dict[str, Any]:
    return {
        "format_version": "1.2",
        "terraform_version": "1.9.8",
        "planned_values": {"root_module": {}},
        "configuration": {"root_module": {}},
        "timestamp": "2026-11-22T12:00:00Z",
        "applyable": False,
        "complete": True,
        "errored": False,
        **({"resource_drift": list(drift)} if drift else {}),
        **more,
    }


def drifted(address: str, before: object, after: object, *actions: str) -> dict[str, Any]:
    return {
        "address": address,
        "mode": "managed",
        "type": address.split(".")[-2],
        "name": address.rsplit(".", maxsplit=1)[-1],
        "provider_name": "registry.terraform.io/hashicorp/aws",
        "change": {"actions": list(actions or ("update",)), "before": before, "after": after, "after_unknown": {}},
    }
