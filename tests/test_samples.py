"""The hysteresis: what a run of samples comes to, and that a lost sample never raises it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scorecard.evidence.samples import SampleKind, SeriesState, settle

LETTERS = {"g": SampleKind.GOOD, "b": SampleKind.BAD, "u": SampleKind.UNCLEAR}
# The order of the Law: unknown stands below a failure, since a level that is unknown stands below not-ready.
RANK = {SeriesState.UNDECIDED: 0, SeriesState.UNCLEAR: 0, SeriesState.DOWN: 1, SeriesState.UP: 2}
words = st.text(alphabet="gbu", max_size=40)


def state(letters: str, fall: int = 3, rise: int = 2) -> SeriesState:
    return settle([LETTERS[letter] for letter in letters], fall=fall, rise=rise)


@pytest.mark.parametrize(
    ("letters", "expected"),
    [
        ("", SeriesState.UNDECIDED),
        ("g", SeriesState.UNDECIDED),
        ("gg", SeriesState.UP),
        ("bb", SeriesState.UNDECIDED),
        ("bbb", SeriesState.DOWN),
        ("uuu", SeriesState.UNCLEAR),
        ("buu", SeriesState.UNCLEAR),
        ("ggbb", SeriesState.UP),
        ("ggbbb", SeriesState.DOWN),
        ("ggbub", SeriesState.UNCLEAR),
        ("ggbubb", SeriesState.UNCLEAR),
        ("ggbubbb", SeriesState.DOWN),
        ("bbbg", SeriesState.DOWN),
        ("bbbgug", SeriesState.DOWN),
        ("bbbgg", SeriesState.UP),
        ("gbgbgb", SeriesState.UNDECIDED),
        ("ggbgbgbbg", SeriesState.UP),
    ],
)
def test_three_others_in_a_row_bring_it_down_and_two_good_ones_up(letters: str, expected: SeriesState) -> None:
    assert state(letters) is expected


@settings(deadline=None)
@given(words, st.integers(1, 5), st.integers(1, 5), st.data())
def test_a_sample_that_is_lost_never_raises_the_state(letters: str, fall: int, rise: int, data: st.DataObject) -> None:
    lost = data.draw(st.sets(st.integers(0, len(letters) - 1))) if letters else set()
    after = "".join("u" if index in lost else letter for index, letter in enumerate(letters))
    assert RANK[state(after, fall, rise)] <= RANK[state(letters, fall, rise)]


@settings(deadline=None)
@given(words)
def test_our_own_trouble_alone_never_says_anything_of_the_service(letters: str) -> None:
    assert state(re.sub("[gb]", "u", letters)) in {SeriesState.UNCLEAR, SeriesState.UNDECIDED}


@settings(deadline=None)
@given(words, st.integers(1, 5), st.integers(1, 5))
def test_the_last_decisive_run_is_what_counts(letters: str, fall: int, rise: int) -> None:
    """An oracle of another make: regular expressions over every prefix, longest first."""
    expected = SeriesState.UNDECIDED
    for end in range(len(letters), 0, -1):
        prefix = letters[:end]
        if re.search(f"g{{{rise}}}$", prefix):
            expected = SeriesState.UP
        elif re.search(f"b{{{fall}}}$", prefix):
            expected = SeriesState.DOWN
        elif re.search(f"[bu]{{{fall}}}$", prefix):
            expected = SeriesState.UNCLEAR
        else:
            continue
        break
    assert state(letters, fall, rise) is expected


@settings(deadline=None)
@given(words)
def test_a_sample_in_between_changes_nothing(letters: str) -> None:
    settled = state(f"{letters}gg")
    assert state(f"{letters}ggb") is settled is state(f"{letters}ggu") is state(f"{letters}ggub")
