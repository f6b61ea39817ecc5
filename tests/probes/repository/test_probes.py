"""The probes asked about whole repositories, as the engine asks them."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol

import pytest

from scorecard.config import Config
from scorecard.evidence import (
    Absent,
    Alerts,
    DecisionRecords,
    RecordState,
    RepositoryHead,
    RunbookFound,
    RunbookPages,
    Runbooks,
    Unavailable,
)
from scorecard.evidence.backups import RepositoryDrills
from scorecard.model import AlertsRef, Cause, CloudWatchAlarms, PrometheusAlerts, Provenance, Repository, Service, Spec
from scorecard.probes import Context, Upstream
from scorecard.probes.repository import AlertsProbe, DecisionRecordsProbe, Repositories


class GitRepository(Protocol):
    """The fixture's work tree."""

    path: Path

    def git(self, *arguments: str, at: str = ..., **more: str) -> str: ...
    def write(self, files: Mapping[str, str | bytes]) -> None: ...
    def commit(self, files: Mapping[str, str | bytes], *, at: str = ...) -> str: ...


Ask = Callable[..., Any]
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def record(number: int = 1, status: str = "Accepted", day: str = "2026-01-01") -> str:
    return (
        f"# {number}. Use PostgreSQL\n\nDate: {day}\n\n## Status\n\n{status}\n\n"
        "## Context\n\nPayments need transactions.\n\n## Decision\n\nWe will use PostgreSQL.\n\n"
        "## Consequences\n\nOne more database to restore.\n"
    )


def rules(*names: str, labels: str = "severity: critical", url: str = "runbooks/{}.md", expr: str = "up == 0") -> str:
    text = "groups:\n  - name: g\n    rules:\n"
    for name in names:
        text += f"      - alert: {name}\n        expr: {expr}\n        for: 5m\n        labels: {{{labels}}}\n"
        if url:
            text += f"        annotations:\n          runbook_url: {url.format(name)!r}\n"
    return text


PAGE = "# {0}\n\n## Meaning\n\nIt is down.\n\n## Fix\n\n1. Restart it.\n"


