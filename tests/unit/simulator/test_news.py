"""Tests that news stories are a pure function of seed and time."""

from hypothesis import given
from hypothesis import strategies as st

from financehub_simulator.news import STORY_INTERVAL_SECONDS, latest_stories
from financehub_simulator.universe import COINS, is_known

MOMENTS = st.floats(min_value=1_700_000_000, max_value=2_000_000_000)


@given(MOMENTS)
def test_latest_stories_are_published_sorted_and_about_known_assets(now: float):
    """No story is from the future, the newest is first, and every story is about a symbol that has a price."""
    stories = latest_stories(7, now, 30)
    assert len(stories) == 30
    assert stories[0].at <= now
    assert [story.at for story in stories] == sorted((story.at for story in stories), reverse=True)
    assert all(is_known(story.symbol) for story in stories)


@given(MOMENTS)
def test_latest_stories_do_not_change_later(now: float):
    """A published story does not change as time passes."""
    assert set(latest_stories(7, now, 30)) <= set(latest_stories(7, now + STORY_INTERVAL_SECONDS, 32))


def test_latest_stories_with_another_seed_differ():
    """The seed determines the stories."""
    assert [story.title for story in latest_stories(7, 1.8e9, 20)] != [
        story.title for story in latest_stories(8, 1.8e9, 20)
    ]


def test_is_crypto_is_true_only_for_stories_about_coins():
    """`is_crypto` is true exactly for stories about coins."""
    assert {story.is_crypto == (story.symbol.split("-")[0] in COINS) for story in latest_stories(7, 1.8e9, 300)} == {
        True
    }
