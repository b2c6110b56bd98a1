"""The table of message options: what each may be. The door checks them whenever a message is read from Redis.

Any client may write any value, and an option of the wrong type fails where it is used: in a consumer or worker thread,
which then loses the message or blocks its queue. All code may therefore rely on these types, and an option that any
component reads needs a row here. Options without a row belong to the middleware of users and pass unchanged.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from financehub_shared.broker import options
from financehub_shared.core.durations import DAY_SECONDS

#: 9999-12-31T23:59:59.999Z in Unix milliseconds. Python has no later dates, and a listing could not show them.
LATEST_MS = 253_402_300_799_999
#: Dramatiq documents delays of up to a week. A worker holds a delayed message until it is due.
LONGEST_DURATION_MS = 366 * DAY_SECONDS * 1_000
#: Task names, message ids and the names of schedules become parts of keys, labels and log lines.
NAME_CHARACTERS = 512
#: Lua and JSON parsers of other languages round larger numbers.
LARGEST_COUNT = 2**53 - 1


@dataclass(frozen=True, slots=True)
class OptionRule:
    """What an option may be. A null counts as a missing option, unless `accepts` takes it.

    Args:
        expected: Description for the error.
        accepts: Whether a value is valid.
    """

    expected: str
    accepts: Callable[[Any], bool]


def is_text(value: Any) -> bool:
    """Whether a value is a string that UTF-8 can encode, as Redis, logs and terminals need it."""
    if type(value) is not str:
        return False
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_name(value: Any) -> bool:
    """Whether a value is a text that is neither empty nor too long for a key."""
    return is_text(value) and 0 < len(value) <= NAME_CHARACTERS


def is_time(value: Any) -> bool:
    """Whether a value is a time in Unix milliseconds that a calendar can show."""
    return _is_number(value) and 0 <= value <= LATEST_MS


def is_message(value: Any) -> bool:
    """Whether a value is a message inside another one, such as the next step of a pipeline."""
    return isinstance(value, dict) and not find_invalid_field(value) and not find_invalid_option(value["options"])


def find_invalid_field(fields: Mapping[str, Any]) -> str:
    """Return what is wrong with the fields of a decoded message, except its options, or an empty string."""
    for name, rule in FIELD_RULES.items():
        if name not in fields:
            if name in OPTIONAL_FIELDS:
                continue
            return f"the field {name} is missing"
        if not rule.accepts(fields[name]):
            return f"{name} must be {rule.expected}"
    if len(fields) > len(FIELD_RULES) or not fields.keys() <= FIELD_RULES.keys():
        unknown = min(fields.keys() - FIELD_RULES.keys())
        return f"the field {unknown[:60]!a} is unknown"
    return ""


def find_invalid_option(values: Mapping[str, Any]) -> str:
    """Return what is wrong with the options of a message, or an empty string."""
    for name, value in values.items():
        rule = OPTION_RULES.get(name)
        if rule is not None and value is not None and not rule.accepts(value):
            shown = ascii(value)
            shown = shown if len(shown) <= 60 else f"{shown[:60]}…"
            return f"the option {name} must be {rule.expected}, not {shown}"
    return ""


def valid_options(values: Any) -> dict[str, Any]:
    """Return the options that are valid, for listings, which show a message even if some of its options are not."""
    if not isinstance(values, dict):
        return {}
    return {
        name: value
        for name, value in values.items()
        if value is not None and ((rule := OPTION_RULES.get(name)) is None or rule.accepts(value))
    }


def _is_number(value: Any) -> bool:
    return type(value) is int or (type(value) is float and math.isfinite(value))


def _is_duration(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= LONGEST_DURATION_MS


def _is_whole_duration(value: Any) -> bool:
    return type(value) is int and 0 <= value <= LONGEST_DURATION_MS


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= LARGEST_COUNT


def _is_flag(value: Any) -> bool:
    return value in (True, False)  # 0 and 1 too, because some clients send them


def _is_message_list(value: Any) -> bool:
    return isinstance(value, list) and all(map(is_message, value))


def _is_history(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_failure, value))


def _is_failure(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and is_time(value.get("at"))
        and is_text(value.get("exception", ""))
        and isinstance(value.get("error", ""), str)
    )


def _is_death(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    texts = (value.get(name, "") for name in ("reason", "exception", "error", "traceback", "raw"))
    return all(isinstance(text, str) for text in texts) and is_time(value.get("died_at", 0))


_NAME = OptionRule(f"a text of 1 to {NAME_CHARACTERS} characters", is_name)
_TEXT = OptionRule("a text", lambda value: isinstance(value, str))
_TIME = OptionRule("a time in Unix milliseconds", is_time)
_DURATION = OptionRule("a number of milliseconds from 0 to 366 days", _is_duration)
_WHOLE_DURATION = OptionRule("a whole number of milliseconds from 0 to 366 days", _is_whole_duration)
_COUNT = OptionRule("a whole number, 0 or more", _is_count)
_FLAG = OptionRule("true or false", _is_flag)
_MESSAGE = OptionRule("a message", is_message)

#: The fields of a message.
FIELD_RULES: Mapping[str, OptionRule] = {
    "queue_name": _NAME,
    "actor_name": _NAME,
    # a list is what JSON has; a tuple is what this process puts in the messages of a pipeline
    "args": OptionRule("a list", lambda value: isinstance(value, list | tuple)),
    "kwargs": OptionRule("an object", lambda value: isinstance(value, dict)),
    "options": OptionRule("an object", lambda value: isinstance(value, dict)),
    "message_id": _NAME,
    "message_timestamp": OptionRule("a time in whole Unix milliseconds", lambda v: type(v) is int and is_time(v)),
}
#: The door fills these in, because plain dramatiq does not need them.
OPTIONAL_FIELDS = frozenset({"message_id", "message_timestamp"})

#: The options that dramatiq, its middleware and ours read from messages.
OPTION_RULES: Mapping[str, OptionRule] = {
    # dramatiq's worker and brokers
    "eta": _TIME,
    # An exception class, which JSON cannot express. A worker thread would die of any other value.
    "throws": OptionRule("left out, because JSON cannot express an exception class", lambda value: not value),
    # Retries
    "retries": _COUNT,
    "max_retries": _COUNT,
    "min_backoff": _DURATION,
    "max_backoff": _DURATION,
    "traceback": _TEXT,
    "requeue_timestamp": _TIME,
    "on_retry_exhausted": _NAME,
    # AgeLimit, TimeLimit, ShutdownNotifications
    "max_age": _DURATION,
    "time_limit": _DURATION,
    "notify_shutdown": _FLAG,
    # Callbacks, Pipelines, GroupCallbacks, Results
    "on_success": _NAME,
    "on_failure": _NAME,
    "delay": _DURATION,
    "pipe_target": _MESSAGE,
    "pipe_ignore": _FLAG,
    "group_completion_uuid": _NAME,
    "group_completion_callbacks": OptionRule("a list of messages", _is_message_list),
    "store_results": _FLAG,
    "result_ttl": _WHOLE_DURATION,
    # FinanceHub
    options.SCHEDULE: _NAME,
    options.SCHEDULE_UID: _NAME,
    options.DUE_AT: _TIME,
    options.READY_AT: _TIME,
    # Users may have a middleware of their own for the same purpose, with numbers.
    options.CORRELATION_ID: OptionRule("a text or a whole number", lambda v: is_name(v) or type(v) is int),
    options.DELAYED: _FLAG,
    options.CALLBACK: _FLAG,
    options.FAILURES: OptionRule("a list of objects with `at`, `exception` and `error`", _is_history),
    options.DEAD_LETTER: OptionRule("an object with the details of a death", _is_death),
}