class TestDecisionRecords:
    @pytest.mark.parametrize(
        "folder",
        [
            "adr",
            "adrs",
            "docs/adr",
            "docs/decisions",
            "doc/adr",
            "doc/architecture/decisions",
            "docs/architecture/decisions",
            "docs/architecture-decisions",
            "Docs/ADRs",
        ],
    )
    def test_the_usual_folders_are_read(self, repository: GitRepository, records: Ask, folder: str) -> None:
        commit = repository.commit({f"{folder}/0001-a.md": record(), f"{folder}/README.md": "# Index\n"})
        found = records()
        assert found.folders == (folder,)
        (only,) = found.records
        assert (only.name, only.number, only.state) == (f"{folder}/0001-a.md", "0001", RecordState.ACCEPTED)
        assert (only.decided_on, only.changed_on) == (date(2026, 1, 1), date(2026, 6, 1))
        assert found.provenance is Provenance.PROBED
        assert found.exhibits[0].facts["commit"] == commit
        assert commit in found.exhibits[0].request

    def test_the_folder_that_adr_tools_was_told_is_read(self, repository: GitRepository, records: Ask) -> None:
        repository.commit({".adr-dir": "arch/why\n", "arch/why/0001-a.md": record()})
        assert records().folders == ("arch/why",)

    @pytest.mark.parametrize("told", ["../../etc", "/etc", "a\nb", "", "."])
    def test_a_folder_outside_of_the_repository_is_not(
        self, repository: GitRepository, records: Ask, told: str
    ) -> None:
        repository.commit({".adr-dir": told, "x.md": record()})
        assert records().records == ()

    def test_a_service_in_a_shared_repository_has_its_own_and_the_common_ones(
        self, repository: GitRepository, records: Ask
    ) -> None:
        repository.commit(
            {
                "docs/adr/0001-a.md": record(),
                "services/payments/docs/adr/0001-b.md": record(),
                "services/ledger/docs/adr/0001-c.md": record(),
            }
        )
        assert sorted(item.name for item in records(path="services/payments").records) == [
            "docs/adr/0001-a.md",
            "services/payments/docs/adr/0001-b.md",
        ]

    def test_records_in_another_markup_are_missing_and_not_overlooked(
        self, repository: GitRepository, records: Ask
    ) -> None:
        repository.commit({"docs/adr/0001-a.md": record(), "docs/adr/0002-b.adoc": "= B\n", "docs/adr/notes.rst": "x"})
        (part,) = records().missing
        assert (part.cause, part.count) == (Cause.NOT_SUPPORTED, 1)
        assert "0002-b.adoc" in part.detail

    def test_none_are_an_empty_answer_with_authority(self, repository: GitRepository, records: Ask) -> None:
        repository.commit({"README.md": "x"})
        found = records()
        assert (found.records, found.missing) == ((), ())

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("deploy/app.yaml", "apiVersion: apps/v1\nkind: Deployment\n"),
            ("stack.yml", "AWSTemplateFormatVersion: '2010-09-09'\n"),
            ("infra/rds.tf", "resource {}\n"),
        ],
    )
    def test_structure_is_known_by_content_and_by_name(
        self, repository: GitRepository, records: Ask, name: str, content: str
    ) -> None:
        repository.commit({"adr/0001-a.md": record()}, at="2026-01-01T12:00:00+00:00")
        repository.commit({name: content}, at="2026-02-01T12:00:00+00:00")
        repository.commit({"alerts.yaml": rules("A"), "main.py": "1"}, at="2026-03-01T12:00:00+00:00")
        assert records().structure_changed_on == date(2026, 2, 1)

    def test_no_structure_is_none(self, repository: GitRepository, records: Ask) -> None:
        repository.commit({"adr/0001-a.md": record(), "config.yaml": "a: 1\n"})
        found = records()
        assert (found.structure_changed_on, found.history_missing) == (None, ())

    def test_a_folder_that_is_no_repository_is_read_without_dates(self, records: Ask, tmp_path: Path) -> None:
        plain = tmp_path / "plain"
        (plain / "docs" / "adr").mkdir(parents=True)
        (plain / "docs" / "adr" / "0001-a.md").write_text(record())
        found = records(url=str(plain))
        assert [item.changed_on for item in found.records] == [None]
        assert found.missing == ()
        (part,) = found.history_missing
        assert (part.cause, "not a git repository" in part.detail) == (Cause.NO_DATA, True)

    def test_a_relative_address_and_a_file_address_are_read(self, repository: GitRepository, records: Ask) -> None:
        repository.commit({"adr/0001-a.md": record()})
        assert len(records(url="payments").records) == 1
        assert len(records(url=f"file://{repository.path}").records) == 1
        assert len(records(url="./payments/adr").records) == 1, "those of the repository around it"

    def test_a_clone_without_history_says_so(self, repository: GitRepository, records: Ask, tmp_path: Path) -> None:
        repository.commit({"adr/0001-a.md": record()})
        repository.commit({"b": "1"})
        repository.git("clone", "-q", "--depth", "1", f"file://{repository.path}", str(tmp_path / "shallow"))
        found = records(url=str(tmp_path / "shallow"))
        assert found.records[0].changed_on is None
        assert "shallow" in found.history_missing[0].detail


class TestNothingToRead:
    @pytest.mark.parametrize("kind", [DecisionRecords, Alerts, Runbooks, RepositoryHead])
    def test_a_service_without_repositories_gets_the_lines_to_add(self, asking: Ask, kind: type[Any]) -> None:
        answer = asking(kind, Service(name="payments", spec=Spec(alerts=(AlertsRef(files="a.yaml"),))))
        assert isinstance(answer, Unavailable)
        assert answer.cause is Cause.NOT_CONFIGURED
        assert answer.lines.startswith("spec:\n  repositories:\n    - url: https://")

    @pytest.mark.parametrize("kind", [DecisionRecords, Alerts, Runbooks, RepositoryHead])
    def test_a_directory_that_is_gone_is_unreachable(self, ask: Ask, kind: type[Any]) -> None:
        answer = ask(kind, url="/nowhere/payments", alerts=("a.yaml",))
        assert (answer.cause, answer.detail) == (Cause.UNREACHABLE, "/nowhere/payments: there is no such directory")

    @pytest.mark.parametrize(("path", "says"), [("gone", "has no folder 'gone'"), ("../..", "leads out")])
    def test_a_path_that_is_not_there_is_a_matter_of_configuration(
        self, repository: GitRepository, ask: Ask, path: str, says: str
    ) -> None:
        repository.commit({"a": "1"})
        answer = ask(DecisionRecords, path=path)
        assert (answer.cause, says in answer.detail) == (Cause.NOT_CONFIGURED, True)

    def test_the_probes_are_found_by_their_entry_point(self, tmp_path: Path) -> None:
        (entry,) = entry_points(group="scorecard.probes", name="repository")
        context = Context(config=Config(), clock=lambda: NOW, cache=tmp_path / "cache", base=tmp_path)
        made = entry.load()(context)
        kinds = [RepositoryHead, DecisionRecords, Alerts, Runbooks, RunbookPages, RepositoryDrills]
        assert [probe.answers for probe in made] == kinds
        assert made[2].severities["page"] == ("critical", "page")
        assert made[3].needs == (Alerts,)


