"""Classifies the errors with which Redis refuses a command. This module decides what an error of Redis means.

Redis sends a code as the first word of an error. redis-py removes it from the text of some errors and keeps it in
`status_code`. Redis 6.2 puts the code of an error in a script into the middle of the text, and redis-py puts the
command of a pipeline before it.
"""

import re

import redis

#: Codes with which Redis refuses all or most writes because of its own state, not because of the command.
REFUSED_WRITES = frozenset({"OOM", "MISCONF", "NOREPLICAS", "READONLY", "MASTERDOWN", "LOADING"})
#: Codes with which a server says that it is not the master, or not yet: another server may be the master now.
_FAILOVER_CODES = frozenset({"READONLY", "MASTERDOWN", "LOADING"})
#: The classes of the errors with these codes outside scripts.
FAILOVER_ERRORS = (
    redis.exceptions.ReadOnlyError,
    redis.exceptions.MasterDownError,
    redis.exceptions.BusyLoadingError,
)
#: Code for a command or key that the ACL of our user does not allow.
NOPERM = "NOPERM"

_CODE = re.compile(rf"(?:^|[\s:]-|of pipeline caused error: )({'|'.join(sorted({*REFUSED_WRITES, NOPERM}))})\b")
_CODE_BY_CLASS: dict[type[Exception], str] = {
    redis.exceptions.OutOfMemoryError: "OOM",
    redis.exceptions.ReadOnlyError: "READONLY",
    redis.exceptions.MasterDownError: "MASTERDOWN",
    redis.exceptions.BusyLoadingError: "LOADING",
    redis.exceptions.NoPermissionError: NOPERM,
}
#: How a denied command inside a script begins in Redis 7 and later, and what it contains in Redis 6.2.
_DENIED_IN_SCRIPT = ("ACL failure in script", "The user executing the script can't")
#: How an error says that the server does not have a command, outside scripts and in them.
_UNKNOWN_COMMAND = re.compile(r"unknown (redis )?command", re.IGNORECASE)


def is_unknown_command(error: BaseException) -> bool:
    """Whether the server does not have a command: it is too old, of another kind, or the command is renamed.

    Args:
        error: Any exception of redis-py.
    """
    return isinstance(error, redis.ResponseError) and _UNKNOWN_COMMAND.search(str(error)) is not None


def fault_code(error: BaseException) -> str:
    """Return the code of a refusal, such as `OOM` or `NOPERM`; empty if the error is of another kind.

    Args:
        error: Any exception of redis-py.
    """
    for type_, code in _CODE_BY_CLASS.items():
        if isinstance(error, type_):
            return code
    if not isinstance(error, redis.ResponseError):
        return ""
    text = str(error)
    if any(phrase in text for phrase in _DENIED_IN_SCRIPT):
        return NOPERM
    found = _CODE.search(text)
    return found[1] if found else ""


def is_failover(error: BaseException) -> bool:
    """Whether the server refused a command because it is not the master, or not yet. The command did not run.

    Args:
        error: Any exception of redis-py.
    """
    return isinstance(error, FAILOVER_ERRORS) or fault_code(error) in _FAILOVER_CODES
