"""Prepares the cluster and the images for the end-to-end tests, and runs the tests.

`python -m e2e cluster` starts the cluster, `programs` prints the group of programs that it needs, `down` removes it,
and `test` builds and loads the images and runs pytest with the given arguments.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from e2e import keda
from e2e.monitoring import definitions
from test_cluster.images import daemon
from test_cluster.images.build import IMAGES, build_all
from test_cluster.images.engine import Engine, EngineError, engine
from test_cluster.node.node import NodeError
from test_cluster.node.processes import StartError
from test_cluster.targets import ExternalTarget, Target, choose_target, existing_targets, record_of_loaded_images

_TESTS = Path(__file__).parent
_USAGE = "usage: python -m e2e cluster | programs | down | test [ARGUMENTS OF PYTEST]"
#: The tag that the tests install, and the tag to which they upgrade. Both contain the same code.
_TAG, _NEXT_TAG = "e2e", "e2e-next"


def _main(arguments: list[str]) -> int | str:
    target = choose_target()
    try:
        match arguments:
            case ["cluster"]:
                target.up()
            case ["programs"]:
                sys.stdout.write(f"{target.programs}\n")
            case ["down"]:
                return _down()
            case ["test", *options]:
                return _test(target, options)
            case _:
                return _USAGE
    except (EngineError, NodeError, StartError, FileNotFoundError, subprocess.CalledProcessError) as error:
        return f"e2e: {error}"
    return 0


def _down() -> int | str:
    problems = []
    for down in (*(target.down for target in existing_targets()), daemon.down):
        try:
            down()
        except (NodeError, StartError, OSError, subprocess.CalledProcessError) as error:
            # One failure must not prevent the removal of the others.
            problems.append(f"e2e: {error}")
    return "\n".join(problems) or 0


def _test(target: Target, options: list[str]) -> int:
    environment = dict(os.environ)
    # The user who provides a cluster also provides the images and sets their tags.
    if not isinstance(target, ExternalTarget):
        source = engine()
        images = _build_images(source)
        # These downloads come before the tests, which may run in a network without access to the outside.
        keda.source()
        definitions.generate()
        target.up()
        _load(target, source, images)
        # choose_target() would otherwise find the engine that was started for the images, and choose kind.
        environment |= {"E2E_TARGET": target.name}
        environment |= source.environment | {"E2E_TAG": _TAG, "E2E_NEXT_TAG": _NEXT_TAG, "E2E_REDIS_IMAGE": images[-1]}
    # A test spends minutes on installing, waiting and uninstalling, and each of its waits has its own timeout.
    command = [sys.executable, "-m", "pytest", "--timeout=900", *(options or [str(_TESTS)])]
    return subprocess.run(target.inside(command), env=environment, check=False).returncode


def _build_images(source: Engine) -> list[str]:
    """Build all images that the tests use, and return their references. The last one is the Redis image."""
    *own, redis = build_all(source, _TAG)
    base = f"BASE_IMAGE=financehub/low-priority:{_TAG}"
    research = f"financehub/research:{_TAG}"
    source.run("build", "--build-arg", base, "--tag", research, _TESTS / "research")
    for image in IMAGES:
        source.run("tag", f"financehub/{image}:{_TAG}", f"financehub/{image}:{_NEXT_TAG}")
    return [*own, *(f"financehub/{image}:{_NEXT_TAG}" for image in IMAGES), research, redis]


def _load(target: Target, source: Engine, images: list[str]) -> None:
    """Load the images into the cluster unless it has them already."""
    ids = source.run("image", "inspect", "--format", "{{.Id}}", *images)
    record = record_of_loaded_images(target)
    if record.exists() and record.read_text(encoding="utf-8") == json.dumps([images, ids]):
        return
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "images.tar"
        source.save(images, archive)
        target.load(archive)
    record.write_text(json.dumps([images, ids]), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
