"""`python -m test_cluster.images`: build and save the images, or run a command with the engine.

An engine that a command starts stops with it. `up` starts one that runs until `down`.
"""

import subprocess
import sys
from pathlib import Path

from test_cluster.images import daemon
from test_cluster.images.base import OWN_REDIS, redis_image
from test_cluster.images.build import build_all
from test_cluster.images.engine import Engine, EngineError, available, engine
from test_cluster.node.processes import StartError

_USAGE = "usage: python -m test_cluster.images up | down | build TAG | save FILE IMAGE … | in COMMAND …"


def _main(arguments: list[str]) -> str | int:
    try:
        match arguments:
            case ["up"]:
                sys.stdout.write(f"{_host_of_kept_engine()}\n")
            case ["down"]:
                daemon.down()
            case ["build", tag]:
                with engine() as docker:
                    sys.stdout.write("".join(f"{image}\n" for image in build_all(docker, tag)))
            case ["save", archive, *images] if images:
                with engine() as docker:
                    docker.save(images, Path(archive))
            case ["in", *command] if command:
                with engine() as docker:
                    return subprocess.run(command, env=_environment(docker), check=False).returncode
            case _:
                return _USAGE
    except (EngineError, StartError, FileNotFoundError) as error:
        return f"images: {error}"
    return 0


def _host_of_kept_engine() -> str:
    if (found := available()) is not None:
        return found.host
    if lacking := daemon.lacking():
        raise EngineError(f"no Docker engine answers, and starting one {lacking}")
    daemon.up()
    return daemon.HOST


def _environment(found: Engine) -> dict[str, str]:
    """Return the environment for tests that run Redis with testcontainers.

    No variable starts with FINANCEHUB_, because the settings refuse unknown variables.
    """
    redis = redis_image(found)
    # If Redis cannot be pulled, testcontainers' cleanup container cannot be pulled either.
    no_cleaner = {"TESTCONTAINERS_RYUK_DISABLED": "true"} if redis == OWN_REDIS else {}
    return {**found.environment, "TEST_REDIS_IMAGE": redis, **no_cleaner}


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