class TestAlerts:
    def test_declared_files_are_read_with_their_lines(self, repository: GitRepository, alerts: Ask) -> None:
        repository.commit(
            {"deploy/alerts/a.yaml": rules("A", "B"), "deploy/alerts/c.yml": rules("C"), "d.yaml": rules("D")}
        )
        found = alerts("deploy/alerts/*.yaml")
        assert [(rule.name, rule.where) for rule in found.rules] == [
            ("A", "deploy/alerts/a.yaml:4"),
            ("B", "deploy/alerts/a.yaml:10"),
        ]
        assert found.files == ("deploy/alerts/a.yaml",)
        assert found.provenance is Provenance.CONFIGURED
        assert found.severities["page"] == ("critical", "page")
        assert found.urgency(found.rules[0]) == "page"

    def test_patterns_are_of_the_service_first_and_of_the_top_then(
        self, repository: GitRepository, alerts: Ask
    ) -> None:
        repository.commit({"pay/alerts/a.yaml": rules("A"), "alerts/a.yaml": rules("B"), "shared/x.yaml": rules("C")})
        assert [rule.name for rule in alerts("alerts/*.yaml", path="pay").rules] == ["A"]
        assert [rule.name for rule in alerts("shared/*.yaml", path="pay").rules] == ["C"]
        assert [rule.name for rule in alerts("/alerts/*.yaml", path="pay").rules] == ["B"]

    def test_a_declared_place_that_is_empty_is_an_empty_answer(self, repository: GitRepository, alerts: Ask) -> None:
        repository.commit({"a": "1"})
        found = alerts("alerts/*.yaml")
        assert (found.rules, found.files, found.missing) == ((), (), ())

    def test_a_pattern_that_leads_out_is_missing(self, repository: GitRepository, alerts: Ask) -> None:
        repository.commit({"a": "1"})
        assert "leads out" in alerts("../../etc/*.yaml").missing[0].detail

    def test_without_a_declaration_rule_files_are_found_wherever_they_are(
        self, repository: GitRepository, alerts: Ask
    ) -> None:
        repository.commit(
            {
                "monitoring/payments.yaml": rules("A"),
                "chart/templates/app.yaml": "kind: {{ .Values.kind }}\n{{- if x }}\n",
                "chart/templates/rules.yaml": "{{- if x }}\ngroups: [{name: {{ .n }}, rules: [{alert: x}]}]\n",
                "tests/rules.yaml": rules("Tested"),
                "vendor/x/rules.yaml": rules("Vendored"),
                "ci.yaml": "on: push\n",
            }
        )
        found = alerts()
        assert [rule.name for rule in found.rules] == ["A"]
        assert found.files == ("monitoring/payments.yaml",)
        (part,) = found.missing
        assert (part.cause, "chart/templates/rules.yaml" in part.detail) == (Cause.NOT_SUPPORTED, True)

    def test_without_a_declaration_and_a_rule_file_nothing_is_configured(
        self, repository: GitRepository, ask: Ask
    ) -> None:
        repository.commit({"ci.yaml": "on: push\n"})
        answer = ask(Alerts)
        assert (answer.cause, "files: deploy/alerts/*.yaml" in answer.lines) == (Cause.NOT_CONFIGURED, True)

    def test_matchers_narrow_a_shared_file_by_labels_and_selectors(
        self, repository: GitRepository, alerts: Ask
    ) -> None:
        repository.commit(
            {
                "alerts/a.yaml": rules("ByLabel", labels="service: payments"),
                "alerts/b.yaml": rules("BySelector", expr='up{service="payments"} == 0'),
                "alerts/c.yaml": rules("Other", labels="service: ledger", expr='up{service!="payments"} == 0'),
            }
        )
        matchers = AlertsRef(prometheus=PrometheusAlerts(matchers={"service": "payments"}))
        found = alerts("alerts/*.yaml", matchers)
        assert [rule.name for rule in found.rules] == ["ByLabel", "BySelector"]
        assert found.missing == (), "the Prometheus is asked by another probe"

    def test_alerts_that_are_evaluated_elsewhere_stand_in_no_file(self, repository: GitRepository, ask: Ask) -> None:
        repository.commit({"alerts/a.yaml": rules("A")})
        for ref in (
            AlertsRef(cloudwatch=CloudWatchAlarms(prefix="payments-")),
            AlertsRef(prometheus=PrometheusAlerts()),
        ):
            assert isinstance(ask(Alerts, alerts=(ref,)), Absent)

    def test_a_broken_file_is_missing_and_the_others_count(self, repository: GitRepository, alerts: Ask) -> None:
        repository.commit({"alerts/a.yaml": rules("A"), "alerts/b.yaml": "groups: [\n", "alerts/c.jsonnet": "{}"})
        found = alerts("alerts/*")
        assert [rule.name for rule in found.rules] == ["A"]
        assert {part.cause for part in found.missing} == {Cause.BAD_RESPONSE, Cause.NOT_SUPPORTED}

    def test_a_templated_link_is_never_filled_in_here(self, repository: GitRepository, alerts: Ask) -> None:
        url = "https://r.example.net/{{ $labels.team }}/{{$labels.alertname}}"
        repository.commit(
            {"alerts/a.yaml": rules("A", labels="team: pay", url=url.replace("{", "{{").replace("}", "}}"))}
        )
        (rule,) = alerts("alerts/*.yaml").rules
        assert (rule.runbook_url, rule.rendered_runbook_url) == (url, "")


