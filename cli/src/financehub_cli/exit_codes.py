"""Defines the exit codes for scripts, and describes every error in one line on stderr."""

import os
import signal
import sys
from enum import IntEnum
from typing import TYPE_CHECKING

from financehub_shared.core.errors import ConfigError, FinanceHubError, InvalidArgumentsError, StoreUnavailableError
from financehub_shared.core.text import printable

if TYPE_CHECKING:  # help texts need no Redis client
    import redis


class ExitCode(IntEnum):
    """The exit codes of all commands. `financehub --help` documents them."""

    OK = 0
    FAILED = 1  # the command failed, the fleet is unhealthy, or the requested data does not exist or cannot be read
    USAGE = 2  # an argument, a file or a setting is invalid
    UNAVAILABLE = 3  # Redis does not answer, or it refused a command


class OutputError(FinanceHubError):
    """The output of the command cannot be written."""


class OutputClosedError(OutputError):
    """The reader of the output has gone, such as `head` after its last line."""


def print_message(line: str) -> None:
    """Print a one-line error or note to stderr. Control characters are escaped, because it may quote stored data."""
    print_lines(f"financehub: {printable(line)}")


def print_lines(text: str) -> None:
    """Print lines of our own to stderr, such as a help text."""
    try:
        sys.stderr.write(f"{text}\n")
    except (OSError, AttributeError):
        # stderr is full, broken or closed, so nobody can be told; the exit code remains
        discard_stream(2)


def discard_stream(descriptor: int) -> None:
    """Discard what is written to a stream from now on, also what Python writes when it exits.

    Args:
        descriptor: 1 for stdout, 2 for stderr.
    """
    null = os.open(os.devnull, os.O_WRONLY)
    if null != descriptor:
        os.dup2(null, descriptor)


def print_error(error: Exception) -> ExitCode | None:
    """Print the message for an error of a command and return its exit code, or None if the error is a defect.

    If the reader of the output has gone, the process ends quietly by SIGPIPE, as every Unix command does.
    """
    if isinstance(error, OutputClosedError):
        end_by_broken_pipe()
    if isinstance(error, OutputError):
        discard_stream(1)
    if not is_handled(error):
        return None
    code, message = describe_error(error)
    print_message(message)
    return code


def end_by_broken_pipe() -> None:
    """End the process by SIGPIPE, because the reader of its output has gone."""
    discard_stream(1)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGPIPE)


def is_handled(error: Exception) -> bool:
    """Whether an error has a message for users. Any other error is a defect, whose traceback is needed."""
    return isinstance(error, FinanceHubError) or _is_redis_error(error)


def _is_redis_error(error: BaseException) -> bool:
    redis = sys.modules.get("redis")  # an error of a library that is not loaded does not exist
    return redis is not None and isinstance(error, redis.RedisError)


def describe_error(error: "FinanceHubError | redis.RedisError | Exception") -> tuple[ExitCode, str]:
    """Return the exit code and the one-line message for an error."""
    if (refusal := _find_refusal(error)) is not None:
        from financehub_shared.redis.explanations import explain_refusal

        return ExitCode.UNAVAILABLE, explain_refusal("Redis", refusal)[1]
    code, message = _describe(error)
    return code, " ".join(message.split())


def _find_refusal(error: BaseException) -> "redis.RedisError | None":
    """Return the error with which Redis refused a write or denied a command, if that is the cause of an error."""
    if "redis" not in sys.modules:
        return None
    from financehub_shared.redis.faults import fault_code

    cause: BaseException | None = error
    while cause is not None and not (_is_redis_error(cause) and fault_code(cause)):
        cause = cause.__cause__
    return cause  # type: ignore[return-value]


def _describe(error: Exception) -> tuple[ExitCode, str]:
    if isinstance(error, (ConfigError, InvalidArgumentsError)) and error.__cause__ is None:
        return ExitCode.USAGE, str(error)
    import redis

    from financehub_shared.redis.explanations import UNREACHABLE, explain_failure
    from financehub_shared.redis.server_check import WrongServerError

    cause: BaseException | None = error
    while cause is not None and not isinstance(
        cause, (redis.ConnectionError, redis.TimeoutError, redis.InvalidResponse, WrongServerError)
    ):
        cause = cause.__cause__
    if isinstance(cause, WrongServerError):
        return ExitCode.USAGE, str(cause)
    if cause is not None:
        code, text = explain_failure("Redis", cause)
        hint = " (`make run` starts a local Redis)" if code == UNREACHABLE else ""
        return ExitCode.UNAVAILABLE, f"{text}{hint}"
    if isinstance(error, (StoreUnavailableError, redis.RedisError)):
        return ExitCode.UNAVAILABLE, str(error)
    if isinstance(error, (ConfigError, InvalidArgumentsError)):
        return ExitCode.USAGE, str(error)
    return ExitCode.FAILED, str(error)
