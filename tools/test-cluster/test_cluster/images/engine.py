"""Accesses this machine's Docker engine, or one that the tests start."""

import contextlib
import functools
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from test_cluster.images import daemon


class EngineError(Exception):
    """There is no engine, or a command failed. The message contains the reason and the fix."""


@dataclass(frozen=True)
class Engine:
    """Access to a Docker engine.

    Args:
        host: The value of DOCKER_HOST, or "" for the engine in Docker's own settings.
    """

    host: str

    @property
    def environment(self) -> dict[str, str]:
        """The environment with which any Docker client connects to the engine."""
        return {**os.environ, "DOCKER_HOST": self.host} if self.host else {**os.environ}

    def run(self, *arguments: str | Path) -> str:
        """Run the command `docker` and return its output.

        Args:
            arguments: The arguments of the command.

        Raises:
            EngineError: The command failed. The message contains its output.
        """
        done = subprocess.run(
            ["docker", *map(str, arguments)], env=self.environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise EngineError(f"docker {arguments[0]}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def answers(self) -> bool:
        """Whether the engine responds."""
        with contextlib.suppress(EngineError):
            self.run("version")
            return True
        return False

    def has(self, image: str) -> bool:
        """Whether the engine has an image.

        Args:
            image: The reference of the image.
        """
        with contextlib.suppress(EngineError):
            self.run("image", "inspect", image)
            return True
        return False

    @functools.cache  # noqa: B019 — there are few engines, and an unreachable registry costs seconds
    def pulls(self, image: str) -> bool:
        """Whether the engine has an image or can pull it.

        Args:
            image: The reference of the image.
        """
        if self.has(image):
            return True
        with contextlib.suppress(EngineError):
            self.run("pull", "--quiet", image)
            return True
        return False

    def save(self, images: Iterable[str], archive: Path) -> None:
        """Write images to one archive, in the format of `kind load` and `ctr import`.

        Args:
            images: The references of the images.
            archive: The path of the archive.
        """
        self.run("save", "--output", archive, *images)


@contextmanager
def engine() -> Iterator[Engine]:
    """Use the engine from DOCKER_HOST or Docker's settings, or start one if none responds.

    An engine that was started for this stops after its last user.

    Raises:
        EngineError: No engine responds, and none can be started.
        StartError: The engine was started and failed.
    """
    if (found := available()) is not None:
        yield found
        return
    if lacking := daemon.lacking():
        raise EngineError(f"no Docker engine answers, and starting one {lacking}")
    with daemon.borrowed():
        yield Engine(daemon.HOST)


def available() -> Engine | None:
    """Return the engine from DOCKER_HOST or Docker's settings, or None if Docker's settings name none that responds.

    Raises:
        EngineError: The command `docker` is missing, or no engine responds at DOCKER_HOST.
    """
    if shutil.which("docker") is None:
        raise EngineError("the command `docker` is missing; install Docker (on Debian: apt-get install docker.io)")
    named = Engine(os.environ.get("DOCKER_HOST", ""))
    if named.answers():
        return named
    if named.host:
        raise EngineError(f"no Docker engine answers at DOCKER_HOST={named.host}; start it, or unset the variable")
    return None
