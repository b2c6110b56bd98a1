"""The images: what is in them, what is not, how large they are, and that they run as Kubernetes will run them."""

import json
import re
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from e2e import report
from e2e.cluster import eventually
from e2e.conftest import TAG
from e2e.images.base import python_image, redis_image
from e2e.images.build import IMAGES, build_all
from e2e.images.engine import Engine, engine
from e2e.images.sizes import LIMITS, layers_over_base

# builds that find nothing built before
pytestmark = pytest.mark.timeout(900)

ROOT = Path(__file__).parents[2]
_INVENTORY = ROOT / "tests" / "e2e" / "images" / "inventory.py"
#: As the chart runs them.
_RESTRICTED = ("--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges")
#: What a container is told so that it needs no cluster; the rest starts as its image says.
_COMMANDS = {"scheduler": ["financehub-scheduler", "--schedules", "/tmp"]}  # noqa: S108 — it is the container's


@dataclass(frozen=True)
class Image:
    """One image and what its Python finds in it."""

    name: str
    reference: str
    settings: dict[str, Any]
    inventory: dict[str, Any]


@pytest.fixture(scope="module")
def docker() -> Engine:
    """The engine, with all images."""
    found = engine()
    build_all(found, TAG)
    return found


@pytest.fixture(scope="module", params=IMAGES)
def image(request: pytest.FixtureRequest, docker: Engine) -> Image:
    """Each of ours in turn."""
    reference = f"financehub/{request.param}:{TAG}"
    (settings,) = json.loads(docker.run("image", "inspect", reference))
    return Image(request.param, reference, settings, _inventory(docker, reference))


