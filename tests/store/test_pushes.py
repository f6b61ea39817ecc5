"""What pipelines push and the tokens with which they do, in both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from scorecard.evidence.pushed import PushedKind
from scorecard.model import Provenance, ServiceKey
from scorecard.redact import MARK, redact_text
from scorecard.store.pushes import Token
from scorecard.store.tables import token as token_table
from tests.conftest import START
from tests.store.fleet import Fleet

DAY = timedelta(days=1)
PAYMENTS = ServiceKey("payments")


def made(fleet: Fleet, **more: object) -> tuple[Token, str]:
    given: dict[str, Any] = {"name": "ci", "service": "payments", "kinds": [PushedKind.DRILL], "now": START}
    return fleet.store.create_token(**{**given, "life": 30 * DAY, "created_by": "api", **more})


def test_a_token_is_known_again_by_the_whole_of_it_and_by_nothing_else(fleet: Fleet) -> None:
    token, whole = made(fleet)
    seen = fleet.store.token_of(whole, START)
    assert seen is not None
    assert (seen.id, seen.service, seen.kinds) == (token.id, "payments", (PushedKind.DRILL,))
    head = whole[:-1]
    for other in (
        "",
        "rsc_",
        whole[4:],
        head,
        f"{head}{'a' if whole[-1] != 'a' else 'b'}",
        f"rsc_{token.id}_",
        whole + "x",
        "rsc_é_x",
        "rsc_\0_x",
    ):
        assert fleet.store.token_of(other, START) is None, other


def test_two_tokens_do_not_open_for_one_another(fleet: Fleet) -> None:
    (_, one), (other, _) = made(fleet), made(fleet)
    assert fleet.store.token_of(f"rsc_{other.id}_{one.split('_', 2)[2]}", START) is None


def test_the_secret_is_kept_nowhere(fleet: Fleet) -> None:
    _, whole = made(fleet)
    secret = whole.split("_", 2)[2]
    assert len(secret) >= 43, "256 bits"
    with fleet.store.db.read() as connection:
        kept = repr(connection.execute(select(token_table)).all())
    assert secret not in kept
    assert secret not in repr(fleet.store.tokens())


def test_a_token_in_a_text_is_redacted(fleet: Fleet) -> None:
    _, whole = made(fleet)
    assert redact_text(f"pushed with {whole}, thanks") == f"pushed with {MARK}, thanks"


def test_a_token_ends(fleet: Fleet) -> None:
    _, whole = made(fleet, life=DAY)
    assert fleet.store.token_of(whole, START + DAY - timedelta(seconds=1)) is not None
    assert fleet.store.token_of(whole, START + DAY) is None


@pytest.mark.parametrize("life", [timedelta(0), -DAY, 90 * DAY + timedelta(seconds=1)])
def test_a_token_lives_ninety_days_at_most(fleet: Fleet, life: timedelta) -> None:
    with pytest.raises(ValueError, match="90 days"):
        made(fleet, life=life)
    assert made(fleet, life=90 * DAY)


def test_a_revoked_token_opens_nothing_at_once_and_stays_revoked(fleet: Fleet) -> None:
    token, whole = made(fleet)
    revoked = fleet.store.revoke_token(token.id, START + DAY)
    assert revoked is not None
    assert fleet.store.token_of(whole, START + DAY) is None
    again = fleet.store.revoke_token(token.id, START + 2 * DAY)
    assert again is not None
    assert again.revoked_at == START + DAY, "when it was revoked is not written over"
    assert fleet.store.revoke_token("none", START) is None


def test_the_last_use_is_kept(fleet: Fleet) -> None:
    _, whole = made(fleet)
    fleet.store.token_of("rsc_000000000000_wrong", START + DAY)
    assert [one.last_used_at for one in fleet.store.tokens("payments")] == [None]
    fleet.store.token_of(whole, START + DAY)
    assert [one.last_used_at for one in fleet.store.tokens("payments")] == [START + DAY]
    assert fleet.store.tokens("ledger") == ()


def test_documents_come_back_newest_first_and_by_kind(fleet: Fleet) -> None:
    fleet.add("payments")
    for day in range(3):
        fleet.store.push(PAYMENTS, PushedKind.DRILL, {"n": day}, START + day * DAY, pushed_by="ci")
    report = fleet.store.push(PAYMENTS, PushedKind.TEST_REPORT, {"passed": 9}, START, pushed_by="ci")
    drills = fleet.store.pushed(PAYMENTS, PushedKind.DRILL, limit=2)
    assert [(one.document["n"], one.pushed_by, one.provenance) for one in drills] == [
        (2, "ci", Provenance.REPORTED),
        (1, "ci", Provenance.REPORTED),
    ]
    assert fleet.store.pushed(PAYMENTS, PushedKind.TEST_REPORT) == (report,)
    assert len(fleet.store.pushed(PAYMENTS)) == 4
    own = fleet.store.push(
        PAYMENTS, PushedKind.DRILL, {"n": 9}, START, pushed_by="schedule", provenance=Provenance.PROBED
    )
    seen = fleet.store.pushed(PAYMENTS, PushedKind.DRILL, 1, provenance=Provenance.PROBED)
    assert seen == (own,), "however many were pushed since"
    assert fleet.store.pushed(ServiceKey("nobody")) == ()


def test_a_document_about_nobody_is_refused(fleet: Fleet) -> None:
    with pytest.raises(LookupError, match="nobody is not registered"):
        fleet.store.push(ServiceKey("nobody"), PushedKind.DRILL, {}, START, pushed_by="ci")


def test_a_text_that_a_database_cannot_hold_is_kept_without_what_it_cannot_hold(fleet: Fleet) -> None:
    fleet.add("payments")
    kept = fleet.store.push(PAYMENTS, PushedKind.DRILL, {"message": "a\0b\ud800c"}, START, pushed_by="ci")
    assert kept.document["message"] == "a\0b?c"
    assert fleet.store.pushed(PAYMENTS) == (kept,)


def test_what_is_older_than_the_history_is_forgotten(fleet: Fleet) -> None:
    fleet.add("payments")
    made(fleet, life=DAY)
    fleet.store.push(PAYMENTS, PushedKind.DRILL, {"n": 1}, START, pushed_by="ci")
    fleet.store.push(PAYMENTS, PushedKind.DRILL, {"n": 2}, START + 300 * DAY, pushed_by="ci")
    fleet.store.prune(START + 405 * DAY, samples=DAY, history=400 * DAY)
    assert [one.document["n"] for one in fleet.store.pushed(PAYMENTS)] == [2]
    assert fleet.store.tokens() == ()
