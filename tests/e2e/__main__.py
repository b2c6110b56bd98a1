"""Prepares the cluster and the images for the end-to-end tests, and runs the tests.

`python -m e2e up` starts the cluster, `programs` prints the group of programs that it needs, `down` removes it, and
`test` builds and loads the images and runs pytest with the given arguments. For people, `first-steps` prints how to
install the chart, `images` builds and loads the images, and `shell` opens a shell in which kubectl uses the cluster.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

from e2e import access, images, keda
from e2e.monitoring import definitions
from e2e.preparation import prepared
from test_cluster.images import daemon
from test_cluster.images.engine import EngineError, engine
from test_cluster.node.node import NodeError
from test_cluster.node.processes import StartError
from test_cluster.targets import ExternalTarget, Target, choose_target, existing_targets

_TESTS = Path(__file__).parent
_ROOT = _TESTS.parents[1]
_USAGE = "usage: python -m e2e up | first-steps | images | shell | programs | down | test [ARGUMENTS OF PYTEST]"


def _main(arguments: list[str]) -> int | str:
    target = choose_target()
    try:
        match arguments:
            case ["up"]:
                target.up()
            case ["first-steps"]:
                sys.stdout.write(access.first_steps(target))
            case ["images"]:
                _load_images(target)
            case ["shell"]:
                access.open_shell(target)
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


def _load_images(target: Target) -> None:
    if isinstance(target, ExternalTarget):
        sys.stderr.write("e2e: the cluster of E2E_KUBECONFIG pulls its images, so nothing is loaded\n")
        return
    target.up()
    with engine() as source:
        loaded = images.build(source)
        images.load(target, source, loaded)
    values = {"simulator": {"enabled": True}, **images.redis_values(loaded[-1])}
    (_ROOT / access.VALUES_FILE).write_text(yaml.safe_dump(values), encoding="utf-8")


def _test(target: Target, options: list[str]) -> int:
    # The user who provides a cluster also provides the images and sets their tags.
    if isinstance(target, ExternalTarget):
        return _pytest(target, dict(os.environ), options)
    # These downloads come before the tests, which may run in a network without access to the outside.
    keda.source()
    definitions.generate()
    with prepared(target) as environment:
        return _pytest(target, environment, options)


def _pytest(target: Target, environment: Mapping[str, str], options: list[str]) -> int:
    # A test spends minutes on installing, waiting and uninstalling, and each of its waits has its own timeout.
    command = [sys.executable, "-m", "pytest", "--timeout=900", *(options or [str(_TESTS)])]
    return subprocess.run(target.inside(command), env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
