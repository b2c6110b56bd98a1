"""How commands end: exit codes that scripts can use, and one line on stderr for whatever went wrong."""

import sys
from enum import IntEnum
from typing import Any

import redis
import typer
from typer.core import TyperGroup

from financehub_shared.core.errors import ConfigError, FinanceHubError, InvalidArgumentsError, StoreUnavailableError


class ExitCode(IntEnum):
    """What the exit code says."""

    OK = 0
    FAILED = 1  # it ran and failed, the fleet is unhealthy, or what was asked for is not there
    USAGE = 2  # a wrong argument, file or setting
    UNREACHABLE = 3  # Redis does not answer, or refuses


def say(line: str) -> None:
    """One line for people, on stderr."""
    sys.stderr.write(f"financehub: {line}\n")


def explain(error: FinanceHubError | redis.RedisError) -> tuple[ExitCode, str]:
    """Exit code and one line for an error."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, (redis.ConnectionError, redis.TimeoutError)):
        cause = cause.__cause__
    if cause is not None:
        where = "REDIS_URL (or REDIS_HOST and REDIS_PORT) says where it is"
        return ExitCode.UNREACHABLE, f"Redis does not answer: {cause}; {where}, `make run` starts one"
    if isinstance(error, (StoreUnavailableError, redis.RedisError)):
        return ExitCode.UNREACHABLE, str(error)
    if isinstance(error, (ConfigError, InvalidArgumentsError)):
        return ExitCode.USAGE, str(error)
    return ExitCode.FAILED, str(error)


class CommandGroup(TyperGroup):
    """The root group: turns the errors of all commands into exit codes."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (FinanceHubError, redis.RedisError) as error:
            code, line = explain(error)
            say(" ".join(line.split()))
            raise typer.Exit(code) from error
