"""Accesses the cluster with kubectl and Helm."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from support import waiting
from test_cluster.binaries.finder import program
from test_cluster.binaries.programs import HELM, KUBECTL
from test_cluster.targets import Target

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "financehub"
_COMMAND_SECONDS = 300
_POLL_SECONDS = 0.25

Result = TypeVar("Result")


class Cluster:
    """Access to the cluster as its administrator.

    Args:
        target: The cluster that the tests use.
        command_seconds: Timeout of each command of kubectl and Helm in seconds.
    """

    def __init__(self, target: Target, command_seconds: float = _COMMAND_SECONDS) -> None:
        self.target = target
        self._command_seconds = command_seconds

    def kubectl(
        self, *arguments: str, stdin: str | None = None, check: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        """Run kubectl.

        Args:
            arguments: Arguments of kubectl.
            stdin: Standard input, for `-f -`.
            check: Whether a kubectl error fails the test, with kubectl's output.
        """
        return self._run([program(KUBECTL), *arguments], stdin, check=check)

    def helm(self, *arguments: str, stdin: str | None = None, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run Helm.

        Args:
            arguments: Arguments of Helm.
            stdin: Standard input, for `--values -`.
            check: Whether a Helm error fails the test, with Helm's output.
        """
        return self._run([program(HELM), *arguments], stdin, check=check)

    def get(self, *arguments: str) -> Any:
        """Return the JSON of `kubectl get`.

        Args:
            arguments: Arguments of `kubectl get`.
        """
        return json.loads(self.kubectl("get", *arguments, "-o", "json").stdout)

    def _run(self, command: list[str | Path], stdin: str | None, *, check: bool) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [*map(str, command)],
            input=stdin,
            env={**os.environ, "KUBECONFIG": str(self.target.kubeconfig)},
            capture_output=True,
            text=True,
            timeout=self._command_seconds,
            check=False,
        )
        if check:
            shown = " ".join(map(str, command[1:]))
            assert done.returncode == 0, f"{Path(command[0]).name} {shown}: {done.stderr or done.stdout}"
        return done


def eventually(condition: Callable[[], Result], description: str, within: float) -> Result:
    """Wait until a condition holds, and return its value. Most conditions run kubectl, so the checks are less frequent.

    Args:
        condition: Returns a true value if it holds.
        description: Description of the condition, for the error message.
        within: Timeout in seconds.

    Raises:
        AssertionError: The condition does not hold at the timeout. The message contains the last value.
    """
    return waiting.eventually(condition, description, within, poll_seconds=_POLL_SECONDS)
