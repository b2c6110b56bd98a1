"""Compiled schedules: their run ids, and messages that equal the output of dramatiq's encoder."""

import json
from uuid import UUID, uuid5

import dramatiq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_scheduler.redis.enqueuer import RunSubmission
from support.schedules import UID, schedule

NOW_MS = 1_800_000_000_250
DUE_MS = 1_800_000_000_000
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(JSON, max_size=3), st.dictionaries(st.text(min_size=1), JSON, max_size=3))
def test_message_of_any_arguments_equals_that_of_dramatiq(args: list[object], kwargs: dict[str, object]):
    """A message that is assembled from its prepared head equals the output of dramatiq's encoder byte for byte."""
    compiled = schedule(args=args, kwargs=kwargs, retries=0, timeLimitSeconds=7)
    text = compiled.message("an-id", DUE_MS, NOW_MS)
    expected = dramatiq.Message(
        queue_name="q",
        actor_name="demo_task",
        args=tuple(args),
        kwargs=kwargs,
        options={
            "schedule": "default/demo",
            "schedule_uid": UID,
            "max_retries": 0,
            "time_limit": 7_000,
            "due_at": DUE_MS,
            "ready_at": NOW_MS,
            "correlation_id": "an-id",
            "redis_message_id": "an-id",
        },
        message_id="an-id",
        message_timestamp=NOW_MS,
    )
    assert text.encode() == expected.encode()


@pytest.mark.parametrize(
    ("late_ms", "max_age"),
    [(0, 60_000), (250, 59_750), (59_999, 1), (60_000, 1), (-500, 60_000), (None, 60_000)],
)
def test_message_of_a_late_run_has_the_rest_of_its_window(late_ms: int | None, max_age: int):
    """The window ends at the same moment, however late the run is. Without a beginning, it begins with the message."""
    compiled = schedule(startingDeadlineSeconds=60)
    window = None if late_ms is None else NOW_MS - late_ms
    message = dramatiq.Message.decode(compiled.message("an-id", DUE_MS, NOW_MS, window).encode())
    assert message.options["max_age"] == max_age


def test_message_id_is_the_uuid5_of_uid_and_occasion():
    """Every scheduler gives the same run the same id, and different runs different ids."""
    compiled = schedule()
    due = RunSubmission(compiled, "due", 1_800_000_000)
    assert due.message_id == str(uuid5(UUID(UID), "1800000000000"))
    for number in range(100):
        assert compiled.message_id(f"ü {number}") == str(uuid5(UUID(UID), f"ü {number}"))
    others = [
        RunSubmission(compiled, "due", 1_800_000_060),
        RunSubmission(compiled, "request", 1_800_000_000, fence="1"),
        RunSubmission(compiled, "annotation", 1_800_000_000, fence="1"),
        RunSubmission(compiled, "backfill", 1_800_000_000, fence="1"),
        RunSubmission(compiled, "backfill", 1_800_000_000, fence="2"),
    ]
    assert len({run.message_id for run in (due, *others)}) == 6
    assert RunSubmission(compiled, "buffered", 1_800_000_000).message_id == due.message_id


def test_fingerprint_of_fields_of_earlier_releases_is_stable():
    """An upgrade does not change the fingerprint of a spec, which would register every schedule as changed."""
    spec = {
        "task": "my_task",
        "queue": "q",
        "schedules": ["0 6 * * 1-5", "@every 90s"],
        "timeZone": "Europe/Berlin",
        "args": [1],
        "kwargs": {"b": 1, "a": 2},
        "suspend": True,
        "suspendReason": "x",
        "concurrencyPolicy": "BufferOne",
        "startingDeadlineSeconds": 60,
        "catchUp": "All",
        "jitterSeconds": 5,
        "maxQueueDepth": 7,
        "calendar": "XNYS",
        "retries": 2,
        "timeLimitSeconds": 30,
        "startTime": "2026-01-01T00:00:00Z",
        "endTime": "2027-01-01T00:00:00+01:00",
        "maxRuns": 9,
    }
    # As the release before spec.exclude computed them.
    assert schedule(**spec).fingerprint == "269acc8a6a3306d4"
    assert schedule(task="fetch_news_task", schedule=" @hourly ").fingerprint == "5fbae6c03b44393d"
    assert schedule(**spec | {"exclude": []}).fingerprint == "269acc8a6a3306d4"


def test_fingerprint_changes_only_with_the_spec():
    """An edit of the spec changes the fingerprint. Annotations and explicit default values do not."""
    plain = schedule()
    assert schedule(annotations={"financehub.io/trigger": "1"}).fingerprint == plain.fingerprint
    assert schedule(catchUp="Latest").fingerprint == plain.fingerprint
    assert schedule(catchUp="All").fingerprint != plain.fingerprint
    assert schedule(kwargs={"a": 1}).fingerprint != plain.fingerprint


def test_queue_of_a_catalog_task_defaults_to_its_tier():
    """A catalog task uses the queue of its tier, unless the spec names another."""
    assert schedule(task="fetch_crypto_prices_task").queue == "high"
    assert schedule(task="fetch_crypto_prices_task", queue="urgent").queue == "urgent"


def test_spec_json_has_an_explicit_day_match_and_no_other_default_value() -> None:
    """Readers of the stored spec see that somebody wrote `dayMatch: Any`, which silences a warning."""
    defaults = {"suspend": False, "catchUp": "Latest", "concurrencyPolicy": "Forbid", "exclude": [], "timeZone": "UTC"}
    for text in ("Any", "All"):
        compiled = schedule(schedule="0 9 13 * FRI", dayMatch=text, **defaults)
        assert json.loads(compiled.spec_json).keys() == {"task", "queue", "schedule", "dayMatch"}
        assert json.loads(compiled.spec_json)["dayMatch"] == text
    assert "dayMatch" not in json.loads(schedule(schedule="0 9 13 * FRI", **defaults).spec_json)
