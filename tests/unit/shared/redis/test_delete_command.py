"""The command that log lines suggest for a key whose name another program has chosen."""

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.redis.key_types import delete_command

INTERACTIVE = "DEL NAME in an interactive redis-cli, with NAME from `redis-cli --no-raw --scan`"


@given(st.text() | st.text(alphabet="'\"\\\\$`;|&<>(){}*?!~# abc:\ufffd"))
def test_delete_command_of_any_key_names_exactly_this_key_or_none(key: str) -> None:
    """A shell reads the command as three words, the last of which is the key, whatever the key contains."""
    command = delete_command(key)
    assert command.isprintable()
    assert command == INTERACTIVE or shlex.split(command) == ["redis-cli", "DEL", key]


@pytest.mark.parametrize(
    "key", ["financehub:task:x'; echo run; '", "$(echo run)", "`echo run`", "a b", "-x", "*", "\\x00"]
)
def test_delete_command_with_shell_syntax_runs_nothing_else(key: str) -> None:
    """A shell that runs the command passes the key on as it is."""
    command = delete_command(key).replace("redis-cli", "printf %s/ ", 1)
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout == f"DEL/{key}/"


@pytest.mark.parametrize("key", ["a\ufffd", "a\nb", "\u202e", "x" * 601])
def test_delete_command_of_a_name_that_a_log_cannot_show_leaves_it_out(key: str) -> None:
    """An interactive redis-cli accepts the escapes with which it lists such a name."""
    assert delete_command(key) == INTERACTIVE
