"""The site in Debian's Chromium: accessible, narrow, complete without script, and deaf to hostile text."""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Route, expect
from werkzeug.serving import make_server

from scorecard.evidence import Exhibit, HealthEndpoints, Unavailable
from scorecard.model import Cadence, Cause, Link, Service, Spec, Team
from tests.site.conftest import Estate, alerts, endpoints, open_estate, runbooks

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

Serve = Callable[[Estate], str]

pytestmark = [
    pytest.mark.browser,
    # werkzeug's server reads on from a connection that the browser has reset before it closes the file that it sent.
    pytest.mark.filterwarnings(
        r"ignore:Exception ignored in. <_io.FileIO name='.*/_web/static/:pytest.PytestUnraisableExceptionWarning"
    ),
]

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
PAGES = {
    "overview": "/",
    "delivery practices": "/?checklist=delivery-practices",
    "services": "/services",
    "filtered": "/services?team=payments-platform&score=0-50&sort=-name",
    "nothing found": "/services?q=no-such-name",
    "bad filter": "/services?level=great",
    "service": "/services/payments",
    "service, nothing known": "/services/ledger",
    "service in staging": "/services/payments?environment=staging",
    "service in the past": "/services/payments?at=2026-11-23T12:01:30Z",
    "service, new": "/services/newcomer",
    "no such service": "/services/paymets",
    "how the API is used": "/api/docs",
    "rows": "/rows",
    "row": "/rows/health-endpoints",
    "row, not measured": "/rows/migrations",
    "teams": "/teams",
    "team": "/teams/payments-platform",
    "waivers": "/waivers",
    "health": "/health",
    "runs": "/runs",
    "run": "/runs/1",
    "search": "/search?q=pay",
    "no such page": "/nope",
}
UNFOLD = "document.querySelectorAll('details').forEach((each) => { each.open = true; })"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--metrics-recording-only",
    "--no-default-browser-check",
    "--disable-dev-shm-usage",
    "--force-color-profile=srgb",
    "--font-render-hinting=none",
    "--disable-lcd-text",
]


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    path = shutil.which("chromium")
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail("Chromium is not installed; CI needs it")
        pytest.skip("Chromium is not installed: apt-get install chromium")
    return {"executable_path": path, "headless": True, "args": ARGUMENTS}


@pytest.fixture(scope="session")
def base_url() -> str:
    """In place of the plugin's, which pytest 9 calls deprecated; addresses are given in full."""
    return ""


@pytest.fixture(autouse=True)
def trouble(context: BrowserContext) -> Iterator[list[str]]:
    """No page asks another host, none reports an error; a page that is an error on purpose may say so itself."""
    trouble: list[str] = []

    def asked(sent: Request) -> None:
        host = urlsplit(sent.url).hostname
        if host is not None and host != "127.0.0.1":
            trouble.append(f"a request to {sent.url}")

    def said(message: ConsoleMessage) -> None:
        itself = re.search(r"status of (404|422)", message.text)
        if message.type == "error" and not (itself and message.location.get("url") == message.page.url):  # type: ignore[union-attr] # a page's message has a page
            trouble.append(f"the console: {message.text}")

    context.on("request", asked)
    context.on("console", said)
    context.on("weberror", lambda error: trouble.append(f"an error: {error.error}"))
    yield trouble
    assert trouble == []


def scroll_width(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth"))


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 320)])
def test_axe_finds_nothing_on_any_page(
    browser: Browser, served: str, scheme: Literal["light", "dark"], width: int
) -> None:
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
    page = context.new_page()
    found = []
    for name, path in PAGES.items():
        page.goto(served + path)
        page.evaluate(UNFOLD)
        answer = Axe().run(page, options={"runOnly": {"type": "tag", "values": TAGS}})
        found += [f"{name}: {each['id']}: {each['nodes'][0]['target']}" for each in answer.response["violations"]]
    context.close()
    assert found == []


