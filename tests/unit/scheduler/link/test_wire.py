"""Tests of the messages between the engine process and the companion process."""

import datetime as dt
import os
import pickle
from collections.abc import Callable
from enum import Enum
from typing import Any

import pytest

from financehub_scheduler.api.schedule import compile_schedule
from financehub_scheduler.core.changes import Changes
from financehub_scheduler.core.health_probe import LoopHealth
from financehub_scheduler.link import wire
from financehub_scheduler.link.wire import (
    BackfillRow,
    Happened,
    Ready,
    Reported,
    RunRow,
    StateRow,
    Stop,
    Vitals,
    Watching,
    decode,
    encode,
    version_of,
)
from financehub_shared.schedules import Pause
from financehub_shared.spec.predecessors import Predecessor
from financehub_shared.spec.scheduled_task import from_resource
from support.schedules import UID, schedule
from support.spec_case import SpecCase
from support.valid_specs import VALID

NOW = 1_800_000_000.0
STATE = StateRow(
    "uid",
    ("fingerprint", "trigger", "backfill"),
    NOW,
    NOW - 60,
    NOW + 60,
    NOW + 61.5,
    "a problem",
    "a refusal",
    Pause(by="ops", reason="a release"),
    12.5,
    (NOW - 5,),
    Predecessor(problem="it is missing", reason="PredecessorMissing"),
    (NOW - 3,),
)
RUN = RunRow("uid", "due", NOW, "", 2, NOW + 1.5, "", "enqueued", NOW + 2)
#: The API server removes the nulls and fractions of the others before the watch delivers them.
CASES = {name: case for name, case in VALID.items() if name not in {"nulls", "whole numbers written as fractions"}}
MESSAGES = [
    Ready(),
    Stop(),
    Watching(12.5, absent=True),
    Reported(
        Changes([schedule()], ["a"], {"b": "why"}, {"c": NOW}, keep_known_state=True, complete=False), {"d": "e"}, ["f"]
    ),
    Reported(Changes()),
    Happened([RUN, BackfillRow("uid", "started", "12 runs")], [STATE], ["a"], ["b"]),
    Vitals(LoopHealth(1.0, 2.0, earliest_due=NOW), True, 1.5, ["Redis is full"], [0.001], [0.0002]),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_message_is_equal_after_the_way(message: wire.Message) -> None:
    """The other process gets what was sent, with all fields."""
    assert decode(encode(message)) == message


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_schedule_after_the_way_has_the_same_due_times_and_messages(case: SpecCase) -> None:
    """Every kind of recurrence, calendar and exclusion works in the engine process as in the companion process."""
    sent = compile_schedule(from_resource(case.body()), UID)
    message = decode(encode(Reported(Changes([sent]))))
    assert isinstance(message, Reported)
    (received,) = message.changes.upserts
    assert (version_of(received), received.message("id", 1, 2)) == (version_of(sent), sent.message("id", 1, 2))
    assert _next(received.recurrence.next_after) == _next(sent.recurrence.next_after)


def _next(next_after: Callable[[float], int | None]) -> list[int | str | None]:
    found: list[int | str | None] = []
    for time in (NOW, NOW + 100_000):
        try:
            found.append(next_after(time))
        except Exception as error:  # noqa: BLE001 — a calendar that ends does so in both processes
            found.append(str(error))
    return found


def test_calendar_after_the_way_is_shared() -> None:
    """Thousands of schedules share the table of their exchange in the engine process too."""
    specs = [{"schedule": "@open", "calendar": "XNYS"}, {"schedule": "@close", "calendar": "XNYS"}]
    sent = [schedule(**spec) for spec in specs]
    calendars = []
    for each in sent:
        message = decode(encode(Reported(Changes([each]))))
        assert isinstance(message, Reported)
        calendars.append(message.changes.upserts[0].recurrence.calendar)
    assert calendars[0] is calendars[1] is sent[0].recurrence.calendar


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\x80",
        b"garbage",
        encode(MESSAGES[3])[:-20],
        pickle.dumps(os.getcwd),
        pickle.dumps(eval),
        pickle.dumps(dt.datetime.fromtimestamp(NOW, dt.UTC)),
        pickle.dumps([1, 2]),
        b"\x80\x05\x8e\xff\xff\xff\xff\xff\xff\xff\xff.",
        b"\x80\x05h\x07.",
    ],
    ids=["empty", "one byte", "garbage", "cut", "function of os", "builtin", "date", "list", "too long", "unknown"],
)
def test_decode_of_anything_else_raises_value_error(frame: bytes) -> None:
    """A mistaken frame is refused as a whole, and nothing of it is called."""
    with pytest.raises(ValueError, match="frame"):
        decode(frame)


def test_version_of_differs_with_everything_that_the_engine_uses() -> None:
    """An edit of the spec, a trigger and a backfill are each a new version, and the same resource is the same one."""
    backfill = "2026-01-01T00:00:00Z/2026-01-02T00:00:00Z"
    versions = {
        version_of(schedule()),
        version_of(schedule(schedule="@every 2m")),
        version_of(schedule(annotations={"financehub.io/trigger": "now"})),
        version_of(schedule(annotations={"financehub.io/backfill": backfill})),
    }
    assert len(versions) == 4
    assert version_of(schedule()) in versions


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_schedule_arrives_if_python_pickles_enums_by_name(case: SpecCase, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.11.0 to 3.11.3, among them the one of Debian 12, pickle a member as a call of `getattr`."""

    def by_name(member: Enum, _protocol: int) -> Any:
        return getattr, (type(member), member.name)

    monkeypatch.setattr(Enum, "__reduce_ex__", by_name)
    sent = Reported(Changes([compile_schedule(from_resource(case.body()), UID)]))
    received = decode(encode(sent))
    assert isinstance(received, Reported)
    assert version_of(received.changes.upserts[0]) == version_of(sent.changes.upserts[0])
