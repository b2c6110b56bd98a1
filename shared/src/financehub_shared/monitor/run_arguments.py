"""The arguments of a run in its record: what is kept of them, and whether the run can be started again with them.

A record is kept per run, so its arguments are limited. Secrets are masked before they are stored, as in logs.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from financehub_shared.core.damage import DAMAGED
from financehub_shared.core.url_secrets import MASK, is_secret_name

#: Longest arguments that are stored, as JSON in ASCII. About 150 symbols fit. 10,080 runs of a task are kept, which is
#: 20 MB of such arguments.
MAX_ARGUMENT_BYTES: Final = 2_000
#: Longest text that is stored, because masking may make arguments longer. Another program wrote a longer one.
_STORED_BYTES: Final = 2 * MAX_ARGUMENT_BYTES
#: Arguments that are nested more deeply are not stored.
_DEPTH: Final = 100
_DAMAGED: Final = "The stored arguments are damaged."


@dataclass(frozen=True, slots=True)
class RunArguments:
    """The arguments of a run.

    Args:
        args: Positional arguments.
        kwargs: Keyword arguments.
        problem: Why the run cannot be started again with them; empty if it can.
    """

    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""


def encode_arguments(args: Sequence[Any], kwargs: Mapping[str, Any], redact: Callable[[str], str]) -> str:
    """Return the arguments of a message as a record stores them.

    Args:
        args: Positional arguments.
        kwargs: Keyword arguments.
        redact: Masks secrets in a text.
    """
    if not args and not kwargs:
        return "{}"
    given = {name: value for name, value in (("args", args), ("kwargs", kwargs)) if value}
    try:
        text = json.dumps(given, separators=(",", ":"), allow_nan=False)
        if len(text) > MAX_ARGUMENT_BYTES:
            return json.dumps({"bytes": len(text)})
        masked = _masked(given, redact, _DEPTH)
        if masked == given:
            return text
        text = json.dumps({**masked, "masked": True}, separators=(",", ":"))
        return text if len(text) <= _STORED_BYTES else json.dumps({"bytes": len(text)})
    except (TypeError, ValueError, RecursionError):
        # a message from Redis is JSON, so only another client in this process can get here
        return json.dumps({"bytes": 0})


def decode_arguments(text: str | None) -> RunArguments | None:
    """Return the stored arguments, or None if the record has none: an older release wrote it, or it has not started.

    Another program may have written anything.
    """
    if text is None:
        return None
    if len(text) > _STORED_BYTES:
        return RunArguments(problem=_DAMAGED)
    try:
        stored = json.loads(text)
        args, kwargs = stored.get("args", []), stored.get("kwargs", {})
        if not isinstance(args, list) or not isinstance(kwargs, dict):
            return RunArguments(problem=_DAMAGED)
        if "bytes" in stored:
            size = int(stored["bytes"])
            problem = f"The arguments have {size:,} bytes, and at most {MAX_ARGUMENT_BYTES:,} are stored."
            return RunArguments(
                problem=problem if size else "The arguments cannot be written as JSON, so they are not stored."
            )
        # Raises for what is never stored: deep nesting, whose page is large, and numbers that a page cannot show.
        _masked(stored, str, _DEPTH)
        json.dumps(stored, allow_nan=False)
    except DAMAGED:
        return RunArguments(problem=_DAMAGED)
    is_masked = bool(stored.get("masked"))
    return RunArguments(args, kwargs, "The arguments contain secrets, which are masked." if is_masked else "")


def _masked(value: Any, redact: Callable[[str], str], depth: int) -> Any:
    """Return a value with masked strings, of the same type where nothing is masked.

    Raises:
        ValueError: It is nested too deeply.
    """
    if isinstance(value, str):
        return redact(value)
    if not isinstance(value, list | tuple | dict):
        return value
    if not depth:
        raise ValueError("nested too deeply")
    if isinstance(value, dict):
        return {
            redact(str(name)): MASK if item and is_secret_name(str(name)) else _masked(item, redact, depth - 1)
            for name, item in value.items()
        }
    return type(value)(_masked(item, redact, depth - 1) for item in value)
