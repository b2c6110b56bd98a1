"""The cluster as a test sees it: kubectl, helm, and waiting for what becomes true."""

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from test_cluster.binaries.finder import program
from test_cluster.binaries.programs import HELM, KUBECTL
from test_cluster.targets import Target

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "financehub"
_COMMAND_SECONDS = 300

Found = TypeVar("Found")


class Cluster:
    """Access as the administrator.

    Args:
        target: which cluster.
    """

    def __init__(self, target: Target) -> None:
        self.target = target

    def kubectl(
        self, *arguments: str, stdin: str | None = None, check: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        """Run kubectl.

        Args:
            arguments: of kubectl.
            stdin: what it reads from `-f -`.
            check: fail when it fails, with what it said.
        """
        return self._run([program(KUBECTL), *arguments], stdin, check=check)

    def helm(self, *arguments: str, stdin: str | None = None, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run Helm.

        Args:
            arguments: of Helm.
            stdin: what it reads from `-f -`.
            check: fail when it fails, with what it said.
        """
        return self._run([program(HELM), *arguments], stdin, check=check)

    def get(self, *arguments: str) -> Any:
        """The JSON of `kubectl get`.

        Args:
            arguments: of it.
        """
        return json.loads(self.kubectl("get", *arguments, "-o", "json").stdout)

    def _run(self, command: list[str | Path], stdin: str | None, *, check: bool) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [*map(str, command)],
            input=stdin,
            env={**os.environ, "KUBECONFIG": str(self.target.kubeconfig)},
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        if check:
            shown = " ".join(map(str, command[1:]))
            assert done.returncode == 0, f"{Path(command[0]).name} {shown}: {done.stderr or done.stdout}"
        return done


def eventually(look: Callable[[], Found], seconds: float, what: str) -> Found:
    """Look until there is something to see, and return it.

    Args:
        look: returns what is looked for, or something false.
        seconds: when to give up.
        what: is looked for, for the message.

    Raises:
        AssertionError: it did not come; the last look is in the message.
    """
    limit = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < limit, f"{what}: not within {seconds:g} s; last seen: {found!r}"
        time.sleep(0.25)
    return found
