"""Parts of `make run` that need no process."""

import socket
from pathlib import Path

import pytest

from local_run.environment import read_procfile
from ports import PortError, require_free

PROCFILE = Path(__file__).parents[3] / "deploy/local/Procfile"


def test_procfile_has_the_processes_of_a_fleet() -> None:
    """Redis, the simulator, the scheduler and a worker of each tier run."""
    commands = read_procfile(PROCFILE)
    assert list(commands) == ["redis", "simulator", "scheduler", "high", "medium", "low"]
    assert all("exec " in command for command in commands.values()), "a shell would stay and keep signals from them"


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_port_in_use_on_one_loopback_address_is_refused(address: str) -> None:
    """A port must be free on both loopback addresses, because every process listens on both."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        used = socket.create_server((address, 0), family=family)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with used, pytest.raises(PortError, match="in use; stop the process that uses it, or set REDIS_PORT"):
        require_free(used.getsockname()[1], "Redis", "REDIS_PORT")
