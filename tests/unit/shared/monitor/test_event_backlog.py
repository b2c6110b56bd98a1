"""Run events that wait for Redis: their encoding, their order and the limit of memory."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.monitor.event_backlog import MAX_EVENT_CHARACTERS, Backlog, encode_event

TEXT = st.text(st.characters(exclude_categories=()), max_size=20)


@given(st.dictionaries(st.text(max_size=5), TEXT | st.integers() | st.floats(allow_nan=False, allow_infinity=False)))
def test_encode_event_with_any_text_contains_no_lone_surrogate(event: dict[str, Any]) -> None:
    """Redis's JSON library refuses lone surrogates, so they are escaped. All other text and numbers are kept."""
    decoded = json.loads(encode_event(event))
    assert decoded.keys() == event.keys()
    for name, value in event.items():
        if isinstance(value, str):
            decoded[name].encode()
            assert decoded[name] == value.encode("utf-8", "backslashreplace").decode()
        else:
            assert decoded[name] == value


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (object(), TypeError),
        (float("nan"), ValueError),
        (float("inf"), ValueError),
        ("x" * MAX_EVENT_CHARACTERS, ValueError),
    ],
    ids=["object", "nan", "infinite", "too large"],
)
def test_encode_event_with_a_value_that_redis_would_refuse_raises(value: Any, error: type[Exception]) -> None:
    """A value without a JSON form, and an event that is too large, are refused before they are sent."""
    with pytest.raises(error):
        encode_event({"id": "a", "value": value})


@given(st.lists(st.tuples(st.sampled_from(("append", "take", "put_back")), st.integers(1, 6)), max_size=40))
def test_backlog_after_any_operations_keeps_the_newest_events_in_order(operations: list[tuple[str, int]]) -> None:
    """Events leave in the order in which they came. Only the oldest are dropped, and every one of them is counted."""
    backlog = Backlog(limit=100)
    number = dropped = 0
    taken: list[str] = []
    written: list[str] = []
    for operation, count in operations:
        if operation == "append":
            dropped += backlog.append(f"{number:05}" * count)
            number += 1
        elif operation == "take":
            written += taken
            taken = backlog.take(count)
        else:
            dropped += backlog.put_back(taken)
            taken = []
    written += taken
    rest = backlog.take(1_000)
    numbers = [int(event[:5]) for event in [*written, *rest]]
    assert numbers == sorted(set(numbers))
    assert len(numbers) + dropped == number
    assert sum(map(len, rest)) <= 100
    assert backlog.take(1) == []
