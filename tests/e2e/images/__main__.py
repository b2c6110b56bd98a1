"""`python -m e2e.images up`, `build TAG`, `save FILE IMAGE …` or `down`."""

import sys
from pathlib import Path

from e2e.images import daemon
from e2e.images.base import redis_image
from e2e.images.build import build_all
from e2e.images.engine import EngineError, engine
from e2e.node.processes import StartError

_USAGE = "usage: python -m e2e.images up | build TAG | redis | save FILE IMAGE … | down"


def _main(arguments: list[str]) -> str | None:
    try:
        match arguments:
            case ["up"]:
                sys.stdout.write(f"{engine().host}\n")
            case ["build", tag]:
                sys.stdout.write("".join(f"{image}\n" for image in build_all(engine(), tag)))
            case ["redis"]:
                sys.stdout.write(f"{redis_image(engine())}\n")
            case ["save", archive, *images] if images:
                engine().save(images, Path(archive))
            case ["down"]:
                daemon.down()
            case _:
                return _USAGE
    except (EngineError, StartError) as error:
        return f"images: {error}"
    return None


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