def test_no_page_scrolls_sideways_at_320_pixels(page: Page, served: str) -> None:
    page.set_viewport_size({"width": 320, "height": 800})
    wide = {}
    for name, path in PAGES.items():
        page.goto(served + path)
        page.evaluate(UNFOLD)
        if scroll_width(page) > 320:
            wide[name] = scroll_width(page)
    assert wide == {}


@pytest.mark.parametrize("path", PAGES.values(), ids=list(PAGES))
def test_a_page_loads_without_a_word_on_the_console(page: Page, served: str, path: str) -> None:
    page.goto(served + path)
    expect(page.locator("h1")).to_have_count(1)


def test_the_slash_goes_to_the_search_and_enter_leads_to_the_service(page: Page, served: str) -> None:
    page.goto(served + "/rows")
    page.keyboard.press("/")
    expect(page.get_by_label("Search services, rows and teams")).to_be_focused()
    page.keyboard.type("payments")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{served}/services/payments")


def test_a_slash_in_a_field_is_a_slash(page: Page, served: str) -> None:
    page.goto(served + "/services")
    field = page.locator(".filters [name=q]")
    field.focus()
    page.keyboard.type("a/b")
    expect(field).to_have_value("a/b")


def test_the_keyboard_reaches_the_content_past_the_navigation(page: Page, served: str) -> None:
    page.goto(served + "/services")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_a_filter_exchanges_the_list_and_the_address_follows(page: Page, served: str) -> None:
    page.goto(served + "/services")
    page.evaluate("window.kept = true")
    page.get_by_label("Team", exact=True).fill("search-team")
    page.get_by_role("button", name="Filter").click()
    expect(page).to_have_url(f"{served}/services?team=search-team")
    expect(page.locator("#list")).to_contain_text("2 services of team search-team")
    assert page.evaluate("window.kept") is True
    page.go_back()
    expect(page.locator("#list")).to_contain_text("59 services")


def test_the_old_list_stays_while_the_new_one_is_awaited(page: Page, served: str) -> None:
    held: list[Route] = []
    page.goto(served + "/services")
    page.route("**/services?*", lambda route: held.append(route))  # noqa: PLW0108 - playwright cannot take a builtin
    page.get_by_label("Team", exact=True).fill("search-team")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("#list")).to_have_attribute("aria-busy", "true")
    expect(page.locator("#list")).to_contain_text("59 services")
    held[0].continue_()
    expect(page.locator("#list")).to_contain_text("2 services of team search-team")
    expect(page.locator("#list")).not_to_have_attribute("aria-busy", "true")


def test_when_the_server_does_not_answer_the_last_answer_stays_and_is_called_so(
    page: Page, served: str, trouble: list[str]
) -> None:
    page.goto(served + "/services")
    page.route("**/services?*", lambda route: route.abort())
    page.get_by_label("Team", exact=True).fill("search-team")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_role("alert")).to_contain_text("What you see is the last answer")
    expect(page.locator("#list")).to_contain_text("59 services")
    (cut,) = trouble
    assert "ERR_FAILED" in cut
    trouble.clear()


def test_a_link_to_a_folded_row_opens_it(page: Page, served: str) -> None:
    page.goto(served + "/services/payments#adrs")
    expect(page.locator("#passing")).to_have_attribute("open", "")
    expect(page.locator("#adrs")).to_be_in_viewport()


def test_what_can_be_copied_is_copied(page: Page, served: str, context: BrowserContext) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(served + "/services/payments")
    last = page.locator(".snippets .copy").last
    last.click()
    expect(last).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("scorecard gate payments --environment production")


