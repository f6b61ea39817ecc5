"""Pages over HTTP: what stands on them, what their links lead to, and what they refuse."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from scorecard.evidence import Alerts, Exhibit, HealthEndpoints
from scorecard.model import Cadence, Service, ServiceKey
from scorecard.site import query

if TYPE_CHECKING:
    from tests.site.conftest import Estate

PAGES = (
    "/",
    "/?checklist=delivery-practices",
    "/services",
    "/services?team=payments-platform&row=alerts&status=fail&sort=-name",
    "/services?q=no-such-name",
    "/services/payments",
    "/services/payments?environment=staging",
    "/services/payments?checklist=delivery-practices",
    "/services/payments?at=2026-11-23T12:01:30Z",
    "/services/ledger",
    "/services/docs",
    "/services/newcomer",
    "/rows",
    "/rows/health-endpoints",
    "/rows/multi-az",
    "/rows/migrations",
    "/teams",
    "/teams/payments-platform",
    "/teams/payments",
    "/waivers",
    "/health",
    "/runs",
    "/runs/1",
    "/search",
    "/search?q=pay",
    "/search?q=zzz",
)


def words(text: str) -> str:
    """The text of a page, without tags."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


def links(text: str) -> set[str]:
    return {html.unescape(found) for found in re.findall(r'href="([^"]+)"', text)}


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_whole_small_and_guarded(furnished: Estate, path: str) -> None:
    answer = furnished.client().get(path)
    assert answer.status_code == 200
    assert len(answer.data) <= 150 * 1024
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    text = answer.get_data(as_text=True)
    assert not re.search(r"\sstyle=|\son\w+=|<style|<script(?! type=\"module\" src=)", text)
    assert text.count("<h1") == 1
    assert "Last full run" in text


@pytest.mark.parametrize("path", PAGES)
def test_no_link_of_a_page_leads_nowhere(furnished: Estate, path: str) -> None:
    client = furnished.client()
    ours = {link for link in links(furnished.text(path)) if link.startswith("/")}
    ids: dict[str, str] = {}
    for link in sorted(ours):
        target, fragment = urlsplit(link)._replace(fragment="").geturl(), urlsplit(link).fragment
        if target not in ids:
            with client.get(target) as answer:
                assert answer.status_code in {200, 303}, link
                ids[target] = answer.get_data(as_text=True) if "html" in answer.content_type else ""
        if fragment:
            assert f'id="{fragment}"' in ids[target], link


@pytest.mark.parametrize("path", PAGES)
def test_no_element_id_stands_twice(furnished: Estate, path: str) -> None:
    ids = re.findall(r'\sid="([^"]+)"', furnished.text(path))
    assert len(ids) == len(set(ids))


def test_the_overview_counts_what_its_links_list(furnished: Estate) -> None:
    text = furnished.text("/")
    counted = re.findall(r'<li class="s-\w+"><a href="([^"]+)">.*?<b class="num">(\d+)</b>', text)
    assert len(counted) == 3
    for link, number in counted:
        listed = words(furnished.text(html.unescape(link)))
        found = re.search(r"(\d+) production services?", listed)
        assert found is not None
        assert found[1] == number, link


def test_every_bar_of_the_distribution_links_to_the_services_it_counts(furnished: Estate) -> None:
    text = furnished.text("/")
    bars = re.findall(r'<li><a href="([^"]+score=[^"]+)"><span class="num">(\d+)</span>', text)
    assert len(bars) == 10
    assert sum(int(number) for _, number in bars) > 50
    for link, number in bars:
        assert re.search(rf"\b{number} production service", words(furnished.text(html.unescape(link)))), link


def test_a_cell_of_the_heat_table_links_to_the_services_it_counts(furnished: Estate) -> None:
    text = furnished.text("/")
    cells = re.findall(r'<td class="h h\d"><a href="([^"]+)">(\d+)<', text)
    assert cells
    for link, number in cells[:5]:
        assert f"{number} production service" in words(furnished.text(html.unescape(link)))


