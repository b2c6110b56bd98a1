"""The Docker engine: the one that answers, otherwise one of our own."""

import contextlib
import functools
import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from e2e.images import daemon


class EngineError(Exception):
    """There is no engine, or it cannot do what was asked; the message says why and what to do."""


@dataclass(frozen=True)
class Engine:
    """Access to an engine.

    Args:
        host: value of DOCKER_HOST; empty: where Docker's own settings say.
    """

    host: str

    @property
    def environment(self) -> dict[str, str]:
        """Variables that bring any of Docker's clients to it."""
        return {**os.environ, "DOCKER_HOST": self.host} if self.host else {**os.environ}

    def run(self, *arguments: str | Path) -> str:
        """Run the command `docker` and return what it prints.

        Args:
            arguments: of it.

        Raises:
            EngineError: it failed; what it said is in the message.
        """
        done = subprocess.run(
            ["docker", *map(str, arguments)], env=self.environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise EngineError(f"docker {arguments[0]}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def answers(self) -> bool:
        """Whether it can be reached."""
        with contextlib.suppress(EngineError):
            self.run("version")
            return True
        return False

    def has(self, image: str) -> bool:
        """Whether it holds an image.

        Args:
            image: its reference.
        """
        with contextlib.suppress(EngineError):
            self.run("image", "inspect", image)
            return True
        return False

    @functools.cache  # noqa: B019 — engines are few, and asking a registry that is not there takes seconds
    def pulls(self, image: str) -> bool:
        """Whether it holds an image or can pull it.

        Args:
            image: its reference.
        """
        if self.has(image):
            return True
        with contextlib.suppress(EngineError):
            self.run("pull", "--quiet", image)
            return True
        return False

    def save(self, images: Iterable[str], archive: Path) -> None:
        """Write images into one archive, as `kind load` and `ctr import` read it.

        Args:
            images: their references.
            archive: the file.
        """
        self.run("save", "--output", archive, *images)


def engine() -> Engine:
    """The engine that DOCKER_HOST or Docker's settings name; where none answers, our own is started.

    Raises:
        EngineError: there is none, and none of our own can be had.
        StartError: our own does not start.
    """
    if shutil.which("docker") is None:
        raise EngineError("there is no `docker`; install Docker (on Debian: apt-get install docker.io)")
    named = Engine(os.environ.get("DOCKER_HOST", ""))
    if named.answers():
        return named
    if named.host:
        raise EngineError(f"no Docker engine answers at DOCKER_HOST={named.host}; start it, or unset the variable")
    if lacking := daemon.lacking():
        raise EngineError(f"no Docker engine answers, and one of our own {lacking}")
    daemon.up()
    return Engine(daemon.HOST)
