"""Property tests of the door: whatever an entry of a queue is, it is refused with a reason or safe for every reader."""

import ast
import json
import math
import time
from pathlib import Path
from typing import Any

import dramatiq
import pytest
from dramatiq import Message
from dramatiq.broker import MessageProxy
from dramatiq.brokers.stub import StubBroker
from hypothesis import example, given, settings
from hypothesis import strategies as st

from financehub_shared.broker import options as option_names
from financehub_shared.broker.dead_letter import parse_dead_letter, refused_letter, requeued_message
from financehub_shared.broker.dead_letter_reason import REFUSED_AT_THE_DOOR, MessageRefusedError
from financehub_shared.broker.door import (
    _LONGEST_REWRITING,
    HISTORY_BYTES,
    MAX_MESSAGE_BYTES,
    _depth,
    check_fields,
    check_size,
    read_message,
)
from financehub_shared.broker.message import attempt_id, correlation_id, ready_at, redis_id
from financehub_shared.broker.option_rules import LATEST_MS, OPTION_RULES
from financehub_shared.core.errors import InvalidArgumentsError
from financehub_shared.monitor.attempt import Attempt
from financehub_shared.monitor.run_events import attempt_finished, attempt_started
from financehub_shared.monitor.run_state import RunState
from support.hostile_messages import hostile_bodies, json_values, message, option_values

EXAMPLES = settings(max_examples=80, deadline=None)
FIELDS = {
    "queue_name": "high",
    "actor_name": "task",
    "args": [],
    "kwargs": {},
    "options": {},
    "message_id": "m",
    "message_timestamp": 1_795_000_000_000,
}


def read(fields: dict[str, Any]) -> Message[Any]:
    """Read a message with these fields."""
    return read_message(json.dumps(FIELDS | fields).encode(), "r", "high")


def use(received: Message[Any]) -> None:
    """Do with a message what our middleware and the monitor do."""
    assert received.queue_name == "high"
    assert received.options["redis_message_id"] == "r"
    proxy = MessageProxy(received)
    attempt = Attempt(proxy, attempt_id(proxy), 1.0, 1.0, 1.0)
    event = attempt_finished(attempt_started(attempt, "w"), RunState.SUCCEEDED, 2.0, 1.0)
    json.dumps(event, allow_nan=False).encode()
    str(event["id"]).encode()
    assert math.isfinite(ready_at(proxy))
    assert redis_id(proxy) == "r"
    assert correlation_id(proxy)
    received.options.get("max_age", 0) * 2
    received.options.get("time_limit", 0) / 1_000
    [*received.options.get(option_names.FAILURES, []), {}]
    assert not received.options.get("throws")
    letter = received.encode()
    parse_dead_letter("r", "high", letter, 1.0)
    requeued_message(letter, 1, 10**9)


@EXAMPLES
@given(st.binary(max_size=300) | json_values.map(lambda value: json.dumps(value).encode()))
@example(b"[" * 100_000)
@example(b"1" * 5_000)
@example(b'{"a":' * 900 + b"1" + b"}" * 900)
def test_read_message_of_anything_is_refused_with_a_reason(data: bytes):
    """No data raises another error, and its dead letter can be read."""
    with pytest.raises(MessageRefusedError) as refusal:
        read_message(data, "r", "high")
    assert refusal.value.reason in REFUSED_AT_THE_DOOR
    letter = parse_dead_letter("r", "high", refused_letter(data, "r", "high", refusal.value, 1.0).encode(), 1.0)
    assert letter.reason == refusal.value.reason
    assert letter.error == str(refusal.value)[:1_000]
    assert letter.raw.encode() or data == b""


@EXAMPLES
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, json_values)))
def test_read_message_with_any_fields_is_refused_or_safe(fields: dict[str, Any]):
    """A message with hostile fields is refused, or everything that we do with messages works."""
    try:
        received = read(fields)
    except MessageRefusedError:
        return
    use(received)


@EXAMPLES
@given(option_values)
def test_read_message_with_any_options_is_refused_or_safe(values: dict[str, Any]):
    """A message with hostile options is refused, or everything that we do with messages works."""
    try:
        received = read({"options": values})
    except MessageRefusedError:
        return
    use(received)


@EXAMPLES
@given(st.dictionaries(st.sampled_from(sorted(FIELDS)), json_values), option_values)
@example({"args": json.loads("[" * 250 + "]" * 250)}, {})
def test_check_fields_refuses_what_read_message_refuses(fields: dict[str, Any], values: dict[str, Any]):
    """What a sender checks once for all its messages has the same result as the check of each message by a worker."""
    fields = FIELDS | {"options": values} | fields
    data = json.dumps(fields).encode()
    problems = []
    for check in (lambda: read_message(data, "r", "high"), lambda: check_fields(json.loads(data), data)):
        try:
            check()
            problems.append("")
        except MessageRefusedError as error:
            problems.append(str(error))
    assert problems[0] == problems[1]


