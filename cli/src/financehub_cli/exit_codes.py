"""Defines the exit codes for scripts, and describes every error in one line on stderr."""

import sys
from enum import IntEnum

import redis

from financehub_shared.core.errors import ConfigError, FinanceHubError, InvalidArgumentsError, StoreUnavailableError
from financehub_shared.core.text import printable
from financehub_shared.redis.explanations import UNREACHABLE, explain_failure, explain_refusal
from financehub_shared.redis.faults import fault_code
from financehub_shared.redis.server_check import WrongServerError


class ExitCode(IntEnum):
    """The exit codes of all commands. `financehub --help` documents them."""

    OK = 0
    FAILED = 1  # the command failed, the fleet is unhealthy, or the requested data does not exist or cannot be read
    USAGE = 2  # an argument, a file or a setting is invalid
    UNAVAILABLE = 3  # Redis does not answer, or it refused a command


def print_message(line: str) -> None:
    """Print a one-line error or note to stderr. Control characters are escaped, because it may quote stored data."""
    sys.stderr.write(f"financehub: {printable(line)}\n")


def describe_error(error: FinanceHubError | redis.RedisError) -> tuple[ExitCode, str]:
    """Return the exit code and the one-line message for an error."""
    if (refusal := _find_refusal(error)) is not None:
        return ExitCode.UNAVAILABLE, explain_refusal("Redis", refusal)[1]
    code, message = _describe(error)
    return code, " ".join(message.split())


def _find_refusal(error: BaseException) -> redis.RedisError | None:
    """Return the error with which Redis refused a write or denied a command, if that is the cause of an error."""
    cause: BaseException | None = error
    while cause is not None and not (isinstance(cause, redis.RedisError) and fault_code(cause)):
        cause = cause.__cause__
    return cause


def _describe(error: FinanceHubError | redis.RedisError) -> tuple[ExitCode, str]:
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
