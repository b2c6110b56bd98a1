"""Tests of the simulation itself: it repeats, it finds planted bugs, and it shortens what fails."""

from collections.abc import Iterator

import pytest

from simulation.catch_up_rules import runs
from simulation.due_times import DueTimes
from simulation.events import Event, draw
from simulation.planted import BUGS
from simulation.players import play_seed, players
from simulation.scenario import play
from simulation.shrink import shrink
from simulation.wire import Wire
from simulation.world import START


@pytest.fixture
def wire() -> Iterator[Wire]:
    """A Redis that no other test uses."""
    wire = Wire()
    yield wire
    wire.close()


@pytest.mark.parametrize("seed", range(8))
def test_play_of_a_seed_finds_nothing(wire: Wire, seed: int) -> None:
    """The product does what the documents say, whatever happens. `make test-simulation` plays a thousand seeds."""
    result = play(wire, draw(seed), is_cluster=seed % 2 == 0)
    assert result.failure == ""
    assert result.steps > 20


def test_play_of_a_seed_again_does_the_same_steps(wire: Wire) -> None:
    """A seed determines everything, so that a failure can be looked at."""
    first = play(wire, draw(3), is_cluster=False)
    play(wire, draw(4), is_cluster=True)
    assert play(wire, draw(3), is_cluster=False) == first


def test_play_of_a_registration_that_missed_a_deletion_finds_nothing(wire: Wire) -> None:
    """Seed 1117, shortened: a late registration once repeated a run that was enqueued before the deletion."""
    schedule = {"schedule": "@every 3s", "concurrencyPolicy": "Allow", "catchUp": "All", "jitterSeconds": 3}
    events: list[Event] = [
        *(("start", number) for number in range(5)),
        ("redis down",),
        ("run", 375, "bad", 642094),
        ("run", 12, "bad", 20753),
        ("run", 50, "calm", 0),
        ("kill", 3, 1),
        ("run", 1000, "bad", 941965),
        ("write", 2, schedule | {"startingDeadlineSeconds": 40, "maxRuns": 12, "maxQueueDepth": 6}),
        ("run", 4000, "calm", 945920),
        ("run", 1500, "calm", 505282),
        ("delete", 2),
    ]
    assert play(wire, events, is_cluster=False).failure == ""


def test_play_of_a_loss_while_an_answer_waits_finds_nothing(wire: Wire) -> None:
    """Seed 70231, shortened: an answer waited behind a command that hung, and its due time was submitted again."""
    schedule = {"schedule": "@every 3s", "concurrencyPolicy": "BufferOne", "catchUp": "All"}
    other = {"schedule": "@every 1s", "concurrencyPolicy": "Replace", "catchUp": "All", "startingDeadlineSeconds": 40}
    events: list[Event] = [
        ("work", "fast"),
        ("write", 1, schedule),
        ("start", 0),
        ("run", 5000, "calm", 0),
        ("sleep", 65000),
        ("run", 1000, "bad", 77656),
        ("run", 1500, "bad", 323510),
        ("run", 300, "calm", 0),
        ("run", 4000, "bad", 112663),
        ("write", 2, other | {"jitterSeconds": 0, "maxQueueDepth": 0}),
        ("run", 4000, "calm", 0),
        ("run", 300, "bad", 943437),
        ("run", 75, "calm", 717690),
        ("lose data",),
    ]
    assert play(wire, events, is_cluster=False).failure == ""


def test_play_of_a_failover_that_loses_an_edit_finds_nothing(wire: Wire) -> None:
    """Seed 166, shortened: an edit that Redis had confirmed and lost was registered again only when a run was due."""
    schedule = {"schedule": "* * * * *", "concurrencyPolicy": "BufferAll", "catchUp": "All", "jitterSeconds": 0}
    events: list[Event] = [
        ("write", 1, schedule),
        ("run", 1000, "bad", 197044),
        ("start", 1),
        ("run", 4000, "calm", 0),
        ("write", 1, schedule | {"pauseAfterFailures": 2}),
        ("replicate",),
        ("run", 1000, "lossy", 693867),
        ("fail over",),
    ]
    assert play(wire, events, is_cluster=True).failure == ""


