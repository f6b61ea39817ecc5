"""Runbooks on sites, from servers of our own; and those of live alerts, in real git repositories."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Protocol
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorecard.egress.policy import AddressPolicy
from scorecard.egress.prober import Prober, ProberSettings
from scorecard.egress.resolver import Resolver
from scorecard.evidence import (
    Absent,
    AlertRunbook,
    AlertSource,
    Answer,
    LiveAlert,
    LiveAlerts,
    Observation,
    RuleHealth,
    RunbookFound,
    RunbookPages,
    Runbooks,
    Unavailable,
)
from scorecard.model import Cause, Repository, Service, Spec
from scorecard.probes import Upstream
from scorecard.probes.repository import Repositories, RunbookPagesProbe
from scorecard.probes.repository.html import read_html
from scorecard.probes.repository.pages import parsed
from scorecard.probes.repository.sites import Sites, control_of, raw_of, same_page


class GitRepository(Protocol):
    """The fixture's work tree."""

    path: Path

    def git(self, *arguments: str) -> str: ...
    def commit(self, files: dict[str, str]) -> str: ...


NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

GOOD = """<!doctype html><html><head><title>Payments runbook</title>
<meta name="last_reviewed" content="2026-10-01"></head><body>
<nav><a href="/runbooks/Elsewhere">OtherAlert</a></nav>
<main><h1 id="payments-down">PaymentsDown<a class="headerlink" href="#payments-down">¶</a></h1>
<h2>Meaning</h2><p>No payment has succeeded for five minutes.</p>
<h2>Impact</h2><p>Customers cannot pay at all.</p>
<h2>Diagnosis</h2><ol><li>Is it up? <code>kubectl -n payments get pods</code></li></ol>
<h2>Mitigation</h2><pre>kubectl -n payments rollout undo deployment/payments</pre><p>See the rate rise.</p>
<h2>Escalation</h2><p>After twenty minutes call the payments lead.</p>
<p>See <a href="other">the other page</a>, <a href="gone">this one</a> and <a href="#nowhere">that part</a>.</p></main>
<footer>FooterAlert</footer></body></html>"""
MARKDOWN = "# PaymentsDown\n\n## Meaning\n\nIt is really down.\n\n## Fix\n\n1. Restart it.\n"
LOGIN = '<html><body><form action="/session" method="post"><input type="password" name="p"></form></body></html>'