def test_read_message_of_each_hostile_body_is_refused():
    """Every body of the generator is refused, so that the fault tests count dead letters."""
    for body in hostile_bodies("task"):
        with pytest.raises(MessageRefusedError):
            read_message(body, "r", "high")


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"max_retries": None, "eta": None, "time_limit": None, "max_age": None, "min_backoff": None},
        {"max_retries": 0, "max_backoff": 3_600_000.5, "time_limit": 1.5, "max_age": 0, "retries": 20},
        {"throws": None, "notify_shutdown": True, "store_results": False, "result_ttl": 600_000},
        {"their_middleware": {"any": [1, None]}, "priority": "high", "x": math.nan},
        {"correlation_id": 12},
        {"pipe_target": FIELDS | {"options": {"delay": 5, "pipe_target": FIELDS}}, "pipe_ignore": True},
        {"group_completion_uuid": "u", "group_completion_callbacks": [FIELDS]},
        {"on_success": "other", "on_failure": "other", "traceback": "Traceback …", "requeue_timestamp": 5},
    ],
)
def test_read_message_of_a_stock_sender_is_accepted(values: dict[str, Any]):
    """Options that plain dramatiq and other middleware set stay as they are. A null means a missing option."""
    received = read({"options": values})
    kept = {name: value for name, value in values.items() if value is not None or name == "max_retries"}
    assert str(received.options) == str(kept | {"redis_message_id": "r"})
    assert received.message_id == "m"


def test_read_message_of_a_composed_sender_is_accepted():
    """A pipeline and a group, as dramatiq composes them, pass the door."""
    broker = StubBroker(middleware=[])

    @dramatiq.actor(broker=broker)
    def step() -> None:
        """Do nothing."""

    first = (step.message_with_options(delay=5) | step.message() | step.message()).messages[0]
    assert (
        read_message(first.encode(), "r", "q").options["pipe_target"]["options"]["pipe_target"]["actor_name"] == "step"
    )


def test_read_message_without_an_id_uses_the_id_in_redis():
    """Dramatiq makes up an id at each delivery, but a redelivery is the same run."""
    data = json.dumps(
        {name: FIELDS[name] for name in FIELDS if name not in {"message_id", "message_timestamp"}}
    ).encode()
    assert read_message(data, "r", "high").message_id == "r"


@pytest.mark.parametrize("redis_id", ["", "a\udcff", "x" * 513])
def test_read_message_with_an_unusable_redis_id_is_refused(redis_id: str):
    """Ids become parts of keys and of JSON."""
    with pytest.raises(MessageRefusedError, match="its id in Redis"):
        read_message(json.dumps(FIELDS).encode(), redis_id, "high")


def test_read_message_in_a_delay_queue_without_a_time_is_due():
    """It moves to its queue, where a worker runs it."""
    assert read_message(json.dumps(FIELDS).encode(), "r", "high.DQ").options["eta"] == 0


def test_size_limit_counts_everything_but_the_history():
    """A retry whose history is long passes, and a message whose arguments are long does not."""
    failure = {"at": 1, "exception": "E", "error": "x" * 1_000}
    received = read({"kwargs": {"a": "x" * (MAX_MESSAGE_BYTES - 500)}, "options": {"failures": [failure] * 20}})
    check_size(received.asdict(), MAX_MESSAGE_BYTES)
    for size in (MAX_MESSAGE_BYTES, MAX_MESSAGE_BYTES + HISTORY_BYTES):
        with pytest.raises(MessageRefusedError, match="FINANCEHUB_MAX_MESSAGE_BYTES") as refusal:
            read({"kwargs": {"a": "x" * size}})
        assert refusal.value.reason == "too-large"
    with pytest.raises(InvalidArgumentsError, match="FINANCEHUB_MAX_MESSAGE_BYTES"):
        check_size(FIELDS | {"kwargs": {"a": "x" * MAX_MESSAGE_BYTES}}, MAX_MESSAGE_BYTES)


@pytest.mark.parametrize(
    ("unit", "size"),
    [(b"x", 1), ("ü".encode(), 6), ("😀".encode(), 12), (b"\\u00fc", 6)],
    ids=["ASCII", "two bytes", "four bytes", "escaped"],
)
def test_message_of_the_largest_size_stays_valid_when_it_is_retried(unit: bytes, size: int):
    """The size is that of the arguments and options, however a client writes them and whatever a retry adds."""
    frame = {"actor_name": "task", "args": [], "kwargs": {"a": ""}, "options": {"time_limit": 1}}
    count, rest = divmod(MAX_MESSAGE_BYTES - len(json.dumps(frame, separators=(",", ":"))), size)

    def entry(content: bytes) -> bytes:
        return json.dumps({**FIELDS, **frame, "kwargs": {"a": "CONTENT"}}).encode().replace(b"CONTENT", content)

    received = read_message(entry(unit * count + b"x" * rest), "r", "high")
    received.options.update({"retries": 10**9, "requeue_timestamp": LATEST_MS, "eta": LATEST_MS, "delayed": True})
    received.options.update({"traceback": "x" * 8_000, "redis_message_id": "x" * 500, "correlation_id": "c"})
    again = read_message(received.copy(queue_name="high.DQ").encode(), "other", "high.DQ")
    assert again.kwargs == received.kwargs
    check_size(again.asdict(), MAX_MESSAGE_BYTES)
    with pytest.raises(MessageRefusedError, match=f"has {MAX_MESSAGE_BYTES + 1:,} bytes"):
        read_message(entry(unit * count + b"x" * (rest + 1)), "r", "high")