def test_play_of_a_backfill_by_a_clock_that_is_behind_finds_nothing(wire: Wire) -> None:
    """Seed 28, shortened: a scheduler ended the backfill before its clock had reached the end of the range."""
    events: list[Event] = [
        ("start", 1),
        ("run", 1500, "calm", 0),
        ("redis clock", 3000),
        ("run", 4250, "calm", 865400),
        ("write", 0, {"schedule": "@every 5s", "concurrencyPolicy": "Replace", "jitterSeconds": 0}),
        ("run", 2000, "calm", 0),
        ("backfill", 0, 5),
        ("run", 75, "calm", 64385),
    ]
    result = play(wire, events, is_cluster=True)
    assert result.failure == ""
    assert result.seen["backfill is finished"] == 1


def test_play_of_an_edit_of_many_waiting_due_times_finds_nothing(wire: Wire) -> None:
    """Seed 86, shortened: the newest hundred due times are kept, and the others are counted as missed."""
    schedule = {"schedule": "@every 1s", "concurrencyPolicy": "Allow", "catchUp": "All"}
    events: list[Event] = [
        ("start", 0),
        ("write", 2, schedule | {"jitterSeconds": 600}),
        ("run", 2000, "calm", 638064),
        ("sleep", 250_000),
        ("write", 2, schedule),
    ]
    result = play(wire, events, is_cluster=True)
    assert result.failure == ""
    assert result.seen["edit drops due times"] == 1


@pytest.mark.parametrize("name", BUGS)
def test_planted_bug_has_its_text_once_in_the_product(name: str) -> None:
    """Each planted bug changes exactly one place of the current source."""
    bug = BUGS[name]
    assert bug.path.read_text().count(bug.old) == 1
    assert bug.new != bug.old


def test_play_with_a_planted_bug_fails_and_is_shortened() -> None:
    """A fence that is off by one is found, and the shortened scenario still shows it."""
    bug = BUGS["fence"]
    wire = Wire([(bug.old.encode(), bug.new.encode())])
    try:

        def failure(events: list[Event] | tuple[Event, ...]) -> str:
            return play(wire, events, is_cluster=True).failure

        schedule = {"schedule": "@every 1s", "concurrencyPolicy": "Allow", "catchUp": "All"}
        events: list[Event] = [
            ("work", "fast"),
            ("write", 0, schedule),
            ("write", 1, schedule | {"jitterSeconds": 60}),
            *(("start", number) for number in range(3)),
            ("run", 4_000, "calm", 0),
            ("run", 6_000, "lossy", 1),
            ("run", 6_000, "lossy", 2),
        ]
        assert "was enqueued, not already" in failure(events)
        short = shrink(events, failure)  # type: ignore[arg-type]
        assert len(short) < len(events)
        assert "was enqueued, not already" in failure(short)
    finally:
        wire.close()


def test_players_plant_a_bug_although_this_process_has_imported_the_product(monkeypatch: pytest.MonkeyPatch) -> None:
    """Results need the product, so the second bug of `--all-planted` would otherwise not be planted."""
    # As `python -m simulation` does, because the order of sets must not depend on the process.
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    with players(1, "registration", extended=False) as pool:
        _, result = pool.submit(play_seed, 4).result()
    assert "is not registered as its source has it" in result.failure


@pytest.mark.parametrize(
    ("catch_up", "window", "expected"),
    [
        ("None", None, set()),
        ("Latest", None, {4}),
        ("All", None, {1, 2, 3, 4}),
        ("All", 1_200_000, {3, 4}),
        ("Latest", 100, set()),
    ],
)
def test_runs_of_the_documented_example(catch_up: str, window: int | None, expected: set[int]) -> None:
    """The rules of the model give what docs/schedules.md shows for an outage of 42 minutes."""
    lateness = [2_220_000, 1_620_000, 1_020_000, 420_000]
    assert runs([1, 2, 3, 4], lateness, catch_up, window) == expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"schedule": "@every 7s offset 2s"}, [1, 8, 15]),
        ({"schedule": "@every 10s", "startTime": "2027-01-15T08:00:05Z"}, [5, 15]),
        ({"schedule": "@every 5s", "endTime": "2027-01-15T08:00:10Z"}, [5, 10]),
        ({"schedule": "* * * * *"}, []),
    ],
)
def test_due_times_of_a_spec(spec: dict[str, str], expected: list[int]) -> None:
    """The model computes due times by arithmetic, with both limits inclusive."""
    times, begin = DueTimes.of(spec), START // 1000
    assert times is not None
    assert [(due - begin) // 1000 for due in times.between(begin, begin + 20_000)] == expected
