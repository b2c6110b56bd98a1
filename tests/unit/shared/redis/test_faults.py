"""The codes of refusals, wherever Redis and redis-py put them in the text of an error."""

import pytest
import redis

from financehub_shared.redis.explanations import explain_refusal
from financehub_shared.redis.faults import NOPERM, REFUSED_WRITES, fault_code, is_failover, is_unknown_command

#: Text before the code: outside a pipeline, in one, and in a script of Redis 6.2, alone and in a pipeline.
PREFIXES = {
    "plain": "",
    "pipeline": "Command # 1 (HDEL financehub:run:1 a) of pipeline caused error: ",
    "script": "Error running script (call to f_1): @user_script:1: @user_script: 1: -",
    "script in a pipeline": "Command # 2 (EVALSHA a) of pipeline caused error: Error running script: @user_script:1: -",
}


@pytest.mark.parametrize("code", sorted({*REFUSED_WRITES, NOPERM}))
@pytest.mark.parametrize("prefix", PREFIXES.values(), ids=PREFIXES)
def test_fault_code_is_found_after_any_prefix(prefix: str, code: str):
    """A refusal has the same code alone, in a pipeline and in a script."""
    error = redis.ResponseError(f"{prefix}{code} the server refuses this")
    assert fault_code(error) == code
    assert is_failover(error) == (code in {"READONLY", "MASTERDOWN", "LOADING"})


@pytest.mark.parametrize(
    "text", ["wrong number of arguments for 'MISCONF'", "Command # 1 (SET OOM 1) of pipeline caused error: ERR syntax"]
)
def test_fault_code_ignores_a_code_that_belongs_to_a_command(text: str):
    """A key or an argument with the name of a code is not a refusal."""
    assert fault_code(redis.ResponseError(text)) == ""


@pytest.mark.parametrize(
    "text",
    [
        "unknown command 'ZMSCORE', with args beginning with: 'a'",
        "Error running script: @user_script: 1: Unknown Redis command called from script",
        "Unknown Redis command called from script script: 5e3, on @user_script:1.",
    ],
)
def test_unknown_command_is_denied(text: str):
    """A renamed command has the problem `denied` and its remedy, also in a script."""
    error = redis.ResponseError(text)
    assert is_unknown_command(error)
    code, sentence = explain_refusal("the queue Redis", error)
    assert code == "denied"
    assert "do not rename" in sentence
