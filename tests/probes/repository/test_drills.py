"""Drill reports in real repositories, read in the limited child."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest

from scorecard.evidence import Absent, Answer, Unavailable
from scorecard.evidence.backups import RepositoryDrills, RestoreOutcome
from scorecard.model import BackupRef, Cause, Provenance, Repository, Service, Spec
from scorecard.probes import Upstream
from scorecard.probes.repository import Repositories, RepositoryDrillsProbe


class GitRepository(Protocol):
    """The fixture's work tree."""

    path: Path

    def commit(self, files: Mapping[str, str | bytes], *, at: str = ...) -> str: ...


def report(day: int = 1, **more: object) -> dict[str, Any]:
    check = {"name": "rows", "query": "select count(*) from ledger", "expected": "> 0", "actual": "9", "ok": True}
    return {
        "schema": 1,
        "service": "payments",
        "resource": "ledger",
        "kind": "postgres-dump",
        "backup": {"id": "ledger.dump", "created_at": f"2026-11-{day:02}T01:00:00Z"},
        "started_at": f"2026-11-{day:02}T03:00:00Z",
        "finished_at": f"2026-11-{day:02}T03:12:00Z",
        "result": "success",
        "verifications": [check],
        "tool": {"name": "scorecard"},
        **more,
    }


Look = Callable[..., Answer]


@pytest.fixture
def look(repositories: Repositories, repository: GitRepository) -> Look:
    """`look(glob, …, path=…)`: what the probe answers."""

    def looked(*globs: str, path: str = ".", urls: tuple[str, ...] = ("",)) -> Answer:
        spec = Spec(
            repositories=tuple(Repository(url=url or str(repository.path), path=path) for url in urls),
            backups=tuple(BackupRef(drill=glob) for glob in globs),
        )
        probe = RepositoryDrillsProbe(repositories)
        ((_, answer),) = probe.ask([Service(name="payments", spec=spec)], Upstream())
        return answer

    return looked


def test_reports_of_a_pattern_are_read_and_are_declared(look: Look, repository: GitRepository) -> None:
    failure = report(2, result="failure", code="truncated", message="end of file", verifications=[])
    repository.commit(
        {"drills/payments-1.json": json.dumps(report(1)), "drills/payments-2.json": json.dumps(failure), "x.json": "{"}
    )
    seen = look("drills/payments-*.json")
    assert isinstance(seen, RepositoryDrills)
    assert seen.provenance is Provenance.DECLARED
    good, bad = seen.drills
    assert (good.name, good.found_by) == ("drills/payments-1.json", "drills/payments-*.json")
    assert (good.outcome, good.validated, good.seconds) == (RestoreOutcome.COMPLETED, True, 720.0)
    assert (bad.outcome, bad.validated, bad.detail) == (RestoreOutcome.FAILED, False, "truncated: end of file")
    assert seen.missing == ()
    assert seen.exhibits[0].facts["newest"] == "drills/payments-2.json"


def test_yaml_is_read_as_well_and_the_services_own_folder_comes_first(look: Look, repository: GitRepository) -> None:
    text = json.dumps(report(3))  # JSON is YAML
    repository.commit({"pay/drills/a.yaml": text, "drills/b.yaml": text})
    own, top = look("drills/*.yaml", path="pay"), look("drills/b.yaml", path="pay")
    assert isinstance(own, RepositoryDrills)
    assert isinstance(top, RepositoryDrills)
    assert [drill.name for drill in own.drills] == ["pay/drills/a.yaml"]
    assert [drill.name for drill in top.drills] == ["drills/b.yaml"]


BROKEN = {
    "no JSON": ("{", "no drill report: not JSON"),
    "a list": ("[]", "a drill report is a mapping"),
    "an unknown key": (json.dumps({**report(), "resutl": "success"}), "resutl: unknown key"),
    "a time without a zone": (json.dumps(report(finished_at="2026-11-01T03:12:00")), "finished_at"),
    "another version": (json.dumps(report(schema=2)), "schema"),
    "a bomb": ("a: &a [x,x,x]\nb: [*a,*a]\n", "no drill report"),
}


@pytest.mark.parametrize(("text", "words"), BROKEN.values(), ids=BROKEN)
def test_what_is_no_report_is_missing_for_it_may_be_the_newest(
    look: Look, repository: GitRepository, text: str, words: str
) -> None:
    repository.commit({"drills/1.json": json.dumps(report()), "drills/2.json": text})
    seen = look("drills/*.json")
    assert isinstance(seen, RepositoryDrills)
    assert [drill.name for drill in seen.drills] == ["drills/1.json"]
    (missing,) = seen.missing
    assert missing.cause is Cause.BAD_RESPONSE
    assert words in missing.detail
    assert "drills/2.json" in missing.detail


FLAWED = {
    "no verification": ({"verifications": []}, "it says success without a verification"),
    "select 1": (
        {"verifications": [{"name": "up", "query": "select 1", "expected": "1", "actual": "1", "ok": True}]},
        "none of its verifications",
    ),
    "a backup of later": (
        {"backup": {"id": "x", "created_at": "2026-11-20T00:00:00Z"}},
        "the backup was made at 2026-11-20T00:00:00Z, after the drill had started",
    ),
    "it ends before it starts": ({"finished_at": "2026-11-01T02:00:00Z"}, "before it started"),
}


@pytest.mark.parametrize(("change", "words"), FLAWED.values(), ids=FLAWED)
def test_a_report_that_proves_nothing_says_why_and_is_not_validated(
    look: Look, repository: GitRepository, change: dict[str, object], words: str
) -> None:
    repository.commit({"drills/1.json": json.dumps(report(**change))})
    seen = look("drills/*.json")
    assert isinstance(seen, RepositoryDrills)
    (drill,) = seen.drills
    assert words in "; ".join(drill.flaws)
    assert not drill.validated


def test_a_pattern_without_a_match_was_looked_at_in_whole(look: Look, repository: GitRepository) -> None:
    repository.commit({"README.md": "x"})
    seen = look("drills/*.json")
    assert isinstance(seen, RepositoryDrills)
    assert (seen.drills, seen.missing) == ((), ())


def test_a_service_that_names_no_report_has_none(look: Look) -> None:
    assert isinstance(look(), Absent)


def test_what_is_in_s3_is_read_by_another_probe(look: Look, repository: GitRepository) -> None:
    assert isinstance(look("s3://drills/payments-*.json"), Absent)
    repository.commit({"drills/1.json": json.dumps(report())})
    beside = look("drills/*.json", "s3://drills/payments-*.json")
    assert isinstance(beside, RepositoryDrills)
    assert (len(beside.drills), beside.missing) == (1, ())


def test_a_report_without_a_repository_is_not_configured(look: Look) -> None:
    seen = look("drills/*.json", urls=())
    assert isinstance(seen, Unavailable)
    assert seen.cause is Cause.NOT_CONFIGURED


def test_a_repository_that_cannot_be_read_is_missing(look: Look, repository: GitRepository) -> None:
    repository.commit({"drills/1.json": json.dumps(report())})
    seen = look("drills/*.json", urls=("", str(repository.path / "gone")))
    assert isinstance(seen, RepositoryDrills)
    assert len(seen.drills) == 1
    assert seen.missing[0].cause is not Cause.NOT_CONFIGURED or "gone" in seen.missing[0].detail
