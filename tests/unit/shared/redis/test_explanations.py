"""Why a server does not serve us: from the error of a connection to a code and a sentence with the remedy."""

import pytest
import redis

from financehub_shared.redis.explanations import UNREACHABLE, explain_failure
from financehub_shared.redis.server_check import NotMasterError, NotRedisError, WrongServerError

PLACE = "the queue Redis at redis.example.com:6379"
_WRONGPASS = "invalid username-password pair or user is disabled."
_CERTIFICATE = "Error 1 connecting to h:6379. [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed"
#: Error → code of the problem and words of the remedy.
CASES: list[tuple[redis.RedisError, str, str]] = [
    (NotMasterError("h:6379 is a replica"), "read-only", "to the master"),
    (WrongServerError("h:6379 is a Redis Cluster, which is not supported; use …"), "cluster", "use"),
    (redis.AuthenticationError(_WRONGPASS), "login-refused", "check the user and the password in REDIS_URL"),
    (redis.AuthenticationError("Authentication required."), "login-refused", "REDIS_PASSWORD"),
    (redis.AuthenticationError("AUTH <password> called without any password"), "login-refused", "REDIS_PASSWORD"),
    (redis.ConnectionError("max number of clients reached"), "clients-full", "raise its maxclients"),
    (redis.ResponseError("DENIED Redis is running in protected mode because"), "login-refused", "requirepass"),
    (redis.InvalidResponse('Protocol error, got "H" as reply type byte'), "not-redis", "check host and port"),
    (NotRedisError("h:6379"), "not-redis", "check host and port"),
    (redis.ResponseError("unknown command 'HELLO'"), "not-redis", "install Redis 6.2"),
    (redis.exceptions.NoPermissionError("this user has no permissions to run 'select'"), "denied", "section ACL"),
    (redis.BusyLoadingError("Redis is loading the dataset in memory"), "write-refused", "wait until it has finished"),
    (redis.exceptions.MasterDownError("Link with MASTER is down"), "read-only", "to the master"),
    (
        redis.ConnectionError("Error 111 connecting to h:6379. Connection refused."),
        UNREACHABLE,
        "check that the server",
    ),
    (redis.ConnectionError(_CERTIFICATE), UNREACHABLE, "check the certificates"),
    (redis.ConnectionError("[SSL: WRONG_VERSION_NUMBER] wrong version number"), UNREACHABLE, "use rediss:// only if"),
    (redis.ResponseError("DB index is out of range"), UNREACHABLE, "setting `databases`"),
    (redis.TimeoutError("Timeout reading from socket"), UNREACHABLE, "check that the server runs"),
]


@pytest.mark.parametrize(("error", "code", "remedy"), CASES, ids=[f"{code}-{error}"[:50] for error, code, _ in CASES])
def test_explain_failure_names_cause_and_remedy(error: redis.RedisError, code: str, remedy: str):
    """Each error of a connection has a code, and one sentence that says where, what, and what to do."""
    found, text = explain_failure(PLACE, error)
    assert found == code
    assert text.startswith(PLACE)
    assert remedy in text


def test_explain_failure_with_a_hostile_text_is_short_and_printable():
    """A server chooses the text of its errors. It cannot control the terminal or fill the log."""
    _, text = explain_failure(PLACE, redis.ResponseError("\x1b[31m\n" + "x" * 100_000))
    assert text.isprintable()
    assert len(text) < 1_000
