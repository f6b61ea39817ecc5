"""Reload: what is good is taken up, what is bad goes on as it was, and everyone can see which."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scorecard.catalog import Live, load_catalog
from scorecard.config import Config, ConfigError, Problem
from scorecard.model import ServiceKey

NOW = datetime(2026, 11, 24, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)


@pytest.fixture
def live(tmp_path: Path) -> Live:
    (tmp_path / "services").mkdir()
    (tmp_path / "scorecard.yaml").write_text("probing: {timeout: 1s}\n")
    write(tmp_path, "a.yaml", "metadata: {name: a, team: one}\n---\nmetadata: {name: b, team: one}\n")
    write(tmp_path, "c.yaml", "metadata: {name: c}\nenvironments: {staging: {url: 'https://s.example'}}\n")
    return Live(tmp_path / "scorecard.yaml", {}, read=lambda config, now: load_catalog(config, now=now), now=NOW)


def write(directory: Path, name: str, text: str) -> None:
    (directory / "services" / name).write_text(text)


def teams(live: Live) -> dict[str, str]:
    return {str(service.key): service.team for service in live.catalog.services}


def test_what_changed_is_taken_up(live: Live, tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "metadata: {name: a, team: two}\n")
    outcome = live.reload(LATER)
    assert (outcome.successful, outcome.problems, outcome.kept, outcome.at) == (True, (), (), LATER)
    assert teams(live) == {"a": "two", "c": "", "c@staging": ""}


def test_a_service_whose_description_became_bad_goes_on_as_it_was(live: Live, tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "metadata: {name: a, team: Two Words}\n---\nmetadata: {name: b, team: two}\n")
    outcome = live.reload(LATER)
    assert not outcome.successful
    assert not live.last_reload_successful
    assert [problem.line for problem in outcome.problems] == [1]
    assert outcome.kept == (ServiceKey("a"),)
    assert teams(live) == {"a": "one", "b": "two", "c": "", "c@staging": ""}
    assert live.catalog.effective(ServiceKey("a")) is not None


def test_the_services_of_a_file_that_cannot_be_read_go_on_as_they_were(live: Live, tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "metadata: {name: a, team: [\n---\nmetadata: {name: b, team: two}\n")
    outcome = live.reload(LATER)
    assert outcome.kept == (ServiceKey("a"),)
    assert teams(live) == {"a": "one", "b": "two", "c": "", "c@staging": ""}


def test_a_bad_environment_goes_on_as_it_was_while_production_is_taken_up(live: Live, tmp_path: Path) -> None:
    write(tmp_path, "c.yaml", "metadata: {name: c, team: new}\nenvironments: {staging: {url: nowhere}}\n")
    outcome = live.reload(LATER)
    assert outcome.kept == (ServiceKey("c", "staging"),)
    assert teams(live)["c"] == "new"
    staging = live.catalog.service(ServiceKey("c", "staging"))
    assert staging is not None
    assert staging.spec.url == "https://s.example"


def test_a_service_that_was_taken_out_is_gone_although_another_file_is_bad(live: Live, tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "metadata: {name: b}\n")
    write(tmp_path, "c.yaml", "metadata: [\n")
    live.reload(LATER)
    assert set(teams(live)) == {"b", "c", "c@staging"}


def test_the_last_good_one_survives_several_bad_reloads(live: Live, tmp_path: Path) -> None:
    for text in ("metadata: [", "metadata: {name: a, type: x}", "metadata: {name: a, x: y}"):
        write(tmp_path, "a.yaml", f"{text}\n")
        live.reload(LATER)
        assert teams(live)["a"] == "one"
    write(tmp_path, "a.yaml", "metadata: {name: a, team: two}\n")
    assert live.reload(LATER).successful
    assert teams(live) == {"a": "two", "c": "", "c@staging": ""}


def test_a_bad_configuration_leaves_the_catalogue_as_it_was_too(live: Live, tmp_path: Path) -> None:
    (tmp_path / "scorecard.yaml").write_text("probing: {timeout: 1 second}\n")
    write(tmp_path, "a.yaml", "metadata: {name: a, team: two}\n")
    before = live.in_force
    outcome = live.reload(LATER)
    assert live.in_force is before
    assert [(problem.file, problem.line, problem.key) for problem in outcome.problems] == [
        (str(tmp_path / "scorecard.yaml"), 1, "probing.timeout")
    ]


def test_others_may_refuse_a_configuration(live: Live) -> None:
    def accept(_config: Config) -> None:
        raise ConfigError((Problem("checklists/ours.yaml", 3, "rows", "no such row"),))

    before = live.in_force
    assert [str(problem) for problem in live.reload(LATER, accept=accept).problems] == [
        "checklists/ours.yaml:3: rows: no such row"
    ]
    assert live.in_force is before


def test_a_bad_configuration_at_the_start_is_refused(tmp_path: Path) -> None:
    (tmp_path / "scorecard.yaml").write_text("probbing: {}\n")
    with pytest.raises(ConfigError, match="did you mean `probing`"):
        Live(tmp_path / "scorecard.yaml", {}, read=lambda config, now: load_catalog(config, now=now), now=NOW)


def test_a_bad_catalogue_at_the_start_is_told_and_the_rest_is_served(tmp_path: Path) -> None:
    (tmp_path / "services").mkdir()
    write(tmp_path, "a.yaml", "metadata: {name: A}\n---\nmetadata: {name: b}\n")
    live = Live(None, {}, read=lambda config, now: load_catalog(config, now=now), now=NOW, directory=tmp_path)
    assert not live.last_reload_successful
    assert set(teams(live)) == {"b"}