class TestRunbooks:
    def test_the_text_that_was_judged_is_shown_with_the_command_that_shows_it(
        self, repository: GitRepository, runbooks: Ask
    ) -> None:
        commit = repository.commit(
            {"alerts/a.yaml": rules("A", url="runbooks/{{A}} b.md"), "runbooks/{A} b.md": PAGE.format("A")}
        )
        shown = runbooks("alerts/*.yaml").exhibits[-1]
        assert shown.request.endswith(f"show {commit}:'runbooks/{{A}} b.md'")
        assert shown.excerpt.startswith("# A\n")

    def only(self, found: Runbooks) -> Any:  # noqa: ANN401 - the one link
        (link,) = found.links
        return link

    @pytest.mark.parametrize(
        "url",
        [
            "runbooks/A.md",
            "./runbooks/A.md",
            "/runbooks/A.md",
            "runbooks/A",
            "../runbooks/A.md",
            "https://github.com/example/payments/blob/main/runbooks/A.md",
            "https://github.com/Example/Payments/blob/feature/x/runbooks/A.md",
            "https://github.com/example/payments/raw/main/runbooks/A.md",
            "https://raw.githubusercontent.com/example/payments/main/runbooks/A.md",
            "https://runbooks.example.net/A",
            "https://runbooks.example.net/A/",
            "https://runbooks.example.net/a.html",
            "https://runbooks.example.net/payments/A/",
            "runbooks/A.md#meaning",
            "https://runbooks.example.net/A/#fix",
        ],
    )
    def test_ways_to_link_a_page_of_the_repository(self, repository: GitRepository, runbooks: Ask, url: str) -> None:
        repository.commit({"alerts/a.yaml": rules("A", url=url), "runbooks/A.md": PAGE.format("A")})
        repository.git("remote", "add", "origin", "git@github.com:example/payments.git")
        found = runbooks("alerts/*.yaml", runbooks=("runbooks/", "https://runbooks.example.net/"))
        link = self.only(found)
        assert (link.found, link.detail) == (RunbookFound.FOUND, "runbooks/A.md")
        assert link.page.names_alerts == ("A",)
        assert link.page.reviewed_on == date(2026, 6, 1)
        assert found.orphans == ()

    @pytest.mark.parametrize(
        ("url", "outcome"),
        [
            ("", RunbookFound.NO_LINK),
            ("TODO", RunbookFound.NOT_FOUND),
            ("runbooks/Gone.md", RunbookFound.NOT_FOUND),
            ("../../../etc/passwd", RunbookFound.NOT_FOUND),
            ("file:///etc/passwd", RunbookFound.NOT_FOUND),
            ("javascript:alert(1)", RunbookFound.NOT_FOUND),
            ("https://github.com/example/payments/blob/main/runbooks/Gone.md", RunbookFound.NOT_FOUND),
            ("runbooks/A.md#gone", RunbookFound.NO_FRAGMENT),
            ("https://github.com/example/other/blob/main/runbooks/A.md", RunbookFound.NOT_ASKED),
            ("https://wiki.example.net/A", RunbookFound.NOT_ASKED),
            ("https://runbooks.example.net/Gone/", RunbookFound.NOT_ASKED),
            ("https://wiki.example.net/{{{{ $labels.pod }}}}", RunbookFound.TEMPLATE),
        ],
    )
    def test_ways_to_miss_it(self, repository: GitRepository, runbooks: Ask, url: str, outcome: RunbookFound) -> None:
        repository.commit({"alerts/a.yaml": rules("A", url=url), "runbooks/A.md": PAGE.format("A")})
        repository.git("remote", "add", "origin", "git@github.com:example/payments.git")
        found = runbooks("alerts/*.yaml", runbooks=("runbooks/", "https://runbooks.example.net/"))
        assert self.only(found).found is outcome

    def test_a_page_may_stand_beside_the_rule_file_or_in_the_services_folder(
        self, repository: GitRepository, runbooks: Ask
    ) -> None:
        repository.commit(
            {
                "pay/alerts/a.yaml": rules("A", url="pages/A.md") + rules("B", url="docs/B.md").split("rules:\n")[1],
                "pay/alerts/pages/A.md": PAGE.format("A"),
                "pay/docs/B.md": PAGE.format("B"),
            }
        )
        found = runbooks("alerts/*.yaml", path="pay")
        assert [link.detail for link in found.links] == ["pay/alerts/pages/A.md", "pay/docs/B.md"]

    def test_runbooks_without_an_alert_are_listed(self, repository: GitRepository, runbooks: Ask) -> None:
        pages = {f"runbooks/{name}.md": PAGE.format(name) for name in ("A", "Old", "README", "_template")}
        repository.commit({"alerts/a.yaml": rules("A"), **pages})
        assert runbooks("alerts/*.yaml").orphans == ("runbooks/Old.md",)

    def test_links_of_the_page_that_lead_nowhere_are_listed(self, repository: GitRepository, runbooks: Ask) -> None:
        page = PAGE.format("A") + (
            "[ok](B.md) [ok](../alerts/a.yaml) [ok](/runbooks/B.md) [ok](B/) [ok](#meaning) [ok](https://x.example.net)\n"
            "![bad](graph.png)\n\n[bad](../../out.md) [bad](#gone) [ok](mailto:a@example.net)\n"
        )
        repository.commit({"alerts/a.yaml": rules("A"), "runbooks/A.md": page, "runbooks/B.md": "# B\n"})
        (link,) = runbooks("alerts/*.yaml").links
        assert link.page.broken_links == ("line 11: graph.png", "line 13: ../../out.md", "line 13: #gone")

    def test_a_page_of_an_hour_ago_beats_an_old_date_in_its_front_matter(
        self, repository: GitRepository, runbooks: Ask
    ) -> None:
        page = "---\nlast_reviewed: 2020-01-01\n---\n" + PAGE.format("A")
        repository.commit({"alerts/a.yaml": rules("A"), "runbooks/A.md": page})
        assert self.only(runbooks("alerts/*.yaml")).page.reviewed_on == date(2026, 6, 1)

    def test_without_git_the_front_matter_is_what_there_is(self, runbooks: Ask, tmp_path: Path) -> None:
        plain = tmp_path / "plain"
        for name, text in {"alerts/a.yaml": rules("A"), "runbooks/A.md": PAGE.format("A")}.items():
            (plain / name).parent.mkdir(parents=True, exist_ok=True)
            (plain / name).write_text(text)
        found = runbooks("alerts/*.yaml", url=str(plain))
        assert self.only(found).page.reviewed_on is None
        assert "not a git repository" in found.history_missing[0].detail

    def test_a_page_that_cannot_be_read_is_said_so(self, repository: GitRepository, runbooks: Ask) -> None:
        repository.commit({"alerts/a.yaml": rules("A"), "runbooks/A.md": "x" * (2 << 20)})
        link = self.only(runbooks("alerts/*.yaml"))
        assert (link.found, "2,097,152 bytes" in link.detail) == (RunbookFound.UNREADABLE, True)

    def test_what_is_missing_of_the_alerts_is_missing_of_the_runbooks(
        self, repository: GitRepository, runbooks: Ask
    ) -> None:
        repository.commit({"alerts/a.yaml": rules("A"), "alerts/b.yaml": "[", "runbooks/A.md": PAGE.format("A")})
        assert [part.cause for part in runbooks("alerts/*.yaml").missing] == [Cause.BAD_RESPONSE]

    def test_silences_of_rule_and_page_are_both_there(self, repository: GitRepository, runbooks: Ask) -> None:
        text = rules("A").replace(
            "      - alert", "      # scorecard: ignore runbooks/resolve until 2026-12-01: x\n      - alert"
        )
        page = PAGE.format("A") + "\n<!-- scorecard: ignore runbooks/sections until 2026-12-01: y -->\n"
        repository.commit({"alerts/a.yaml": text, "runbooks/A.md": page})
        link = self.only(runbooks("alerts/*.yaml"))
        assert [item.reason for item in (*link.silences, *link.page.silences)] == ["x", "y"]


