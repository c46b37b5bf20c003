"""The time left: nothing too early, then what the fraction done tells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hccoutcome.gui.timeleft import LEAST_FRACTION, LEAST_SECONDS, TimeLeft


class Clock:
    """A clock that is set by hand."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_nothing_is_said_too_early(clock):
    left = TimeLeft(clock)
    assert left.words(0.5) == ""
    clock.now += 10
    assert left.words(0.0) == ""
    assert left.words(LEAST_FRACTION / 2) == ""


@pytest.mark.parametrize(
    ("passed", "fraction", "words"),
    [
        (10, 0.5, "about 10 s left"),
        (10, 0.9, "about 5 s left"),
        (30, 0.25, "about 2 min left"),
        (600, 0.1, "about 90 min left"),
        (50, 1.0, "about 5 s left"),
    ],
)
def test_the_time_left_follows_from_how_far_it_is(clock, passed, fraction, words):
    left = TimeLeft(clock)
    clock.now += passed
    assert left.words(fraction) == words


@given(st.floats(LEAST_SECONDS, 1e5), st.floats(LEAST_FRACTION, 1.0))
def test_an_even_pace_ends_when_it_says(passed, fraction):
    clock = Clock()
    left = TimeLeft(clock)
    clock.now += passed
    whole = passed + left.seconds(fraction)
    assert whole * fraction == pytest.approx(passed, rel=1e-6)
