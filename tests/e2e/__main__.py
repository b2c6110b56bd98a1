"""`python -m e2e cluster`, `programs`, `down`, or `test` with arguments of pytest: cluster, images, tests."""

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
from test_cluster.targets import Given, Target, choose, loaded, made

_TESTS = Path(__file__).parent
_USAGE = "usage: python -m e2e cluster | programs | down | test [ARGUMENTS OF PYTEST]"
#: What the tests install, and what they upgrade to: the same code under another tag.
_TAG, _NEXT = "e2e", "e2e-next"


def _main(arguments: list[str]) -> int | str:
    target = choose()
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
    for end in (*(each.down for each in made()), daemon.down):
        try:
            end()
        except (NodeError, StartError, OSError, subprocess.CalledProcessError) as error:
            # what is left of one must not keep the others
            problems.append(f"e2e: {error}")
    return "\n".join(problems) or 0


def _test(target: Target, options: list[str]) -> int:
    environment = dict(os.environ)
    # whoever gives a cluster gives it images too, and says their tags
    if not isinstance(target, Given):
        source = engine()
        images = _images(source)
        # the tests may run in a network from which nothing can be fetched
        keda.source()
        definitions.generate()
        target.up()
        _load(target, source, images)
        # an engine that was started for the images must not change the choice
        environment |= {"E2E_TARGET": type(target).__name__}
        environment |= source.environment | {"E2E_TAG": _TAG, "E2E_NEXT_TAG": _NEXT, "E2E_REDIS_IMAGE": images[-1]}
    # a test installs, waits and uninstalls for minutes, and each wait in it has a limit of its own
    command = [sys.executable, "-m", "pytest", "--timeout=900", *(options or [str(_TESTS)])]
    return subprocess.run(target.inside(command), env=environment, check=False).returncode


def _images(source: Engine) -> list[str]:
    """References of all images that the tests use, built; that of Redis is last."""
    *ours, redis = build_all(source, _TAG)
    base = f"BASE_IMAGE=financehub/low-priority:{_TAG}"
    research = f"financehub/research:{_TAG}"
    source.run("build", "--build-arg", base, "--tag", research, _TESTS / "research")
    for image in IMAGES:
        source.run("tag", f"financehub/{image}:{_TAG}", f"financehub/{image}:{_NEXT}")
    return [*ours, *(f"financehub/{image}:{_NEXT}" for image in IMAGES), research, redis]


def _load(target: Target, source: Engine, images: list[str]) -> None:
    """Give the cluster what it does not have yet."""
    ids = source.run("image", "inspect", "--format", "{{.Id}}", *images)
    record = loaded(target)
    if record.exists() and record.read_text(encoding="utf-8") == json.dumps([images, ids]):
        return
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "images.tar"
        source.save(images, archive)
        target.load(archive)
    record.write_text(json.dumps([images, ids]), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
