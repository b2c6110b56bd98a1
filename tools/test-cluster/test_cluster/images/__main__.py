"""`python -m test_cluster.images`: start the engine, build and save the images, or run a command with the engine."""

import os
import sys
from pathlib import Path

from test_cluster.images import daemon
from test_cluster.images.base import OWN_REDIS, redis_image
from test_cluster.images.build import build_all
from test_cluster.images.engine import Engine, EngineError, engine
from test_cluster.node.processes import StartError

_USAGE = "usage: python -m test_cluster.images up | down | build TAG | save FILE IMAGE … | in COMMAND …"


def _main(arguments: list[str]) -> str | None:
    try:
        match arguments:
            case ["up"]:
                sys.stdout.write(f"{engine().host}\n")
            case ["down"]:
                daemon.down()
            case ["build", tag]:
                sys.stdout.write("".join(f"{image}\n" for image in build_all(engine(), tag)))
            case ["save", archive, *images] if images:
                engine().save(images, Path(archive))
            case ["in", *command] if command:
                os.execvpe(command[0], command, _environment(engine()))  # noqa: S606 — no shell is needed
            case _:
                return _USAGE
    except (EngineError, StartError, FileNotFoundError) as error:
        return f"images: {error}"
    return None


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
