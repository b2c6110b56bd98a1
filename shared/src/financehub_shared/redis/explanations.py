"""Says in one sentence why a Redis server does not serve us, and what to do: from an error to a code and a text.

docs/redis.md explains the codes.
"""

from collections.abc import Callable
from typing import Any

import redis

from financehub_shared.core.text import printable
from financehub_shared.redis.faults import NOPERM, fault_code, is_unknown_command
from financehub_shared.redis.server_check import NotMasterError, NotRedisError, WrongServerError
from financehub_shared.redis.server_facts import number_of

#: Codes of the problems because of which a server refuses every write.
WRITE_CODES = ("full", "disk-failing", "replicas-missing", "read-only", "denied", "write-refused")
#: Code of the problem that a server does not answer.
UNREACHABLE = "unreachable"
#: Codes of the problems because of which a process has no connection to a server.
CONNECTION_CODES = (UNREACHABLE, "login-refused", "clients-full", "not-redis")

ACL_REMEDY = "give this user the rights of docs/redis.md, section ACL"


def explain_refusal(place: str, error: redis.RedisError, info: dict[str, Any] | None = None) -> tuple[str, str]:
    """Return the code and the sentence for the error with which a server refused a write.

    Args:
        place: The server in a sentence, such as `the queue Redis`.
        error: The error.
        info: Fields of INFO, if they are known.
    """
    info = info or {}
    fault = fault_code(error)
    if fault == "OOM":
        usage = ""
        used, limit = number_of(info, "used_memory"), number_of(info, "maxmemory")
        if used and limit:
            usage = f": it uses {megabytes(used)} of {megabytes(limit)}"
        return "full", f"{place} is full and refuses writes{usage}; {_FREE_MEMORY}"
    if fault == NOPERM or is_unknown_command(error):
        return "denied", explain_denial(place, error)
    if fault in _REFUSALS:
        code, text = _REFUSALS[fault]
        return code, f"{place} {text}"
    return "write-refused", f"{place} refuses writes ({shorten(error)}); see the log of Redis"


_FREE_MEMORY = "raise its maxmemory, or free memory, for example with `financehub dead-letters purge`"
_IS_REPLICA = "is a read-only replica; point REDIS_URL (and DRAMATIQ_BROKER_URL, if it is set) to the master"
#: Code of Redis → code of the problem, and the rest of the sentence that begins with the server.
_REFUSALS = {
    "MISCONF": (
        "disk-failing",
        (
            "refuses writes because it cannot save to its disk; free space on that disk and check its permissions (the "
            "log of Redis has the reason); it accepts writes again after the next successful save"
        ),
    ),
    "NOREPLICAS": (
        "replicas-missing",
        (
            "refuses writes because fewer replicas are connected than its min-replicas-to-write requires; start the "
            "replicas, or lower min-replicas-to-write"
        ),
    ),
    "READONLY": ("read-only", _IS_REPLICA),
    "MASTERDOWN": ("read-only", _IS_REPLICA),
    "LOADING": ("write-refused", "is still loading its data after a start; wait until it has finished"),
}


def explain_denial(place: str, error: redis.RedisError) -> str:
    """Return the sentence for a command or key that FinanceHub needs and this user must not use.

    Args:
        place: The server in a sentence.
        error: The error.
    """
    if is_unknown_command(error):
        return (
            f"{place} does not know a command that FinanceHub needs ({shorten(error)}); do not rename or disable the "
            "commands of docs/redis.md, section ACL"
        )
    return f"{place} denies this user a command ({shorten(error)}); {ACL_REMEDY}"


def explain_failure(place: str, error: redis.RedisError) -> tuple[str, str]:
    """Return the code and the sentence for the error with which a connection or its first command failed.

    Args:
        place: The server in a sentence, such as `the queue Redis`.
        error: The error.
    """
    if isinstance(error, NotMasterError):
        return "read-only", f"{place} {_IS_REPLICA}"
    if isinstance(error, WrongServerError):
        return "cluster", f"{place} cannot be used: {error}"
    if fault_code(error):
        return explain_refusal(place, error)
    reason = shorten(error)
    for is_cause, code, text in _CAUSES:
        if is_cause(error):
            return code, f"{place} {text.format(reason=reason)}"
    return UNREACHABLE, f"{place} does not answer: {reason.rstrip('.')}; {_remedy(reason)}"


_LOGIN_ERRORS = (
    redis.AuthenticationError,
    redis.exceptions.AuthorizationError,
    redis.exceptions.AuthenticationWrongNumberOfArgsError,
)
#: Whether an error has a cause → code of the problem, and the rest of the sentence that begins with the server.
_CAUSES: tuple[tuple[Callable[[redis.RedisError], bool], str, str], ...] = (
    (
        lambda error: isinstance(error, _LOGIN_ERRORS),
        "login-refused",
        (
            "refuses the login ({reason}); check the user and the password in REDIS_URL, REDIS_PASSWORD and "
            "DRAMATIQ_BROKER_URL, and that the server has this user"
        ),
    ),
    (
        lambda error: "protected mode" in str(error),
        "login-refused",
        (
            "accepts only connections from its own machine, because it has no password (protected mode); set one with "
            "requirepass, and REDIS_PASSWORD"
        ),
    ),
    (
        lambda error: "max number of clients" in str(error),
        "clients-full",
        (
            "accepts no more connections ({reason}); raise its maxclients, or stop clients that leak connections "
            "(`redis-cli client list`)"
        ),
    ),
    (
        lambda error: isinstance(error, NotRedisError),
        "not-redis",
        "does not answer like a Redis server; check host and port, and whether the server requires TLS (rediss://)",
    ),
    (
        lambda error: isinstance(error, redis.InvalidResponse),
        "not-redis",
        (
            "does not answer like a Redis server ({reason}); check host and port, and whether the server requires TLS "
            "(rediss://)"
        ),
    ),
    (
        lambda error: isinstance(error, redis.ResponseError) and "hello" in str(error).lower(),
        "not-redis",
        (
            "does not know the command HELLO ({reason}): it is older than Redis 6, or a proxy; install Redis 6.2 or "
            "later, or Valkey, or connect without the proxy"
        ),
    ),
)


def _remedy(reason: str) -> str:
    text = reason.lower()
    if "certificate" in text:
        return "check the certificates and the ssl_ options of the URL"
    if "ssl" in text:
        return "use rediss:// only if the port of the server expects TLS"
    if "db index" in text:
        return "the number of the database in the URL is larger than the server's setting `databases` allows"
    return "check that the server runs, and check the scheme, host and port of REDIS_URL, or REDIS_HOST and REDIS_PORT"


def megabytes(count: float) -> str:
    """Return a number of bytes for a sentence."""
    return f"{count / 1e6:,.1f} MB"


def shorten(error: Exception) -> str:
    """Return the text of an error in one line of bounded length, without control characters."""
    return printable(" ".join(str(error).split())[:200])
