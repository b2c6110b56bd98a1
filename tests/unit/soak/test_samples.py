"""Samples survive their file, processes are divided into lifetimes, and keys are sorted into kinds."""

from dataclasses import replace
from pathlib import Path

import pytest

from financehub_shared.redis import keys, queue_keys
from soak.key_kinds import kind_of
from soak.samples import ProcessSample, Sample, WarmUp, lifetimes, read_samples

_PROCESS = ProcessSample("high", "main", "high-a", 100, 7, 50, 40, 12, 5, 6)
_UID = "1b4e28ba-2fa1-11d2-883f-0016d3cca427"


def _samples(count: int, *, restart_at: int) -> list[Sample]:
    """Return samples of one pod whose process is replaced by another one, which has another id."""
    found = []
    for number in range(count):
        process = _PROCESS if number < restart_at else replace(_PROCESS, pid=200, started=900)
        found.append(Sample(1_000.0 + 5 * number, (process,), {"high-a": 170 + number}, {"keys": number}))
    return found


def test_samples_survive_their_file(tmp_path: Path) -> None:
    """What is read is what was written."""
    samples = [
        replace(_samples(1, restart_at=9)[0], kinds={"financehub:run:*": 3}, queues={"high": {"ready": 1}}),
        Sample(2.0),
    ]
    file = tmp_path / "samples.jsonl"
    file.write_text("".join(f"{each.to_json()}\n" for each in samples), encoding="utf-8")
    assert read_samples(file) == samples


def test_restarted_process_begins_another_lifetime_after_its_warm_up() -> None:
    """Each process loses its own warm-up, and points of two processes are never in one lifetime."""
    found = lifetimes(_samples(20, restart_at=8), WarmUp(15, 0, 0, 0))
    first, second = found["high main", "rss"]
    assert [at for at, _ in first] == [1_000 + 5 * number for number in range(3, 8)]
    assert [at for at, _ in second] == [1_000 + 5 * number for number in range(8 + 3, 20)]
    series = found["high main", "series"]
    assert [value for _, value in series[0]] == [173, 174, 175, 176, 177]
    assert [value for _, value in series[1]] == [170 + number for number in range(11, 20)]


def test_data_of_redis_has_one_lifetime() -> None:
    """The keys outlive every process."""
    (life,) = lifetimes(_samples(20, restart_at=8), WarmUp(15, 30, 50, 80))["Redis data", "keys"]
    assert [value for _, value in life] == list(range(10, 20))


def test_memory_of_redis_counts_once_its_data_is_complete_also_after_a_restart() -> None:
    """Its process contains the data, which still grows when another process is warm. A restart does not empty it."""
    samples = [
        replace(each, processes=tuple(replace(process, component="redis") for process in each.processes))
        for each in _samples(20, restart_at=8)
    ]
    found = lifetimes(samples, WarmUp(15, 0, 0, 60))
    assert [[at for at, _ in life] for life in found["redis main", "rss"]] == [
        [1_000 + 5 * number for number in range(12, 20)]
    ]
    assert len(found["redis main", "threads"]) == 2


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        (keys.run(_UID), "financehub:run:*"),
        (keys.schedule_recent(_UID), "financehub:schedule:*:recent"),
        (keys.bars("BRK-B"), "financehub:bars:*"),
        (keys.history("vod.l", 20_000), "financehub:history:*"),
        (keys.news_stories(17), "financehub:news:stories:*"),
        (keys.news_by_asset("AAPL"), "financehub:news:by-asset:*"),
        (keys.budget("rss:reuters", "60s"), "financehub:budget:*"),
        (keys.process("host-a"), "financehub:process:*"),
        (keys.task_stats("fetch_news_task"), "financehub:task:fetch_news_task"),
        (keys.ASSETS, keys.ASSETS),
        (queue_keys.acks(_UID, "high"), "dramatiq:__acks__.*.high"),
        (queue_keys.HEARTBEATS, queue_keys.HEARTBEATS),
        (queue_keys.dead_messages("low"), "dramatiq:low.XQ.msgs"),
        (queue_keys.messages("low.DQ"), "dramatiq:low.DQ.msgs"),
        (queue_keys.messages("low"), "dramatiq:low.msgs"),
    ],
)
def test_kind_of_a_key_has_no_ids(key: str, kind: str) -> None:
    """Keys with other ids have the same kind."""
    assert kind_of(key) == kind
