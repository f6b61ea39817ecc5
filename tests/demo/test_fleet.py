"""The fleet itself: what it starts it stops, and what it writes is what a catalogue and a repository are made of."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from dulwich.repo import Repo

from scorecard.catalog import load_catalog
from scorecard.config import load_config
from scorecard.demo import LESSONS, Fleet
from scorecard.demo.history import DAYS, final_status, simulated
from scorecard.demo.lessons import TEAMS
from scorecard.demo.repositories import Change, make_repository
from scorecard.model import Service, Status
from scorecard.registry import installed

NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)


def test_a_fleet_is_described_by_a_valid_configuration_and_catalogue() -> None:
    with Fleet(clock=lambda: NOW) as fleet:
        config = load_config(fleet.config_file, {})
        catalog = load_catalog(config, now=NOW, rows=frozenset(installed().rows))
    assert catalog.problems == ()
    assert {service.name for service in catalog.services} == {lesson.name for lesson in LESSONS}
    assert {team.name for team in catalog.teams} == set(TEAMS)
    assert {service.description for service in catalog.services} == {lesson.lesson for lesson in LESSONS}


def test_a_fleet_takes_everything_away_at_the_end_unless_it_is_kept() -> None:
    with Fleet(clock=lambda: NOW) as fleet:
        url = fleet.urls["gift-cards"]
        assert urllib.request.urlopen(f"{url}/livez", timeout=10).status == 200  # noqa: S310 - loopback
    assert not fleet.directory.exists()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{url}/livez", timeout=10)  # noqa: S310 - loopback
    with Fleet(clock=lambda: NOW, keep=True) as kept:
        pass
    assert kept.config_file.is_file()
    import shutil

    shutil.rmtree(kept.directory)


def test_a_fleet_that_fails_to_start_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "certificates").touch()
    broken = Fleet(clock=lambda: NOW)
    monkeypatch.setattr("scorecard.demo.fleet.LESSONS", (object(),))
    with pytest.raises(AttributeError), broken:
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["certificates"]


def test_services_speak_tls_by_an_authority_of_their_own() -> None:
    with Fleet(clock=lambda: datetime.now(UTC)) as fleet:  # noqa: TID251 - TLS clients compare with the wall clock
        trusting = ssl.create_default_context(cafile=fleet.directory / "certificates" / "ca.pem")
        url = f"{fleet.urls['checkout']}/livez"
        with urllib.request.urlopen(url, timeout=10, context=trusting) as answer:  # noqa: S310 - loopback
            assert answer.headers["Strict-Transport-Security"]
        with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
            urllib.request.urlopen(url, timeout=10)  # noqa: S310 - loopback


def test_a_repository_has_its_dated_history_on_main_and_a_clean_work_tree(tmp_path: Path) -> None:
    changes = [
        Change(date(2026, 1, 2), "Begin", {"README.md": "one\n", "src/app.py": "pass\n"}),
        Change(date(2026, 3, 4), "Change", {"README.md": "two\n"}),
    ]
    make_repository(tmp_path / "r", changes, "https://github.com/example/r")
    assert (tmp_path / "r" / "README.md").read_text() == "two\n"
    with Repo(str(tmp_path / "r")) as repository:
        commits = [entry.commit for entry in repository.get_walker()]
        assert repository.refs.read_ref(b"HEAD") == b"ref: refs/heads/main"
    assert [commit.message for commit in commits] == [b"Change", b"Begin"]
    assert [datetime.fromtimestamp(commit.commit_time, UTC).date() for commit in commits] == [
        date(2026, 3, 4),
        date(2026, 1, 2),
    ]


def test_every_lesson_is_another_and_names_checks_that_exist() -> None:
    rows = installed().rows
    assert len({lesson.name for lesson in LESSONS}) == len(LESSONS)
    assert len({lesson.lesson for lesson in LESSONS}) == len(LESSONS)
    for lesson in LESSONS:
        assert lesson.team in TEAMS
        for name in lesson.expected:
            row, _, check = name.partition("/")
            assert rows[row].check(check)


def test_simulated_history_repeats_has_a_gap_and_ends_where_the_lesson_is() -> None:
    checklist = installed().checklist("production-readiness", Path())
    lesson = next(lesson for lesson in LESSONS if lesson.name == "ledger")
    service = Service(name="ledger", tier="tier-1")
    days, changes = simulated(lesson, service, checklist, 90, NOW.date())
    assert (days, changes) == simulated(lesson, service, checklist, 90, NOW.date())
    assert len(days) == DAYS - 2
    assert (days[0].day, days[-1].day) == (NOW.date() - timedelta(days=DAYS), NOW.date() - timedelta(days=1))
    assert all(change.demo and change.message.startswith("demo data: ") for change in changes)
    assert {change.at.date() for change in changes} <= {day.day for day in days}
    scores = {day.score for day in days}
    assert len(scores) >= 2
    assert all(day.score is not None and day.score_upper is not None for day in days)


def test_the_last_status_of_a_row_is_the_worst_of_its_required_checks() -> None:
    row = installed().checklist("production-readiness", Path()).row("health-endpoints")
    assert final_status(row, {}) is Status.PASS
    assert final_status(row, {"health-endpoints/fast": "fail"}) is Status.WARN
    assert final_status(row, {"health-endpoints/readiness": "warn"}) is Status.WARN
    assert final_status(row, {"health-endpoints/liveness": "unknown"}) is Status.UNKNOWN
    both = {"health-endpoints/liveness": "unknown", "health-endpoints/readiness": "fail"}
    assert final_status(row, both) is Status.FAIL