def test_a_number_that_is_blind_says_so_first(furnished: Estate) -> None:
    text = furnished.text("/")
    health = furnished.store.health(furnished.clock())
    said = f"{health.unknown_findings:,} of {health.findings:,} findings could not be measured"
    assert said in words(text)
    assert text.index("could not be measured") < text.index("<h1")
    assert re.search(r"[\d,]+ not supported by this version", words(text))


def test_a_late_run_is_said_above_every_page(estate: Estate) -> None:
    estate.add(Service(name="payments"))
    estate.measure()
    assert "What you see is the last answer" not in estate.text("/")
    estate.clock.forward(minutes=10)
    estate.store.forget()
    for path in ("/", "/services", "/services/payments", "/rows", "/health"):
        text = words(estate.text(path))
        assert "What you see is the last answer. The last full live run ended 10 min ago" in text


def test_services_are_a_work_list_lowest_first(furnished: Estate) -> None:
    text = furnished.text("/services")
    scores = [float(score) for score in re.findall(r'<td class="t-score"><b class="num">([\d.]+)</b>', text)]
    assert len(scores) > 40
    assert scores == sorted(scores)


def test_a_score_never_stands_without_its_range_and_every_state_has_a_word(furnished: Estate) -> None:
    text = furnished.text("/services")
    assert text.count('class="t-score"><b class="num">') == text.count('<svg class="range"')
    cells = re.findall(r'<td class="c s-\w+"><svg class="i"><use href="#i-\w+"/></svg><b>([a-z ]+)</b></td>', text)
    assert len(cells) == text.count('<td class="c s-')
    assert {"pass", "warn", "fail", "unknown", "not applicable"} >= set(cells)
    assert {"fail", "unknown"} <= set(cells)


def test_pages_of_the_list_hold_every_service_once(furnished: Estate) -> None:
    seen: list[str] = []
    path = "/services?limit=20&sort=name"
    for _ in range(10):
        text = furnished.text(path)
        seen += re.findall(r'class="t-name"><a href="([^"]+)"', text)
        more = re.search(r'rel="next" href="([^"]+)"', text)
        if more is None:
            break
        path = html.unescape(more[1])
    assert len(seen) == len(set(seen)) == 59


@pytest.mark.parametrize("query", ["level=great", "score=many", "row=nothing", "after=!!!", "sort=luck"])
def test_a_filter_that_cannot_be_read_is_told_and_kept(furnished: Estate, query: str) -> None:
    text = furnished.text(f"/services?team=search-team&{query}", status=422)
    assert "This filter cannot be read" in text
    assert 'name="team" list="teams" value="search-team"' in text
    assert 'class="t-score"' not in text


def test_nothing_found_offers_to_clear_the_filters(furnished: Estate) -> None:
    text = words(furnished.text("/services?q=no-such-name"))
    assert "No service matches. Clear the filters" in text


def test_an_empty_scorecard_says_how_a_service_is_added(estate: Estate) -> None:
    for path in ("/", "/services"):
        text = words(estate.text(path))
        assert "No service yet Three ways to add one" in text
        assert "scorecard init" in text
        assert "PUT" in text


def test_the_csv_holds_the_same_services_with_their_rows(furnished: Estate) -> None:
    answer = furnished.client().get("/services.csv?team=payments-platform")
    assert answer.content_type == "text/csv; charset=utf-8"
    lines = list(csv.DictReader(io.StringIO(answer.get_data(as_text=True))))
    assert {(line["name"], line["environment"]) for line in lines} == {
        ("payments", "production"),
        ("payments", "staging"),
        ("mailer", "production"),
    }
    payments = next(line for line in lines if line["name"] == "payments" and line["environment"] == "production")
    assert payments["alerts"] == "fail"
    assert payments["multi-az"] == "not_applicable"
    assert payments["level"] == "unknown"


def test_the_csv_holds_more_than_a_page(furnished: Estate) -> None:
    text = furnished.client().get("/services.csv?limit=10").get_data(as_text=True)
    assert len(text.splitlines()) == 60


