"""Servers on machines without IPv6 and without IPv4, in network namespaces of their own."""

import os
import shutil
import subprocess
import sys

import pytest

#: Shell commands that take one family away from a new network namespace → the addresses that remain.
MACHINES = {
    "no-ipv6": ("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.lo.disable_ipv6=1", ["127.0.0.1"]),
    "no-ipv4": ("ip address delete 127.0.0.1/8 dev lo", ["::1"]),
    "both": ("true", ["127.0.0.1", "::1"]),
}
#: Prints the loopback addresses on which a server that listens on each host can be reached.
PROGRAM = """
import socket
from {module} import listen
for host in ("::", "localhost"):
    listeners = listen(host, 0)
    reached = []
    for address in ("127.0.0.1", "::1"):
        try:
            socket.create_connection((address, listeners[0].getsockname()[1]), timeout=5).close()
        except OSError:
            continue
        reached.append(address)
    print(host, *reached)
    for listener in listeners:
        listener.close()
"""


def _has_namespaces() -> bool:
    if sys.platform != "linux" or os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "ip", "sysctl"))):
        return False
    script = "ip link set lo up && test -e /proc/sys/net/ipv6"
    return subprocess.run(["unshare", "--net", "sh", "-c", script], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(
    not os.environ.get("CI") and not _has_namespaces(), reason="needs root, Linux's network namespaces and IPv6"
)
@pytest.mark.parametrize("module", ["financehub_shared.health.listeners", "financehub_simulator.listeners"])
@pytest.mark.parametrize("machine", MACHINES)
def test_server_on_a_machine_without_a_family_serves_the_other(module: str, machine: str) -> None:
    """All addresses, and `localhost`, are the addresses that the machine has."""
    change, addresses = MACHINES[machine]
    script = f'ip link set lo up && {change} && exec "$0" -c "$1"'
    command = ["unshare", "--net", "sh", "-c", script, sys.executable, PROGRAM.format(module=module)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines() == [f"{host} {' '.join(addresses)}" for host in ("::", "localhost")], done.stderr