@dataclass
class Site:
    """What a site answers, by path: (status, headers, body)."""

    answers: dict[str, tuple[int, dict[str, str], str]] = field(default_factory=dict)
    otherwise: Callable[[str], tuple[int, dict[str, str], str]] = lambda _: (404, {}, "no such page")
    asked: Counter[str] = field(default_factory=Counter)
    url: str = ""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        site: Site = self.server.site  # type: ignore[attr-defined]
        path = urlsplit(self.path)
        key = f"{path.path}?{path.query}" if path.query else path.path
        site.asked[key] += 1
        status, headers, body = site.answers.get(key) or site.otherwise(key)
        if status == 0:
            time.sleep(5)
            return
        data = body.encode()
        self.send_response(status)
        for name, value in {"Content-Type": "text/html; charset=utf-8", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[Site]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made = Site(url=f"http://127.0.0.1:{server.server_address[1]}")
    server.site = made  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def sites(*allow: str) -> Sites:
    settings = ProberSettings(timeout=timedelta(seconds=1.5), concurrency=16)
    policy = AddressPolicy.of(allow or ("127.0.0.1",), never=())
    return Sites(Prober(policy, Resolver(deadline=1.0), settings, lambda: NOW))


def alert(name: str, url: str, **more: Any) -> LiveAlert:  # noqa: ANN401 - fields of the class
    return LiveAlert(
        name=name,
        where="prometheus/main rules.yaml;g",
        source=AlertSource.PROMETHEUS,
        severity="critical",
        runbook_url=url,
        instance="prometheus/main",
        belongs="its label",
        health=RuleHealth.OK,
        **more,
    )


Ask = Callable[..., Any]
NONE = Absent("none in files")


@pytest.fixture
def ask(repositories: Repositories) -> Ask:
    def asked(
        *alerts: LiveAlert,
        runbooks: Answer = NONE,
        probe: RunbookPagesProbe | None = None,
        live: Answer | None = None,
        **spec: Any,  # noqa: ANN401 - fields of Spec
    ) -> Answer:
        service = Service(name="payments", spec=Spec(**spec))
        seen = LiveAlerts(alerts=alerts) if live is None else live
        known = {
            (service.key, LiveAlerts): Observation(LiveAlerts, NOW, seen),
            (service.key, Runbooks): Observation(Runbooks, NOW, runbooks),
        }
        made = probe or RunbookPagesProbe(repositories, sites())
        ((_, answer),) = made.ask([service], Upstream(known))
        return answer

    return asked


@pytest.fixture
def only(ask: Ask) -> Callable[..., AlertRunbook]:
    """The one link of a service with one live alert."""

    def look(url: str, name: str = "PaymentsDown", **spec: Any) -> AlertRunbook:  # noqa: ANN401 - fields of Spec
        answer = ask(alert(name, url), **spec)
        assert isinstance(answer, RunbookPages), answer
        (link,) = answer.links
        return link

    return look


Only = Callable[..., AlertRunbook]


class TestPagesOfSites:
    def test_a_good_page_is_read_whole(self, site: Site, only: Only) -> None:
        site.answers = {"/runbooks/PaymentsDown": (200, {}, GOOD), "/runbooks/other": (200, {}, "x")}
        link = only(f"{site.url}/runbooks/PaymentsDown")
        assert (link.found, link.page is not None) == (RunbookFound.FOUND, True)
        page = link.page
        assert page is not None
        assert page.names_alerts == ("PaymentsDown",)
        assert set(page.sections) == {"meaning", "impact", "diagnosis", "mitigation", "escalation"}
        assert min(page.sections.values()) >= 4
        assert (page.steps, page.placeholders, page.reviewed_on) == (True, (), date(2026, 10, 1))
        assert [words.rpartition(" ")[2] for words in page.broken_links] == ["gone", "#nowhere"]

    def test_the_text_that_was_judged_is_shown_as_text(self, site: Site, ask: Ask) -> None:
        site.answers = {"/runbooks/PaymentsDown": (200, {}, GOOD)}
        url = f"{site.url}/runbooks/PaymentsDown"
        answer = ask(alert("PaymentsDown", url))
        assert isinstance(answer, RunbookPages)
        asked, shown = answer.exhibits
        assert (asked.facts, shown.request) == ({"pages": 1}, f"curl -sSL {url}")
        assert "PaymentsDown" in shown.excerpt
        assert "<" not in shown.excerpt

    @pytest.mark.parametrize("name", ["OtherAlert", "FooterAlert"])
    def test_a_name_in_the_navigation_is_not_on_the_page(self, site: Site, only: Only, name: str) -> None:
        site.answers = {"/r": (200, {}, GOOD)}
        page = only(f"{site.url}/r", name).page
        assert page is not None
        assert page.names_alerts == ()

    def test_markdown_is_read_as_such(self, site: Site, only: Only) -> None:
        site.answers = {"/r.md": (200, {"Content-Type": "text/markdown"}, MARKDOWN)}
        page = only(f"{site.url}/r.md").page
        assert page is not None
        assert (page.title, page.steps) == ("PaymentsDown", True)

    def test_a_fragment_must_be_there(self, site: Site, only: Only) -> None:
        site.answers = {"/r": (200, {}, GOOD)}
        assert only(f"{site.url}/r#payments-down").found is RunbookFound.FOUND
        assert only(f"{site.url}/r#mitigation").found is RunbookFound.FOUND
        assert only(f"{site.url}/r#refunds").found is RunbookFound.NO_FRAGMENT

    @pytest.mark.parametrize(
        ("status", "found", "cause"),
        [
            (404, RunbookFound.NOT_FOUND, None),
            (410, RunbookFound.NOT_FOUND, None),
            (401, RunbookFound.SIGN_IN, None),
            (403, RunbookFound.SIGN_IN, None),
            (429, RunbookFound.UNREADABLE, Cause.RATE_LIMITED),
            (500, RunbookFound.UNREADABLE, Cause.BAD_RESPONSE),
            (503, RunbookFound.UNREADABLE, Cause.UNREACHABLE),
            (0, RunbookFound.UNREADABLE, Cause.TIMEOUT),
        ],
    )
    def test_each_answer_has_its_end(
        self, site: Site, only: Only, status: int, found: RunbookFound, cause: Cause | None
    ) -> None:
        site.answers = {"/r": (status, {}, "x")}
        link = only(f"{site.url}/r")
        assert (link.found, link.cause) == (found, cause)

    def test_an_address_that_may_not_be_asked_is_our_affair(
        self, site: Site, repositories: Repositories, ask: Ask
    ) -> None:
        probe = RunbookPagesProbe(repositories, sites("10.0.0.0/8"))
        link = ask(alert("A", f"{site.url}/r"), probe=probe).links[0]
        assert (link.found, link.cause) == (RunbookFound.UNREADABLE, Cause.NOT_CONFIGURED)
        assert not site.asked


class TestSoft404:
    def test_a_site_that_answers_everything_alike_proves_nothing(self, site: Site, only: Only) -> None:
        site.otherwise = lambda path: (200, {}, f"<html><body>Welcome to our wiki {path}</body></html>")
        link = only(f"{site.url}/wiki/PaymentsDown")
        assert (link.found, "cannot exist" in link.detail) == (RunbookFound.NOT_FOUND, True)

    def test_a_shell_that_a_script_fills_proves_nothing(self, site: Site, only: Only) -> None:
        site.otherwise = lambda _: (
            200,
            {},
            "<html><title>App</title><body><div id=a></div></body></html>",
        )
        assert only(f"{site.url}/wiki/PaymentsDown").found is RunbookFound.NOT_FOUND

    def test_a_page_beside_a_polite_error_counts(self, site: Site, only: Only) -> None:
        site.otherwise = lambda _: (200, {}, "<html><body><p>This page does not exist. Create it?</p></body></html>")
        site.answers = {"/wiki/PaymentsDown": (200, {}, GOOD)}
        assert only(f"{site.url}/wiki/PaymentsDown").found is RunbookFound.FOUND

    def test_a_redirect_of_everything_to_the_start_page_proves_nothing(self, site: Site, only: Only) -> None:
        site.otherwise = lambda _: (302, {"Location": "/"}, "")
        site.answers = {"/": (200, {}, "<html><body>Home sweet home</body></html>")}
        assert only(f"{site.url}/wiki/PaymentsDown").found is RunbookFound.NOT_FOUND

    def test_a_control_path_that_does_not_answer_leaves_it_unknown(self, site: Site, only: Only) -> None:
        site.otherwise = lambda _: (0, {}, "")
        site.answers = {"/wiki/PaymentsDown": (200, {}, GOOD)}
        link = only(f"{site.url}/wiki/PaymentsDown")
        assert (link.found, link.cause) == (RunbookFound.UNREADABLE, Cause.TIMEOUT)

    def test_the_control_is_beside_the_page_and_like_it(self) -> None:
        assert control_of("https://x.net/runbooks/A.html#f", "token") == "https://x.net/runbooks/token.html"
        assert control_of("https://x.net/runbooks/A/", "token") == "https://x.net/runbooks/token/"
        assert control_of("https://x.net/", "token") == "https://x.net/token"
        assert control_of("https://x.net/view?page=7&v=1", "t") == "https://x.net/view?page=t&v=t"

    def test_a_page_of_github_is_read_without_its_scripts(self) -> None:
        raw = "https://raw.githubusercontent.com/a/b/main/r/x.md"
        assert raw_of("https://github.com/a/b/blob/main/r/x.md") == raw
        assert raw_of("https://github.com/a/b/tree/main/r/x.md#part") == raw
        assert raw_of("https://github.com/a/b/wiki/x") == "https://github.com/a/b/wiki/x"

    @given(st.binary(max_size=300), st.binary(max_size=300))
    def test_likeness_is_mutual_and_of_itself(self, one: bytes, other: bytes) -> None:
        assert same_page(one, one)
        assert same_page(one, other) == same_page(other, one)


class TestSignIn:
    def test_a_form_for_a_password_is_no_runbook(self, site: Site, only: Only) -> None:
        site.otherwise = lambda _: (200, {}, LOGIN)
        assert only(f"{site.url}/wiki/PaymentsDown").found is RunbookFound.SIGN_IN

    def test_a_redirect_to_a_sign_in_is_none_either(self, site: Site, only: Only) -> None:
        site.otherwise = lambda _: (302, {"Location": "/sso/start?to=x"}, "")
        site.answers = {"/sso/start?to=x": (200, {}, "<html><body>One moment</body></html>")}
        assert only(f"{site.url}/wiki/PaymentsDown").found is RunbookFound.SIGN_IN

    def test_a_redirect_to_the_page_is_followed(self, site: Site, only: Only) -> None:
        site.answers = {"/r": (301, {"Location": "/r/"}, ""), "/r/": (200, {}, GOOD)}
        link = only(f"{site.url}/r")
        assert (link.found, "/r/" in link.detail) == (RunbookFound.FOUND, True)

    def test_a_circle_ends(self, site: Site, only: Only) -> None:
        site.answers = {"/r": (302, {"Location": "/s"}, ""), "/s": (302, {"Location": "/r"}, "")}
        link = only(f"{site.url}/r")
        assert (link.found, "redirects" in link.detail) == (RunbookFound.UNREADABLE, True)


class TestEconomy:
    def test_a_page_is_asked_for_once_for_all_services(self, site: Site, repositories: Repositories) -> None:
        site.answers = {"/runbooks/one": (200, {}, GOOD), "/runbooks/other": (200, {}, "x")}
        services = [Service(name=f"s-{number}") for number in range(50)]
        known = {
            (one.key, LiveAlerts): Observation(
                LiveAlerts, NOW, LiveAlerts(alerts=(alert(f"A{number}", f"{site.url}/runbooks/one#meaning"),))
            )
            for number, one in enumerate(services)
        }
        answers = dict(RunbookPagesProbe(repositories, sites()).ask(services, Upstream(known)))
        assert len(answers) == 50
        assert site.asked["/runbooks/one"] == 1
        controls = [path for path in site.asked if "scorecard-control" in path]
        assert [site.asked[path] for path in controls] == [1]


class TestLiveAlertsInRepositories:
    def test_a_path_and_an_address_on_the_forge_lead_to_files(
        self,
        repository: GitRepository,
        ask: Ask,
    ) -> None:
        repository.git("remote", "add", "origin", "https://github.com/example/payments.git")
        repository.commit({"runbooks/A.md": MARKDOWN, "runbooks/B.md": MARKDOWN, "runbooks/Orphan.md": "# O\n"})
        answer = ask(
            alert("A", "runbooks/A.md"),
            alert("B", "https://github.com/example/payments/blob/main/runbooks/B.md#meaning"),
            alert("C", "https://github.com/example/payments/blob/main/runbooks/C.md"),
            alert("D", ""),
            repositories=(Repository(url=str(repository.path)),),
        )
        assert isinstance(answer, RunbookPages)
        assert [link.found for link in answer.links] == [
            RunbookFound.FOUND,
            RunbookFound.FOUND,
            RunbookFound.NOT_FOUND,
            RunbookFound.NO_LINK,
        ]
        page = answer.links[0].page
        assert page is not None
        assert page.reviewed_on == date(2026, 6, 1)
        assert answer.orphans == ("runbooks/Orphan.md",)

    def test_a_repository_that_another_service_names_is_known_too(
        self,
        repository: GitRepository,
        repositories: Repositories,
    ) -> None:
        repository.git("remote", "add", "origin", "https://github.com/example/runbooks.git")
        repository.commit({"payments/A.md": MARKDOWN})
        owner = Service(name="docs", spec=Spec(repositories=(Repository(url=str(repository.path)),)))
        other = Service(name="payments")
        link = "https://github.com/example/runbooks/blob/main/payments/A.md"
        seen = LiveAlerts(alerts=(alert("A", link),))
        known = {
            (other.key, LiveAlerts): Observation(LiveAlerts, NOW, seen),
            (owner.key, LiveAlerts): Observation(LiveAlerts, NOW, Absent("none")),
        }
        probe = RunbookPagesProbe(repositories, sites())
        answer = dict(probe.ask([owner, other], Upstream(known)))[other.key]
        assert isinstance(answer, RunbookPages)
        assert answer.links[0].found is RunbookFound.FOUND

    def test_a_path_of_a_service_without_repositories_is_not_looked_for(self, only: Only) -> None:
        link = only("runbooks/A.md")
        assert (link.found, link.cause) == (RunbookFound.UNREADABLE, Cause.NOT_CONFIGURED)

    def test_a_template_is_known_when_it_fires(self, site: Site, ask: Ask) -> None:
        site.answers = {"/r/in": (200, {}, GOOD)}
        template = f"{site.url}/r/{{{{ $labels.queue }}}}"
        quiet, firing = ask(alert("A", template), alert("B", template, rendered_runbook_url=f"{site.url}/r/in")).links
        assert (quiet.found, firing.found) == (RunbookFound.TEMPLATE, RunbookFound.FOUND)


class TestWhatIsNotKnown:
    LOST = Unavailable(Cause.TIMEOUT, "GET /api/v1/rules: not complete within 10 s")

    def test_a_prometheus_that_did_not_answer_leaves_pages_unknown(self, ask: Ask) -> None:
        assert ask(live=self.LOST).cause is Cause.TIMEOUT

    def test_a_service_whose_links_all_lead_to_files_has_none(self, ask: Ask) -> None:
        assert isinstance(ask(live=Absent("none"), runbooks=Runbooks(links=())), Absent)

    def test_pages_of_alerts_in_files_are_asked_for_as_well(self, site: Site, ask: Ask) -> None:
        site.answers = {"/r": (200, {}, GOOD)}
        link = AlertRunbook(
            name="PaymentsDown", where="alerts/a.yaml:4", url=f"{site.url}/r", found=RunbookFound.NOT_ASKED
        )
        answer = ask(live=Absent("none"), runbooks=Runbooks(links=(link,), orphans=("runbooks/X.md",)))
        assert [one.found for one in answer.links] == [RunbookFound.FOUND]
        assert answer.orphans == ("runbooks/X.md",)


class TestHtml:
    @given(st.text(alphabet="<>/abh12 pre ol=\"'!-&;#mainscript", max_size=400))
    def test_any_text_is_read(self, text: str) -> None:
        parsed(read_html(text), "x", fragment="a", alerts=("a",))

    def test_scripts_are_no_text_and_deep_pages_end(self) -> None:
        page = read_html("<body><script>PaymentsDown</script>" + "<div>" * 50_000 + "text")
        assert [line.text for section in page.sections for line in section.lines] == ["text"]

    def test_a_heading_without_an_id_has_the_usual_anchor(self) -> None:
        found = parsed(read_html("<h2>What to do</h2><p>Call the lead now.</p>"), "x", fragment="what-to-do")
        assert dict(found.sections) == {"mitigation": 4}
