"""What a series of samples comes to, where one sample never decides. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class SampleKind(StrEnum):
    """What one sample says of what it looked at."""

    GOOD = "good"
    BAD = "bad"
    """The service's own bad answer."""
    UNCLEAR = "unclear"
    """We could not look, or never reached it: nothing is said about the service."""


class SeriesState(StrEnum):
    """What a series of samples comes to."""

    UP = "up"
    DOWN = "down"
    UNCLEAR = "unclear"
    UNDECIDED = "undecided"
    """No run of samples was long enough yet."""


def settle(kinds: Iterable[SampleKind], *, fall: int, rise: int) -> SeriesState:
    """Walk the samples, oldest first; only a run of `rise` good ones, or of `fall` others, changes the state.

    A run without a good one brings it down where every one of them was bad, and makes it unclear otherwise: our own
    trouble is never a good sample, and never a bad one. In the order unclear, down, up, no sample that turns unclear
    ever raises the state, since runs of good and of bad ones only become fewer and runs without a good one only longer.
    """
    state = SeriesState.UNDECIDED
    good = bad = other = 0
    for kind in kinds:
        good = good + 1 if kind is SampleKind.GOOD else 0
        bad = bad + 1 if kind is SampleKind.BAD else 0
        other = other + 1 if kind is not SampleKind.GOOD else 0
        if good >= rise:
            state = SeriesState.UP
        elif other >= fall:
            state = SeriesState.DOWN if bad >= fall else SeriesState.UNCLEAR
    return state
