"""Tests that the lines that `make cluster` prints can be pasted into a terminal, and do what they say."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e import namespaces, pasted
from e2e.access import first_steps
from e2e.cluster import Cluster, eventually
from e2e.conftest import skip_on_external_cluster

_ROOT = Path(__file__).parents[2]
_NAMESPACE = "e2e-first-steps"
_SHELL = "make cluster-shell"
_REQUEST = ("curl", "--silent", "--fail", "--max-time", "5")
#: The variables of a terminal, and those that say which engine and which cluster of this machine the tests use.
_NAMES = ("PATH", "HOME", "DOCKER_HOST", "E2E_TARGET", "XDG_CACHE_HOME")


@pytest.fixture
def outside(cluster: Cluster) -> Iterator[list[str]]:
    """The beginning of a command line that runs a command as people do, outside the network of the cluster."""
    skip_on_external_cluster(cluster, "the images")
    namespaces.create(cluster, _NAMESPACE)
    yield pasted.outside()
    cluster.helm("uninstall", "financehub", "--namespace", _NAMESPACE, "--ignore-not-found", "--wait")
    cluster.kubectl("delete", "namespace", _NAMESPACE, "--ignore-not-found", "--wait=false")


def test_pasted_first_steps_install_the_chart_and_show_the_console(
    cluster: Cluster, outside: list[str], tmp_path: Path
) -> None:
    """Each line succeeds in a shell that has nothing but the checkout, and the last one publishes the console."""
    documented = "\n".join(re.findall(r"^ {2}(\S.*)$", first_steps(cluster.target), re.MULTILINE))
    *lines, last = pasted.elsewhere(documented, _NAMESPACE).splitlines()
    (port,) = re.findall(r"port-forward .* (\d+):80$", last)
    # A terminal's input reaches whichever shell or command reads it, as these lines do.
    typed = "".join(f"{line}\n" if line == _SHELL else f'{line} && echo "done: {line}"\n' for line in lines)
    # A newcomer has neither a kubeconfig nor the environment of the tests.
    environment = {name: os.environ[name] for name in _NAMES if name in os.environ} | {"SHELL": "/bin/bash"}
    log = tmp_path / "terminal.log"
    with log.open("w") as output:
        terminal = subprocess.Popen(
            [*outside, "bash"],
            cwd=_ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            text=True,
            start_new_session=True,
        )

    def ended_or_answers() -> bool:
        answer = subprocess.run(
            [*outside, *_REQUEST, f"http://localhost:{port}/"], capture_output=True, text=True, check=False
        )
        return terminal.poll() is not None or "<title>" in answer.stdout

    with terminal:
        assert terminal.stdin is not None
        terminal.stdin.write(f"{typed}{last}\n")
        terminal.stdin.flush()
        try:
            eventually(ended_or_answers, "the console answers on this machine", 720)
        finally:
            os.killpg(terminal.pid, signal.SIGINT)
            terminal.stdin.close()
            terminal.wait(60)
    shown = log.read_text(encoding="utf-8")
    assert [line for line in lines if line != _SHELL and f"done: {line}" not in shown] == [], shown
    assert f"Forwarding from 127.0.0.1:{port}" in shown