def test_the_csv_refuses_a_filter_that_cannot_be_read(furnished: Estate) -> None:
    assert furnished.client().get("/services.csv?level=great").status_code == 422


def test_a_formula_in_a_name_is_quoted_in_the_csv(estate: Estate) -> None:
    estate.add(Service(name="payments", team='=HYPERLINK("https://elsewhere.example")', tier="-2"))
    estate.measure(Cadence.LIVE)
    (line,) = csv.DictReader(io.StringIO(estate.text("/services.csv")))
    assert line["team"].startswith("'=")
    assert line["tier"] == "'-2"


def test_a_service_page_begins_with_the_verdict_and_its_reasons(furnished: Estate) -> None:
    text = furnished.text("/services/payments")
    said = words(text)
    decision = furnished.store.decision(ServiceKey("payments"), furnished.clock())
    assert "No go. A launch may not go ahead" in said
    assert all(" ".join(reason.split()) in said for reason in decision.reasons)
    assert text.index("A launch may not") < text.index('class="sum card"') < text.index("What to fix")


def test_a_service_page_shows_score_range_coverage_and_version_together(furnished: Estate) -> None:
    doc = furnished.document("payments")
    said = words(furnished.text("/services/payments"))
    assert f"{doc['score']:g} up to {doc['score_upper']:g}" in said
    assert f"Coverage {doc['coverage']:g} %" in said
    assert f"Production readiness v1 {doc['checklist']['digest'][7:19]}" in said
    assert "1 exempt row" in said
    assert "every 60 s" in said


def test_failing_rows_come_first_with_what_was_seen_how_to_fix_it_and_how_to_repeat_it(furnished: Estate) -> None:
    text = furnished.text("/services/payments")
    order = re.findall(r'<article class="row s-(\w+)" id="([^"]+)"', text)
    assert [status for status, _ in order][:2] == ["fail", "fail"]
    assert len(order) == 12
    alerts = words(text[text.index('id="alerts"') : text.index('id="runbooks"')])
    for part in (
        "1 of 3 alerts",
        "How to fix",
        "Why",
        "Rule",
        "git show 3f2a9c1:deploy/alerts.yaml",
        "points if it passed",
    ):
        assert part in alerts
    assert "QueueGrows" in alerts


def test_passes_are_folded_with_their_count(furnished: Estate) -> None:
    text = furnished.text("/services/payments")
    assert '<details class="fold" id="passing"><summary><h2>1 row passes</h2>' in text
    assert "rows that this version cannot measure" in text


def test_what_is_not_configured_shows_the_lines_to_add(furnished: Estate) -> None:
    text = words(furnished.text("/services/ledger"))
    assert "Add to the service file: spec: url: https://payments.example.net" in text


def test_an_exempt_row_says_who_declared_it_and_until_when(furnished: Estate) -> None:
    text = words(furnished.text("/services/payments"))
    assert "a cold standby is accepted for this tier; declared by payments-lead, until 2027-03-01" in text


def test_one_answer_behind_two_checks_is_shown_once(furnished: Estate) -> None:
    text = furnished.text("/services/search")
    assert text.count("curl -si https://search.example.net/livez</code>") == 1
    assert "the same answer as shown above" in text


def test_a_former_name_leads_to_the_new_one_for_ever(furnished: Estate) -> None:
    answer = furnished.client().get("/services/card-payments?at=2026-11-01")
    assert answer.status_code == 301
    assert answer.headers["Location"] == "/services/payments?at=2026-11-01"


def test_an_unknown_service_is_answered_with_the_nearest_names(furnished: Estate) -> None:
    text = furnished.text("/services/paymets", status=404)
    assert "No service is registered as paymets." in text
    assert '<a href="/services/payments">payments</a>' in text


def test_an_unknown_environment_is_not_the_production_one(furnished: Estate) -> None:
    assert "payments@nowhere" in furnished.text("/services/payments?environment=nowhere", status=404)