class TestManyServices:
    def test_a_repository_is_opened_once_for_all_of_them(
        self, repository: GitRepository, repositories: Repositories
    ) -> None:
        repository.commit({f"s{index}/docs/adr/0001-a.md": record() for index in range(20)})
        services = [
            Service(name=f"s{index}", spec=Spec(repositories=(Repository(url="payments", path=f"s{index}"),)))
            for index in range(20)
        ]
        answers: list[Any] = [answer for _, answer in DecisionRecordsProbe(repositories).ask(services, Upstream())]
        assert {len(answer.records) for answer in answers} == {1}
        # Nothing but the opened repository is needed any more within the run.
        shutil.rmtree(repository.path / ".git" / "refs")
        answers = [answer for _, answer in AlertsProbe(repositories, {}).ask(services, Upstream())]
        assert {type(answer) for answer in answers} == {Unavailable}
        assert {answer.cause for answer in answers} == {Cause.NOT_CONFIGURED}

    def test_one_service_without_an_answer_does_not_hold_up_the_others(
        self, repository: GitRepository, repositories: Repositories
    ) -> None:
        repository.commit({"adr/0001-a.md": record()})
        services = [
            Service(name="lost", spec=Spec(repositories=(Repository(url="/nowhere"),))),
            Service(name="found", spec=Spec(repositories=(Repository(url="payments"),))),
        ]
        answers = {key.name: answer for key, answer in DecisionRecordsProbe(repositories).ask(services, Upstream())}
        assert isinstance(answers["lost"], Unavailable)
        assert isinstance(answers["found"], DecisionRecords)


