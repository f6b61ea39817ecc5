"""The demo's configuration and catalogue files, as an operator would write them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import yaml

from scorecard.demo import backups
from scorecard.demo.cloud import ACCOUNT, database
from scorecard.demo.dashboards import reference
from scorecard.demo.lessons import LESSONS, TEAMS, Lesson, Rules

_HEADER = "# Written by scorecard demo: a fleet that is real, and small. Its history before today is demo data.\n"


def configuration(listen: str, integrations: Mapping[str, Any]) -> str:
    """`scorecard.yaml`: a short cadence, and loopback opened at the one address that the fleet is on.

    Args:
        listen: where the scorecard itself will serve.
        integrations: the systems that watch the fleet.
    """
    return _HEADER + _dump(
        {
            "catalog": [{"files": "services/*.yaml"}],
            "store": "sqlite:///scorecard.db",
            "cadence": {"live": "15s", "platform": "20s", "source": "1h"},
            "probing": {"timeout": "2s", "allow": ["127.0.0.1"], "ca_file": "certificates/ca.pem"},
            "integrations": dict(integrations),
            "checklists": [{"use": "production-readiness"}, {"use": "delivery-practices"}],
            "gate": {
                "tier-1": {"minimum_score": 90, "minimum_coverage": 90, "maximum_waivers": 2, "maximum_exempt_rows": 2},
                "default": {"minimum_score": 80, "minimum_coverage": 80},
            },
            "server": {"listen": listen},
        }
    )


def service_files(urls: Mapping[str, str], today: date) -> dict[str, str]:
    """Path to text of every catalogue file.

    Args:
        urls: service name to its base address.
        today: exemptions end counted from it.
    """
    files = {f"services/{lesson.name}.yaml": _dump(_service(lesson, urls, today)) for lesson in LESSONS}
    teams = [_team(name, parent) for name, parent in TEAMS.items()]
    return files | {"services/teams.yaml": "---\n".join(_dump(team) for team in teams)}


def _service(lesson: Lesson, urls: Mapping[str, str], today: date) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "name": lesson.name,
        "team": lesson.team,
        "tier": lesson.tier,
        "type": lesson.type,
        "lifecycle": lesson.lifecycle,
        "description": lesson.lesson,
    }
    if lesson.stateless:
        metadata["stateless"] = True
    spec: dict[str, Any] = {}
    if lesson.name in urls:
        spec["url"] = urls[lesson.name]
    if lesson.health:
        spec["health"] = dict(lesson.health)
    if lesson.type == "web":
        spec["correlation"] = {"path": "/v1/ping"}
    spec["logs"] = {"file": {"path": f"./logs/{lesson.name}.log"}}
    spec["repositories"] = [
        {"url": f"./repositories/{lesson.repository}", "path": lesson.folder.rstrip("/") or ".", "role": "source"}
    ]
    dashboards = reference(lesson.screen, lesson.name)
    if dashboards:
        spec["dashboards"] = dashboards
    spec["alerts"] = [{"prometheus": {"matchers": {"service": lesson.name}}}]
    if lesson.rules is not Rules.SHARED:
        spec["alerts"].append({"files": f"{lesson.folder}deploy/alerts/*.yaml"})
    spec["runbooks"] = ["runbooks/"]
    spec |= _kept(lesson)
    if lesson.exempt:
        until = (today + timedelta(days=200)).isoformat()
        spec["exempt"] = {
            row: {"reason": reason, "declared_by": "identity-lead", "approved_by": "platform-lead", "until": until}
            for row, reason in lesson.exempt.items()
        }
    return {"apiVersion": "scorecard/v1", "kind": "Service", "metadata": metadata, "spec": spec}


def _kept(lesson: Lesson) -> dict[str, Any]:
    """Where it stands in AWS, and what is said of its backups."""
    kept: dict[str, Any] = {} if lesson.stateless else {"backups": backups.spec(lesson.name, lesson.keeping)}
    if lesson.stage is not None:
        kept["aws"] = {"account": ACCOUNT, "tags": {"Service": lesson.name}}
        limits = {"recovery_time": "1h", "recovery_point": "26h"}
        kept.setdefault("backups", []).append({"resource": database(lesson.name), **limits})
    return kept


def _team(name: str, parent: str) -> dict[str, Any]:
    metadata = {"name": name, "channel": f"#{name}", "timezone": "Australia/Brisbane"}
    if parent:
        metadata["parent"] = parent
    return {"apiVersion": "scorecard/v1", "kind": "Team", "metadata": metadata}


def _dump(value: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(value), sort_keys=False, allow_unicode=True, width=120)