@pytest.mark.parametrize(
    "path", ["/nope", "/rows/nothing", "/teams/nobody", "/runs/999999", "/runs/99999999999999999999", "/?checklist=x"]
)
def test_what_is_not_there_is_a_page_that_says_so(furnished: Estate, path: str) -> None:
    answer = furnished.client().get(path)
    assert answer.status_code == 404
    assert "<h1>" in answer.get_data(as_text=True)
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]


def test_an_address_under_api_is_left_to_the_api(furnished: Estate) -> None:
    assert "Readiness Scorecard" not in furnished.client().get("/api/v1/nope").get_data(as_text=True)


def test_the_apis_own_404_stays_problem_json_beside_the_site(furnished: Estate) -> None:
    for path in ("/api/v1/nothing", "/api/nothing"):
        answer = furnished.client().get(path)
        assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
        assert answer.get_json()["type"] == "/api/docs#problem-not-found"


def test_a_past_instant_shows_what_stood_then(furnished: Estate) -> None:
    text = words(furnished.text("/services/payments?at=2026-11-23T12:00:30Z"))
    assert "As it stood at 2026-11-23 12:00 UTC. Show it as it stands now" in text


def test_before_it_was_first_measured_there_is_no_scorecard(furnished: Estate) -> None:
    text = words(furnished.text("/services/payments?at=2020-01-01", status=404))
    assert "There is no scorecard of it from 2020-01-01" in text


@pytest.mark.parametrize(
    ("query", "said"),
    [("at=yesterday", "is no instant"), ("at=2030-01-01", "has not come yet"), ("checklist=x", "No checklist “x” is")],
)
def test_what_cannot_be_read_of_an_address_is_told(furnished: Estate, query: str, said: str) -> None:
    text = words(furnished.text(f"/services/payments?{query}"))
    assert said in text
    assert "What to fix" in text


def test_seeded_history_is_marked_as_demo_data(furnished: Estate) -> None:
    text = furnished.text("/services/payments")
    changes = text[text.index('id="changes"') :]
    assert changes.count("demo data") == 2
    assert '<svg class="trend"' in text


def test_a_demo_service_is_marked_wherever_it_stands(estate: Estate, endpoints: Callable[..., HealthEndpoints]) -> None:
    estate.add(Service(name="payments", demo=True), endpoints())
    estate.measure()
    for path in ("/", "/services", "/services/payments"):
        assert "demo data" in words(estate.text(path))


def test_a_waiver_stands_on_the_service_on_its_own_page_and_on_the_overview(furnished: Estate) -> None:
    assert "1 waiver in force" in words(furnished.text("/services/payments"))
    assert "the rule file moves next week" in words(furnished.text("/waivers"))
    overview = words(furnished.text("/"))
    assert "Waivers that end within 14 days Service Hides from the gate Ends payments alerts/severity" in overview


def test_a_row_page_tells_rule_source_and_fix_of_every_check(furnished: Estate) -> None:
    text = words(furnished.text("/rows/health-endpoints"))
    for part in (
        "liveness",
        "not-a-catch-all",
        "HealthEndpoints",
        "live cadence; unknown when older than 15 min",
        "How to fix it",
    ):
        assert part in text
    assert "Thresholds in force" in text
    assert "samples_to_fall" in text


def test_a_row_that_this_version_cannot_measure_says_so(furnished: Estate) -> None:
    assert "This version cannot measure this row" in furnished.text("/rows/migrations")


def test_a_team_page_names_the_three_fixes_worth_most(furnished: Estate) -> None:
    text = furnished.text("/teams/payments-platform")
    fixes = [float(points) for points in re.findall(r'<li><p><b class="num">\+([\d.]+)</b>', text)]
    assert len(fixes) == 3
    assert fixes == sorted(fixes, reverse=True)
    assert "0 of 2 production services at the bar" in words(text)


def test_the_points_of_a_fix_are_those_of_the_document(furnished: Estate) -> None:
    text = furnished.text("/teams/search-team")
    (points, link) = re.findall(r'<b class="num">\+([\d.]+)</b> <a href="/services/search#([^"]+)"', text)[0]
    doc = furnished.document("search")
    assert float(points) == next(row["points"] for row in doc["rows"] if row["id"] == link)