@EXAMPLES
@given(json_values)
@example([1e15, 1e-4, -1e15] * 3)
@example("ü😀\x7f" * 3)
def test_python_writes_no_json_with_more_than_four_times_as_many_bytes(value: Any):
    """Entries that are shorter than a fourth of the limit need no measuring."""
    shortest = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    shortest = shortest.replace("1000000000000000.0", "1e15").replace("0.0001", "1e-4")
    written = len(json.dumps(value, separators=(",", ":")))
    assert written <= _LONGEST_REWRITING * len(shortest.encode(errors="surrogatepass"))


#: Contents of a dead letter: none, any bytes, and messages with any options.
_letters = (
    st.none()
    | st.binary(max_size=200)
    | option_values.map(lambda values: json.dumps(FIELDS | {"options": values}).encode())
)


@EXAMPLES
@given(_letters, st.floats(allow_nan=False))
def test_parse_dead_letter_of_anything_returns_a_letter(data: bytes | None, died_at_ms: float):
    """No letter hides the others: each is listed, and each that cannot be requeued has a reason."""
    letter = parse_dead_letter("r", "high", data, died_at_ms)
    assert 0 <= letter.died_at < 253_402_300_800
    assert 0 <= letter.enqueued_at < 253_402_300_800
    assert all(math.isfinite(failure["at"]) for failure in letter.failures)
    texts = (letter.task, letter.reason, letter.exception, letter.error, letter.traceback, letter.schedule, letter.raw)
    assert all(isinstance(text, str) for text in texts)
    try:
        requeued = requeued_message(data, 5, MAX_MESSAGE_BYTES)
    except MessageRefusedError:
        return
    assert read_message(requeued, "r", "high").options["ready_at"] == 5


def test_every_option_that_code_reads_has_a_rule():
    """A new option that our code or dramatiq reads from messages must be checked at the door."""
    roots = [Path(option_names.__file__).parents[1], Path(dramatiq.__file__).parent]
    #: Options of other brokers, and options that our broker sets at every delivery.
    exempt = {"broker_priority", "redis_message_id"}
    found = {name for root in roots for path in root.rglob("*.py") for name in _options_read(path)}
    assert len(found) > 15
    assert found - exempt <= OPTION_RULES.keys()
    assert {value for name, value in vars(option_names).items() if name.isupper()} <= OPTION_RULES.keys()


def _options_read(path: Path) -> set[str]:
    """Return the constant names in `….options.get(name)` and `….options[name]` of a message."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Subscript(value=ast.Attribute(attr="options", value=owner), slice=ast.Constant(value=name)):
                pass
            case ast.Call(
                func=ast.Attribute(attr="get" | "pop" | "setdefault", value=ast.Attribute(attr="options", value=owner)),
                args=[ast.Constant(value=name), *_],
            ):
                pass
            case _:
                continue
        if "actor" not in ast.unparse(owner):
            found.add(str(name))
    return found


def test_message_builds_what_the_door_accepts():
    """The generator's message is valid before it is damaged."""
    assert read_message(message("task"), "r", "high").actor_name == "task"


NESTED = st.recursive(
    st.text('[]{}"\\\\\n', max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text('[{"\\\\', max_size=3), inner, max_size=2),
    max_leaves=20,
)


def _depth_of(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(_depth_of, inner), default=0)


@EXAMPLES
@given(NESTED)
def test_depth_of_json_is_that_of_its_value(value: Any):
    """Brackets, quotes and backslashes in strings do not count."""
    assert _depth(json.dumps(value).encode()) == _depth_of(value)


@pytest.mark.parametrize("part", [b"x", b"[]", b"[", b'""', b'\\"', b"\\\\"], ids=repr)
def test_depth_of_megabytes_takes_no_loop_over_its_bytes(part: bytes):
    """A loop that compares each byte takes four times as long as an empty one. Each health report reads entries."""
    data = b'["' + part * (4_000_000 // len(part))
    started = time.process_time()
    for _ in data:
        pass
    looped = time.process_time()
    _depth(data)
    assert time.process_time() - looped < 2.5 * (looped - started)


def test_depth_of_damaged_json_counts_its_beginning():
    """A decoder recurses until it finds the damage."""
    assert _depth(b"[" * 300) == _depth(b"[" * 300 + b'"[') == _depth(b"[" * 300 + b'\\"]') == 300
    assert _depth(b"]]]") <= 0