def test_a_run_under_way_is_looked_at_until_it_has_ended(page: Page, estate: Estate, serve: Serve) -> None:
    estate.add(Service(name="payments"))
    estate.measure()
    page.goto(serve(estate) + "/services/payments")
    page.get_by_role("button", name="Measure again").click()
    expect(page.locator("#run")).to_contain_text("Under way")
    run = int(page.url.rsplit("/", 1)[1])
    planned = next(planned for planned in estate.store.unfinished() if planned.id == run)
    estate.finish(planned)
    expect(page.locator("#run")).to_contain_text("Done in", timeout=15_000)
    page.get_by_role("link", name="See what it found: payments").click()
    expect(page).to_have_url(re.compile("/services/payments$"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_unknown_is_neither_green_nor_red(browser: Browser, served: str, scheme: Literal["light", "dark"]) -> None:
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    page.goto(served + "/services/payments")
    colours = {
        status: page.locator(f".state.s-{status}").first.evaluate("each => getComputedStyle(each).color")
        for status in ("pass", "warn", "fail", "unknown", "not_applicable")
    }
    context.close()
    assert len(set(colours.values())) == 5
    red, green, blue = (int(part) for part in re.findall(r"\d+", colours["unknown"])[:3])
    assert blue > red > green


# --- without script --------------------------------------------------------------------------------------------------


@pytest.fixture
def plain(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(java_script_enabled=False)
    yield context.new_page()
    context.close()


def test_without_script_a_filter_filters(plain: Page, served: str) -> None:
    plain.goto(served + "/services")
    plain.get_by_label("Team", exact=True).fill("search-team")
    plain.locator("[name=row]").select_option("health-endpoints")
    plain.locator("[name=status]").select_option("fail")
    plain.get_by_role("button", name="Filter").click()
    expect(plain.locator("#list")).to_contain_text("1 service of team search-team with health-endpoints fail")


def test_without_script_the_next_page_is_a_link(plain: Page, served: str) -> None:
    plain.goto(served + "/services")
    plain.get_by_role("link", name="Next 50").click()
    expect(plain.locator("tbody tr")).to_have_count(9)
    plain.get_by_role("link", name="First page").click()
    expect(plain.locator("tbody tr")).to_have_count(50)


def test_without_script_what_is_folded_opens(plain: Page, served: str) -> None:
    plain.goto(served + "/services/payments")
    expect(plain.locator("#adrs")).not_to_be_visible()
    plain.locator("#passing > summary").click()
    expect(plain.locator("#adrs")).to_be_visible()


def test_without_script_a_measurement_can_be_asked_for_and_followed(plain: Page, estate: Estate, serve: Serve) -> None:
    estate.add(Service(name="payments"))
    estate.measure()
    plain.goto(serve(estate) + "/services/payments")
    plain.get_by_role("button", name="Measure again").click()
    expect(plain.get_by_role("link", name="Look again")).to_be_visible()
    assert [key.name for key, _, _ in estate.asked] == ["payments"]


def test_without_script_search_and_sorting_work(plain: Page, served: str) -> None:
    plain.goto(served + "/services")
    plain.locator("thead").get_by_role("link", name="Service").click()
    expect(plain.locator("th[aria-sort=ascending]")).to_have_text(re.compile("Service"))
    plain.get_by_label("Search services, rows and teams").fill("alert")
    plain.keyboard.press("Enter")
    expect(plain.get_by_role("link", name="Alerts with severity levels and runbooks")).to_be_visible()


# --- paper -----------------------------------------------------------------------------------------------------------


def test_on_paper_states_are_words_and_the_navigation_is_gone(page: Page, served: str) -> None:
    page.goto(served + "/services")
    page.emulate_media(media="print")
    expect(page.locator(".filters")).not_to_be_visible()
    cell = page.locator("td.c b").first
    box = cell.bounding_box()
    assert box is not None
    assert box["width"] > 5


# --- hostile text ----------------------------------------------------------------------------------------------------

MARK = "window.__fired=(window.__fired||0)+1"
PAYLOADS = (
    f"<script>{MARK}</script>",
    f'"><script>{MARK}</script>',
    f"'><script>{MARK}</script>",
    f"</title><script>{MARK}</script>",
    f"</textarea><script>{MARK}</script>",
    f"</code></pre><script>{MARK}</script>",
    f"</svg><script>{MARK}</script>",
    f"<img src=x onerror={MARK}>",
    f"<svg onload={MARK}>",
    f"<svg><script>{MARK}</script></svg>",
    f'" onmouseover="{MARK}" autofocus onfocus="{MARK}" x="',
    f"' onmouseover='{MARK}' autofocus onfocus='{MARK}' x='",
    f"<iframe srcdoc='<script>parent.{MARK}</script>'></iframe>",
    f"<details open ontoggle={MARK}>",
    f"<body onload={MARK}>",
    f'<a href="javascript:{MARK}">x</a>',
    f"javascript:{MARK}",
    f"[x](javascript:{MARK})",
    f'![x](x " onerror={MARK}")',
    f"<math><mtext><table><mglyph><style><img src=x onerror={MARK}>",
    "<style>@import'//127.0.0.1:9/x.css';</style>",
    "<link rel=stylesheet href=//127.0.0.1:9/x.css>",
    "<meta http-equiv=refresh content='0;url=//127.0.0.1:9/'>",
    "<base href=//127.0.0.1:9/>",
    f'{{{{ cycler.__init__.__globals__ }}}}<!--<img src="--><img src=x onerror={MARK}>',
    f"\u2028<script>{MARK}</script>",
    f"<scr\x00ipt>{MARK}</scr\x00ipt>".replace("\x00", ""),
)

ENCODED = tuple(quote(payload, safe="") for payload in PAYLOADS)


def hostile(folder: Path) -> Estate:
    """Every payload in every text that comes from elsewhere: names, owners, messages, evidence, problems."""
    estate = open_estate(folder)
    joined = " ".join(PAYLOADS)
    for number, payload in enumerate(PAYLOADS):
        seen = endpoints(f"svc-{number}", 500, 500, excerpt=payload)
        estate.add(
            Service(
                name=f"svc-{number}",
                team=payload,
                tier=payload[:60],
                description=payload,
                links=(Link(title=payload, url="https://oncall.example.net/"),),
                spec=Spec(),
            ),
            replace(
                seen,
                exhibits=(
                    Exhibit(source=payload, request=f"curl '{payload}'", facts={payload: payload}, excerpt=joined),
                ),
            ),
            alerts(payload, "Other", severity=payload, runbook=False),
            replace(runbooks(payload, sections=())),
        )
    estate.add(Service(name="blind"), (HealthEndpoints, Unavailable(Cause.BAD_RESPONSE, joined, lines=joined)))
    estate.teams = (Team(name="team", channel=joined),)
    estate.problems = tuple(PAYLOADS)
    for _ in range(3):
        estate.measure(Cadence.LIVE, Cadence.SOURCE)
        estate.clock.forward(seconds=60)
    return estate


def test_hostile_text_is_shown_and_never_fires(page: Page, serve: Serve, tmp_path: Path) -> None:
    estate = hostile(tmp_path)
    base = serve(estate)
    paths = ["/", "/services", "/health", "/teams", "/rows/alerts", "/services/blind", "/search?q=svc", "/runs"]
    paths += [f"/services/svc-{number}" for number in range(len(PAYLOADS))]
    paths += [f"/services?q={encoded}" for encoded in ENCODED]
    paths += [f"/search?q={encoded}" for encoded in ENCODED]
    paths += [f"/services/svc-0?at={encoded}&checklist={encoded}" for encoded in ENCODED]
    for path in paths:
        page.goto(base + path)
        page.evaluate(UNFOLD)
        assert page.evaluate("window.__fired") is None, path
        strange = page.evaluate(
            "document.querySelectorAll('script:not([type=module]), iframe, style, img, base, [onerror], [onload], "
            '[onfocus], [ontoggle], meta[http-equiv], a[href^="javascript"]\').length'
        )
        assert strange == 0, path
    page.goto(base + "/services/svc-0")
    expect(page.locator("body")).to_contain_text(PAYLOADS[0])
    estate.store.close()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serves an estate on a free port of loopback until the end of the test."""
    running = []

    def start(estate: Estate) -> str:
        server = make_server("127.0.0.1", 0, estate.flask, threaded=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread in running:
        server.shutdown()
        server.server_close()
        thread.join()
