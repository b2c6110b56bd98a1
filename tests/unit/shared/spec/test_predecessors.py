"""What a follower says about its predecessor, and which schedules follow each other in a circle."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_scheduler.successes import due_time_of_success, with_success
from financehub_shared.spec.predecessors import circular, cycles_of, in_cycle, missing

NAMES = st.sampled_from("abcdefgh")


@given(links=st.dictionaries(NAMES, NAMES))
def test_cycles_are_those_that_a_walk_finds(links: dict[str, str]) -> None:
    """A schedule is in a cycle exactly if following the links leads back to it, and the cycle is the way there."""
    expected = {}
    for start in links:
        way = [start]
        while (following := links.get(way[-1])) is not None and following not in way:
            way.append(following)
        if links.get(way[-1]) == start:
            expected[start] = {*way}
    found = cycles_of(links)
    assert {name: {*cycle} for name, cycle in found.items()} == expected
    for cycle in found.values():
        assert [links[name] for name in cycle] == [*cycle[1:], cycle[0]]


@pytest.mark.parametrize(
    ("names", "hint"),
    [
        (["default/prices", "default/news", "other/price"], "did you mean prices?"),
        (["default/news", "default/bars", "other/pricess"], "write one of bars, news"),
        ([f"default/x{number}" for number in range(10)], "write one of x0, x1, x2, x3, x4, x5, x6, x7 and 2 more"),
        (["other/price"], "add that schedule, or write schedule instead of after"),
        ([], "add that schedule, or write schedule instead of after"),
    ],
)
def test_missing_predecessor_names_what_may_be_meant(names: list[str], hint: str) -> None:
    """Only schedules of the same namespace can be followed, so only these are named."""
    found = missing("default/price", names)
    assert found.problem == f"after: no schedule in the namespace default has the name 'price'; {hint}"
    assert found.reason == "PredecessorMissing"


def test_cycle_is_told_from_the_schedule_that_is_described() -> None:
    """A schedule reads its own way around the circle, and a long one is shortened."""
    cycle = tuple(f"default/{name}" for name in "abc")
    assert "after: b runs after c runs after a runs after b, so" in in_cycle(cycle, "default/b").problem
    long = tuple(f"default/{number}" for number in range(30))
    assert in_cycle(long, "default/9").problem.count("runs after") == 8
    assert in_cycle(long, "default/9").problem.count(" 9") == 2
    links = dict(zip(long, [*long[1:], long[0]], strict=True))
    assert circular(links) == {name: in_cycle(long, name) for name in long}


@pytest.mark.parametrize(
    ("finished_at", "due"),
    [
        (1_800_000_000.0, 1_800_000_000.0),
        (1_800_000_000.123, 1_800_000_000.123),
        (1_800_000_000.1230001, 1_800_000_000.123),
        (1_800_000_000.123001, 1_800_000_000.124),
        (1_800_000_000.9999, 1_800_000_001.0),
    ],
)
def test_due_time_of_a_success_is_the_next_whole_millisecond(finished_at: float, due: float) -> None:
    """The due time is not before the success, except for less than a microsecond, which no clock has."""
    assert due_time_of_success(finished_at) == due


@given(milliseconds=st.integers(0, 4_000_000_000_000))
def test_whole_milliseconds_stay_as_they_are(milliseconds: int) -> None:
    """A time with whole milliseconds is its own due time, although binary numbers cannot hold most of them."""
    assert round(due_time_of_success(milliseconds / 1000) * 1000) == milliseconds


@given(dues=st.lists(st.integers(0, 300)))
def test_known_successes_are_the_newest_hundred_in_order(dues: list[int]) -> None:
    """However many successes wait, memory is bounded, and the newest ones are kept."""
    times: tuple[float, ...] = ()
    for due in dues:
        times = with_success(times, float(due))
    assert len(times) <= 100
    assert list(times) == sorted({*map(float, times)})
    assert set(times) <= set(map(float, dues))
    if dues:
        assert times[-1] == max(dues)