def test_a_repository_of_1700_files_and_1000_commits_takes_about_a_second(
    repository: GitRepository, asking: Ask
) -> None:
    """The bound is generous, as the machine is shared; `make bench` has the figure."""
    stream = ["blob\nmark :1\ndata 6\nx: 1\n\n\n"]
    for index in range(1_000):
        stream.append(
            f"commit refs/heads/main\nmark :{index + 2}\n"
            f"committer A <a@example.net> {1_700_000_000 + index * 3600} +0000\ndata 1\nx\n"
        )
        for file in range(2):
            name = index * 2 + file
            if name < 1_700:
                stream.append(f"M 100644 :1 src/pack{name % 40}/file{name}.yaml\n")
        if index < 30:
            text = record(index)
            stream.append(f"M 100644 inline docs/adr/{index:04}-a.md\ndata {len(text)}\n{text}\n")
        text = f"x: {index}\n"
        stream.append(f"M 100644 inline src/main.txt\ndata {len(text)}\n{text}\n")
    file = repository.path / "stream"
    file.write_text("".join(stream))
    with file.open("rb") as source:
        subprocess.run(
            ["git", "fast-import", "--quiet"], cwd=repository.path, stdin=source, check=True, timeout=60, env=os.environ
        )
    asking(RepositoryHead, Service(name="warm", spec=Spec(repositories=(Repository(url="payments"),))))
    started = time.monotonic()
    service = Service(name="payments", spec=Spec(repositories=(Repository(url="payments"),)))
    answer = asking(DecisionRecords, service)
    seconds = time.monotonic() - started
    assert (len(answer.records), answer.history_missing) == (30, ())
    assert seconds < 15, f"took {seconds:.2f} s"