def test_many_teams_are_shown_in_parts(estate: Estate) -> None:
    for number in range(170):
        estate.add(Service(name=f"svc-{number}", team=f"team-{number:03}"))
    estate.measure(Cadence.LIVE)
    seen: list[str] = []
    for page in ("", "?page=2", "?page=3"):
        answer = estate.client().get(f"/teams{page}")
        assert len(answer.data) <= 150 * 1024
        seen += re.findall(r'<th scope="row"><a href="/teams/([^"]+)"', answer.get_data(as_text=True))
    assert len(seen) == len(set(seen)) == 170
    assert "teams 161 to 170 of 170" in words(estate.text("/teams?page=99999"))


def test_search_leads_to_the_one_service_of_that_name(furnished: Estate) -> None:
    answer = furnished.client().get("/search?q=Payments")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/services/payments")
    assert furnished.client().get("/search?q=payments@staging").headers["Location"].endswith("environment=staging")


def test_search_finds_services_rows_and_teams(furnished: Estate) -> None:
    text = words(furnished.text("/search?q=alert"))
    assert "Alerts with severity levels and runbooks" in text
    assert "payments-platform" in words(furnished.text("/search?q=platf"))


def test_measure_again_plans_one_run_and_leads_to_it(estate: Estate, form_of: Callable[..., dict[str, str]]) -> None:
    estate.add(Service(name="payments"))
    estate.measure()
    client = estate.client()
    form = form_of(client, "/services/payments")
    answer = client.post("/services/payments/measure", data=form)
    assert answer.status_code == 303
    assert re.fullmatch(r"/runs/\d+", answer.headers["Location"])
    assert estate.asked == [(ServiceKey("payments"), None, "site")]
    run = words(client.get(answer.headers["Location"]).get_data(as_text=True))
    assert "Under way" in run
    assert "Back to payments" in run


def test_a_form_without_its_token_or_its_cookie_sets_nothing_in_motion(
    estate: Estate, form_of: Callable[..., dict[str, str]]
) -> None:
    estate.add(Service(name="payments"))
    estate.sync()
    client = estate.client()
    form = form_of(client, "/services/payments")
    refused = [
        client.post("/services/payments/measure", data={}),
        client.post("/services/payments/measure", data={**form, "token": form["token"][:-2] + "xx"}),
        client.post("/services/payments/measure", data=form, headers={"Sec-Fetch-Site": "cross-site"}),
        client.post("/services/payments/measure", data=form, headers={"Origin": "https://elsewhere.example"}),
        estate.client().post("/services/payments/measure", data=form),
    ]
    assert [answer.status_code for answer in refused] == [403] * 5
    assert estate.asked == []


def test_the_cookie_of_a_form_is_strict_and_out_of_reach_of_script(furnished: Estate) -> None:
    cookie = furnished.client().get("/services/payments").headers["Set-Cookie"]
    assert "SameSite=Strict" in cookie
    assert "HttpOnly" in cookie


def test_a_host_name_that_is_not_ours_is_refused(furnished: Estate) -> None:
    answer = furnished.client().get("/", headers={"Host": "rebound.example"})
    assert answer.status_code == 421
    assert "payments" not in answer.get_data(as_text=True)


def test_measuring_is_a_post(furnished: Estate) -> None:
    assert furnished.client().get("/services/payments/measure").status_code == 405


def test_problems_of_the_catalogue_stand_on_the_health_page(estate: Estate) -> None:
    estate.problems = ("services/a.yaml:4: metadata.nmae: unknown key; did you mean `name`?",)
    assert "metadata.nmae: unknown key" in estate.text("/health")


def test_the_health_page_tells_what_is_unknown_and_why(furnished: Estate) -> None:
    text = words(furnished.text("/health"))
    assert re.search(r"not supported by this version [\d,]+", text)
    assert re.search(r"timeout \d+", text)


