"""Stories as a pure function of seed and time."""

from hypothesis import given
from hypothesis import strategies as st

from financehub_simulator.news import INTERVAL, latest
from financehub_simulator.universe import COINS, is_known

MOMENTS = st.floats(min_value=1_700_000_000, max_value=2_000_000_000)


@given(MOMENTS)
def test_stories_are_out_newest_first_and_of_known_assets(now: float):
    """Nothing is told before it happens, the newest comes first, and each is about something that has a price."""
    stories = latest(7, now, 30)
    assert len(stories) == 30
    assert stories[0].at <= now
    assert [told.at for told in stories] == sorted((told.at for told in stories), reverse=True)
    assert all(is_known(told.symbol) for told in stories)


@given(MOMENTS)
def test_stories_stay_as_they_are(now: float):
    """What was told is told again later, word for word."""
    assert set(latest(7, now, 30)) <= set(latest(7, now + INTERVAL, 32))


def test_another_seed_tells_other_stories():
    """The seed decides the news."""
    assert [told.title for told in latest(7, 1.8e9, 20)] != [told.title for told in latest(8, 1.8e9, 20)]


def test_a_coins_story_is_told_as_such():
    """`crypto` is true of coins alone."""
    assert {told.crypto == (told.symbol.split("-")[0] in COINS) for told in latest(7, 1.8e9, 300)} == {True}
