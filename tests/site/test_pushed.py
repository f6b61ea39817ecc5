"""What was pushed about a service stands on its page: what, when, by whom, and what it says."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import TYPE_CHECKING

from scorecard.evidence.pushed import PushedKind
from scorecard.model import Provenance, Service

if TYPE_CHECKING:
    from tests.site.conftest import Estate

LEDGER = Service(name="ledger")


def card(text: str) -> str:
    """The words of the card; empty where the page has none."""
    found = re.search(r'<section class="card" aria-labelledby="h-pushed">(.*?)</section>', text, re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", found[1])).split()) if found else ""


def test_what_was_pushed_is_listed_newest_first_with_who_and_what(estate: Estate) -> None:
    estate.add(LEDGER)
    estate.measure()
    assert card(estate.text("/services/ledger")) == ""
    drill = {"schema": 1, "result": "failure", "resource": "ledger", "code": "truncated", "message": "end of file"}
    store, now = estate.store, estate.clock
    store.push(LEDGER.key, PushedKind.TEST_REPORT, {"tests": 412, "failed": 0, "suites": [1]}, now(), pushed_by="ci")
    estate.clock.forward(seconds=60)
    store.push(LEDGER.key, PushedKind.DRILL, drill, now(), pushed_by="schedule", provenance=Provenance.PROBED)
    estate.clock.forward(seconds=60)
    store.push(LEDGER.key, PushedKind.TEST_REPORT, "<b>ok</b>\nmore", now(), pushed_by="ci")
    page = estate.text("/services/ledger")
    said = card(page)
    parts = (
        "Test report 0 s ago , by token ci: <b>ok</b>",
        "by this scorecard: failure · ledger · truncated · end of file",
        "by token ci: tests 412, failed 0",
    )
    places = [said.index(part) for part in parts]
    assert places == sorted(places)
    assert "<b>ok</b>" not in page, "what was pushed is text, whatever it holds"
    assert '/api/v1/services/ledger/evidence">' in page


def test_a_past_scorecard_does_not_show_what_was_pushed_since(estate: Estate) -> None:
    estate.add(LEDGER)
    estate.measure()
    then = estate.clock()
    estate.clock.forward(seconds=120)
    estate.store.push(LEDGER.key, PushedKind.ATTESTATION, {"by": "lead"}, estate.clock(), pushed_by="ci")
    assert "Attestation" in card(estate.text("/services/ledger"))
    past = (then + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert card(estate.text(f"/services/ledger?at={past}")) == ""