def test_runs_are_listed_newest_first(furnished: Estate) -> None:
    ids = [int(found) for found in re.findall(r'<th scope="row"><a href="/runs/(\d+)">', furnished.text("/runs"))]
    assert ids == sorted(ids, reverse=True)
    assert len(ids) == 9


def test_a_store_that_does_not_answer_is_told_and_no_number_is_shown(estate: Estate) -> None:
    estate.add(Service(name="payments"))
    estate.measure()
    with estate.store.db.write() as connection:
        connection.exec_driver_sql("ALTER TABLE summary RENAME TO gone")
    estate.store.forget()
    text = estate.text("/services", status=503)
    assert "The store does not answer" in text
    assert "payments" not in text


def test_a_page_that_fails_says_that_the_fault_is_ours(estate: Estate) -> None:
    estate.problems = None  # type: ignore[assignment] # what should not happen
    assert "The fault is ours" in estate.text("/health", status=500)


def test_assets_are_kept_by_the_browser_until_they_change(furnished: Estate) -> None:
    sheet = next(link for link in links(furnished.text("/")) if "site.css" in link)
    with furnished.client().get(sheet) as answer:
        assert "immutable" in answer.headers["Cache-Control"]
    with furnished.client().get("/assets/site.css") as answer:
        assert "immutable" not in answer.headers.get("Cache-Control", "")
    assert furnished.client().get("/").headers["Cache-Control"] == "no-cache"


def test_excerpts_that_do_not_fit_are_cut_and_say_so(estate: Estate, endpoints: Callable[..., HealthEndpoints]) -> None:
    many = tuple(
        Exhibit(source="http", request=f"curl -si https://payments.example.net/{number}", excerpt=f'{number}"' * 2000)
        for number in range(6)
    )
    seen = endpoints(liveness=500, readiness=500)
    estate.add(
        Service(name="payments"), HealthEndpoints(liveness=seen.liveness, readiness=seen.readiness, exhibits=many)
    )
    for _ in range(3):
        estate.measure()
        estate.clock.forward(seconds=60)
    answer = estate.client().get("/services/payments")
    assert len(answer.data) <= 150 * 1024
    assert "Cut short for this page" in answer.get_data(as_text=True)


def test_a_thousand_alerts_do_not_make_a_page_of_megabytes(estate: Estate, alerts: Callable[..., Alerts]) -> None:
    names = [f"Alert{number}" for number in range(1000)]
    estate.add(Service(name="payments"), alerts(*names, severity="<b>&quot;</b>" * 20, runbook=False))
    estate.measure()
    answer = estate.client().get("/services/payments")
    assert len(answer.data) <= 150 * 1024
    said = words(answer.get_data(as_text=True))
    assert "Alert0" in said
    assert re.search(r"\d+ more are in the JSON document", said)


def test_old_answers_are_not_left_standing_by_a_dead_scheduler(
    estate: Estate, endpoints: Callable[..., HealthEndpoints]
) -> None:
    estate.add(Service(name="payments"), endpoints())
    for _ in range(3):
        estate.measure(Cadence.LIVE)
        estate.clock.forward(seconds=60)
    assert "expired" not in words(estate.text("/services/payments"))
    estate.clock.at += timedelta(minutes=20)
    estate.store.forget()
    text = words(estate.text("/services/payments"))
    assert "expired : last seen" in text
    assert "stale" in words(estate.text("/services"))


def test_every_page_is_described_in_the_how_to(furnished: Estate) -> None:
    guide = Path(__file__).parents[2].joinpath("docs/how-to/read-the-site.md").read_text(encoding="utf-8")
    rules = {rule.rule for rule in furnished.flask.url_map.iter_rules() if rule.endpoint.startswith("site.")}
    words_for = {"<name>": "NAME", "<row_id>": "ROW", "<team>": "TEAM", "<int:run_id>": "ID"}
    for rule in rules - {"/assets/<path:filename>", "/services/<name>/measure"}:
        shown = re.sub(r"<[^>]+>", lambda part: words_for[part[0]], rule)
        assert f"`{shown}" in guide, rule
    for name in query.FILTERS:
        assert f"`{name}`" in guide, name
