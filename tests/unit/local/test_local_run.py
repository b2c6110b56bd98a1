"""Parts of `make run` that need no process."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from urllib.request import proxy_bypass_environment

import pytest

from local_run.environment import environment_for, read_procfile
from ports import PortError, port_of, require_free
from support.redis_server import free_port, free_ports

PROCFILE = Path(__file__).parents[3] / "deploy/local/Procfile"


def test_procfile_has_the_processes_of_a_fleet() -> None:
    """Redis, the simulator, the scheduler, a worker of each tier and the console run."""
    commands = read_procfile(PROCFILE)
    assert list(commands) == ["redis", "simulator", "scheduler", "high", "medium", "low", "web"]
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


def test_line_that_the_terminal_cannot_encode_is_written_with_escapes() -> None:
    """A currency sign in a line of a process does not cost the line on a terminal that has Western letters only."""
    program = "from local_run.output import Terminal; Terminal().line('high', 'café 5 €')"
    environment = os.environ | {"PYTHONIOENCODING": "latin-1", "PYTHONPATH": str(PROCFILE.parent)}
    output = subprocess.run([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, check=True).stdout
    assert output.endswith("high      | café 5 \\u20ac\n".encode("latin-1"))


def test_simulator_is_reached_without_the_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of a company's network cannot reach this machine, and its exceptions stay."""
    ports = {"REDIS_PORT": free_port(), "HTTP_PORT": free_ports(6), "SIMULATOR_PORT": free_port()}
    for name, value in {**ports, "http_proxy": "http://proxy:1", "no_proxy": "intranet", "REDIS_DIR": "data"}.items():
        monkeypatch.setenv(name, str(value))
    environment = environment_for("simulator")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    hosts = {host: bool(proxy_bypass_environment(host)) for host in ("127.0.0.1", "intranet", "example.com")}
    assert hosts == {"127.0.0.1": True, "intranet": True, "example.com": False}


def test_port_that_is_not_a_decimal_number_is_refused() -> None:
    """A digit that is not part of a decimal number, such as a superscript, is refused like a word."""
    for value in ("²", "", "x", "0", "65536", "-1"):
        with pytest.raises(PortError, match="is not a valid port"):
            port_of({"HTTP_PORT": value}, "HTTP_PORT", 8000)
    assert port_of({"HTTP_PORT": "65535"}, "HTTP_PORT", 8000) == 65_535
