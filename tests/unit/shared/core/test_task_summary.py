"""Tests of the summary of a run."""

import copy
import json
import pickle
from dataclasses import replace

from dramatiq import JSONEncoder

from financehub_shared.core.task_summary import TaskSummary


def test_as_dict_keeps_whole_sentences():
    """An adapter's whole sentence reaches the log line and the run record (D10)."""
    reason = "binance: not-found: unknown pair DEADUSDT; kraken: not-found: has no price, perhaps delisted"
    summary = TaskSummary(31, 1, {f"DEAD{number}-USD": reason for number in range(30)}, missing_count=30)
    assert summary.as_dict()["missing"] == summary.missing


def test_as_dict_with_many_long_reasons_is_bounded_and_keeps_the_first():
    """Only very long reasons are truncated, and the reasons together have a limit (D10)."""
    missing = {f"S{number}": "x" * 399 + f"{number:07}" for number in range(2_000)}
    shown = TaskSummary(2_000, 0, missing, missing_count=2_000).as_dict()
    assert 10 < len(shown["missing"]) <= TaskSummary.MISSING_SHOWN
    assert shown["missing"]["S0"] == "x" * 399 + "…"
    assert sum(map(len, [*shown["missing"], *shown["missing"].values()])) <= TaskSummary.MISSING_CHARACTERS
    assert shown["missing_count"] == 2_000
    assert len(TaskSummary(9, 0, dict.fromkeys(map(str, range(99)), "no")).as_dict()["missing"]) == 50


def test_with_missing_adds_items_in_front():
    """The added items come first, so they are shown even if many others are missing."""
    summary = TaskSummary(2, 1, {"B": "no"}, missing_count=7).with_missing({"A": "unreadable"})
    assert list(summary.missing.items()) == [("A", "unreadable"), ("B", "no")]
    assert summary.missing_count == 8


def test_summary_is_json_wherever_dramatiq_passes_it_on():
    """A summary encodes as JSON with the content of the log line, even after it was copied or pickled (F20)."""
    summary = TaskSummary(3, 1, {"X": "no", "Y": "x" * 500}, 2, {"binance": 1}, {"dropped": {"old": 1}})
    for one in (summary, replace(summary), copy.deepcopy(summary), pickle.loads(pickle.dumps(summary))):  # noqa: S301 — our own bytes
        assert one == summary
        assert json.loads(JSONEncoder().encode({"result": one}))["result"] == {
            "requested": 3,
            "stored": 1,
            "missing": {"X": "no", "Y": "x" * 399 + "…"},
            "missing_count": 2,
            "providers": {"binance": 1},
            "details": {"dropped": {"old": 1}},
        }
    assert summary.with_missing({"Z": "no"})["missing_count"] == 3
    assert json.loads(json.dumps(TaskSummary(0, 0)))["requested"] == 0