def _inventory(docker: Engine, reference: str) -> dict[str, Any]:
    command = ["docker", "run", "--rm", "--interactive", "--network=none", *_RESTRICTED, reference, "python", "-"]
    done = subprocess.run(
        command, input=_INVENTORY.read_bytes(), env=docker.environment, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return dict(json.loads(done.stdout))


def _locked(image: Image) -> dict[str, str]:
    """Distribution → version, as its requirements file says for the image's Python."""
    python = image.inventory["python"]
    environment = {"python_full_version": python, "python_version": python.rpartition(".")[0], "sys_platform": "linux"}
    text = (ROOT / "requirements" / f"{image.name}.txt").read_text(encoding="utf-8")
    lines = [Requirement(line.removesuffix("\\").strip()) for line in text.splitlines() if re.match(r"\w", line)]
    return {
        canonicalize_name(one.name): str(one.specifier).removeprefix("==")
        for one in lines
        if one.marker is None or one.marker.evaluate(environment)
    }


def test_holds_its_distributions_and_no_other(image: Image) -> None:
    """An image holds what its requirements file pins, its own code and the shared code: no tier carries another's."""
    own = [image.name] if image.name == "simulator" else [image.name, "shared"]
    expected = _locked(image) | {f"financehub-{name}": "0.1.0" for name in own}
    found = {canonicalize_name(name): version for name, version in image.inventory["distributions"].items()}
    assert found == expected
    assert sorted(image.inventory["own"]) == sorted(f"financehub_{name.replace('-', '_')}" for name in own)


def test_holds_no_tool_and_nothing_left_over(image: Image) -> None:
    """There is no compiler, no pip, no test and no cache in what an image adds to its base."""
    assert image.inventory["commands"] == []
    unwanted = re.compile(r"/(tests|pip|pip-.*|\.cache|wheels)(/|$)")
    assert [path for path in image.inventory["files"] if unwanted.search(path)] == []


def test_everything_in_it_can_be_imported(image: Image) -> None:
    """No module of ours misses anything of a distribution that is there: what was left out is used by none."""
    assert image.inventory["broken"] == {}


def test_nothing_is_compiled_at_a_start(image: Image) -> None:
    """All that is imported has its bytecode in the image, but for what Kubernetes' client generates."""
    generated = re.compile(r"kubernetes\.(aio\.)?client\.(api|models)\.")
    assert [name for name in image.inventory["uncompiled"] if not generated.match(name)] == []


def test_runs_as_nobody_special(image: Image) -> None:
    """The user is a number, so that `runAsNonRoot` can be checked, and not root; there is no entry point."""
    settings = image.settings["Config"]
    assert settings["User"] == "10001:10001"
    assert image.inventory["user"] == [10001, 10001]
    assert not settings["Entrypoint"]


def test_says_what_it_is(image: Image) -> None:
    """Labels name the image, its version and its licence."""
    labels = image.settings["Config"]["Labels"]
    assert labels["org.opencontainers.image.title"] == f"financehub/{image.name}"
    assert labels["org.opencontainers.image.version"] == "0.1.0"
    assert labels["org.opencontainers.image.licenses"] == "MIT"
    assert labels["org.opencontainers.image.description"]


def test_adds_two_layers_and_few_megabytes(image: Image, docker: Engine) -> None:
    """Over its base an image has a layer of dependencies, within its limit, and a small one of code, the last."""
    (base,) = json.loads(docker.run("image", "inspect", python_image(docker)))
    layers, below = image.settings["RootFS"]["Layers"], base["RootFS"]["Layers"]
    assert layers[: len(below)] == below
    assert len(layers) == len(below) + 2
    dependencies, code = layers_over_base(docker, image.reference)
    report.note(f"image {image.name}: over its base", f"{dependencies + code:.0f} MB, its code {code:.1f} MB")
    assert code < 4
    assert dependencies + code < LIMITS[image.name]


def test_same_content_from_same_input(docker: Engine) -> None:
    """Built again from nothing, an image holds the same files: names, modes and content."""
    built = f"financehub/low-priority:{TAG}"
    again = f"financehub/again:{uuid.uuid4().hex}"
    base = f"BASE_IMAGE={python_image(docker)}"
    file = ROOT / "services" / "low-priority" / "Dockerfile"
    docker.run("build", "--no-cache", "--network=host", "--build-arg", base, "--tag", again, "--file", file, ROOT)
    try:
        assert _inventory(docker, again)["files"] == _inventory(docker, built)["files"]
    finally:
        docker.run("rmi", again)


@pytest.fixture(scope="module")
def redis(docker: Engine) -> Iterator[str]:
    """Name of a container with a Redis, whose network the others join."""
    name = f"financehub-test-{uuid.uuid4().hex[:8]}"
    docker.run("run", "--detach", "--rm", "--network=none", "--name", name, redis_image(docker), "redis-server")
    yield name
    docker.run("rm", "--force", name)


def test_starts_with_a_read_only_root_and_ends_when_told(image: Image, docker: Engine, redis: str) -> None:
    """With a read-only root and no rights at all a container becomes ready, and SIGTERM ends it with success."""
    name = f"{redis}-{image.name}"
    port = 8099 if image.name == "simulator" else 8000
    network = f"--network=container:{redis}"
    docker.run(
        "run", "--detach", "--name", name, network, *_RESTRICTED, image.reference, *_COMMANDS.get(image.name, [])
    )
    path = "" if image.name == "simulator" else "readyz"
    ask = f"import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:{port}/{path}').status)"
    try:
        eventually(lambda: _says(docker, name, ask) == "200\n", 60, f"{image.name} is ready")
        docker.run("stop", "--time=30", name)
        assert docker.run("inspect", "--format={{.State.ExitCode}}", name) == "0\n", _logs(docker, name)
    finally:
        docker.run("rm", "--force", name)


def _says(docker: Engine, container: str, script: str) -> str:
    assert docker.run("inspect", "--format={{.State.Running}}", container) == "true\n", _logs(docker, container)
    command = ["docker", "exec", container, "python", "-c", script]
    return subprocess.run(command, env=docker.environment, capture_output=True, text=True, check=False).stdout


def _logs(docker: Engine, container: str) -> str:
    command = ["docker", "logs", container]
    return subprocess.run(
        command, env=docker.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True
    ).stdout
