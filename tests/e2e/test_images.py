"""Tests that the images contain the right files, are small, and run under the chart's restrictions."""

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
from financehub_shared.core.release import release_version
from releasing.build import build as build_release
from releasing.inventory import read_inventory
from releasing.licenses import read_table
from releasing.sbom import describe
from test_cluster.images.base import OWN_PYTHON, python_image, redis_image
from test_cluster.images.build import IMAGES, build_all
from test_cluster.images.engine import Engine, engine
from test_cluster.images.sizes import LIMITS, layers_over_base

# The builds may start without a cache.
pytestmark = pytest.mark.timeout(900)

ROOT = Path(__file__).parents[2]
_INVENTORY = ROOT / "tools/test-cluster/test_cluster/images/inventory.py"
#: The restrictions under which the chart runs containers.
_RESTRICTED = ("--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges")
#: Commands for containers that would otherwise need a cluster. All other images run their default command.
_COMMANDS = {"scheduler": ["financehub-scheduler", "--schedules", "/tmp"]}  # noqa: S108 — it is the container's
#: The ports and paths that a container serves, if they are not those of a worker.
_PAGES = {"simulator": ["8099/"], "web": ["8000/readyz", "8080/", "8080/api/v1/quotes"]}


@dataclass(frozen=True)
class Image:
    """One image with its settings and its inventory, which is made by the image's own Python."""

    name: str
    reference: str
    settings: dict[str, Any]
    inventory: dict[str, Any]


@pytest.fixture(scope="module")
def docker() -> Iterator[Engine]:
    """The Docker engine, after it has built all images."""
    with engine() as found:
        build_all(found, TAG)
        yield found


@pytest.fixture(scope="module", params=IMAGES)
def image(request: pytest.FixtureRequest, docker: Engine) -> Image:
    """One of FinanceHub's own images."""
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
    """The version of each distribution that the requirements file pins for the image's Python."""
    python = image.inventory["python"]
    environment = {"python_full_version": python, "python_version": python.rpartition(".")[0], "sys_platform": "linux"}
    text = (ROOT / "requirements" / f"{image.name}.txt").read_text(encoding="utf-8")
    lines = [Requirement(line.removesuffix("\\").strip()) for line in text.splitlines() if re.match(r"\w", line)]
    return {
        canonicalize_name(one.name): str(one.specifier).removeprefix("==")
        for one in lines
        if one.marker is None or one.marker.evaluate(environment)
    }


#: FinanceHub's distributions in each image besides the service itself.
_SHARED: dict[str, list[str]] = {"simulator": [], "scheduler": ["cli", "shared"]}


def test_image_contains_only_its_distributions(image: Image) -> None:
    """An image contains only the pinned requirements, its service and the distributions that the service needs."""
    own = [image.name, *_SHARED.get(image.name, ["shared"])]
    expected = _locked(image) | {f"financehub-{name}": release_version() for name in own}
    found = {canonicalize_name(name): version for name, version in image.inventory["distributions"].items()}
    assert found == expected
    assert sorted(image.inventory["own"]) == sorted(f"financehub_{name.replace('-', '_')}" for name in own)


def test_image_contains_no_tools_or_leftovers(image: Image) -> None:
    """An image adds no compiler, pip, tests or caches to its base, and no file that is not a distribution's."""
    assert image.inventory["commands"] == []
    assert image.inventory["unlisted"] == []
    unwanted = re.compile(r"/(tests|pip|pip-.*|\.cache|wheels)(/|$)")
    assert [path for path in image.inventory["files"] if unwanted.search(path)] == []


def test_image_contains_the_licenses(image: Image, docker: Engine) -> None:
    """LICENSE and NOTICE of the repository are in the image, as they are."""
    for name in ("LICENSE", "NOTICE"):
        text = docker.run("run", "--rm", "--network=none", image.reference, "cat", f"/opt/financehub/{name}")
        assert text == (ROOT / name).read_text(encoding="utf-8")


def test_bill_of_materials_lists_what_is_in_the_image(image: Image, docker: Engine) -> None:
    """The bill lists exactly the image's distributions, each with its license, and the packages of Debian."""
    bill = json.loads(describe(image.name, release_version(), read_inventory(docker, image.reference), read_table(), 0))
    components = [one for one in bill["components"] if "purl" in one]
    own = [one for one in components if one.get("properties", [{}])[0].get("value", "").startswith("/opt/financehub/")]
    assert {one["name"]: one["version"] for one in own} == image.inventory["distributions"]
    assert [one["name"] for one in own if not one.get("licenses")] == []
    debian = {one["name"] for one in components if one["purl"].startswith("pkg:deb/")}
    assert debian >= {"libc6", "ca-certificates"}
    scripts = {one["name"] for one in components if one["purl"].startswith("pkg:npm/")}
    assert scripts == ({"htmx.org", "lightweight-charts"} if image.name == "web" else set())


def test_modules_of_the_image_can_be_imported(image: Image) -> None:
    """All FinanceHub modules can be imported, so the image lacks no file that they need."""
    assert image.inventory["broken"] == {}


def test_imported_modules_have_bytecode(image: Image) -> None:
    """Every imported module has its bytecode in the image, except the generated code of the Kubernetes client."""
    generated = re.compile(r"kubernetes\.(aio\.)?client\.(api|models)\.")
    assert [name for name in image.inventory["uncompiled"] if not generated.match(name)] == []


def test_image_runs_as_a_numeric_user(image: Image) -> None:
    """The user is not root and is numeric, so that Kubernetes can check `runAsNonRoot`. There is no entry point."""
    settings = image.settings["Config"]
    assert settings["User"] == "10001:10001"
    assert image.inventory["user"] == [10001, 10001]
    assert not settings["Entrypoint"]


def test_labels_describe_the_image(image: Image) -> None:
    """The labels contain the name, description, version and license of the image."""
    labels = image.settings["Config"]["Labels"]
    assert labels["org.opencontainers.image.title"] == f"financehub/{image.name}"
    assert labels["org.opencontainers.image.version"] == release_version()
    assert labels["org.opencontainers.image.licenses"] == "MIT"
    assert labels["org.opencontainers.image.description"]


def test_image_adds_two_small_layers_to_its_base(image: Image, docker: Engine) -> None:
    """An image adds a layer of dependencies and a layer with exactly FinanceHub's files, and stays within its limit."""
    (base,) = json.loads(docker.run("image", "inspect", python_image(docker)))
    layers, below = image.settings["RootFS"]["Layers"], base["RootFS"]["Layers"]
    assert layers[: len(below)] == below
    assert len(layers) == len(below) + 2
    dependencies, code = layers_over_base(docker, image.reference)
    report.note(f"image {image.name}: over its base", f"{dependencies + code:.0f} MB, its code {code:.1f} MB")
    # A file of another distribution in this layer would be transferred again with each new version.
    assert code == pytest.approx(image.inventory["own_bytes"] / 1e6, abs=0.01)
    assert dependencies + code < LIMITS[image.name]


def test_release_contains_a_bill_of_materials_of_each_image(docker: Engine, tmp_path: Path) -> None:
    """`make release` builds the images of the commit and writes a bill of each, with its checksum."""
    said: list[str] = []
    sums = build_release(tmp_path / "release", say=said.append).read_text(encoding="utf-8")
    bills = {f"sbom-{image}.cdx.json" for image in IMAGES}
    assert {path.name for path in (tmp_path / "release").glob("sbom-*")} == bills
    assert {line.partition("  ")[2] for line in sums.splitlines()} >= bills | {"images.txt"}
    # The release says on which base its images are, if it is not the one of the Dockerfile.
    assert any(OWN_PYTHON in line for line in said) == (python_image(docker) == OWN_PYTHON)


def test_image_built_again_has_the_same_content(docker: Engine) -> None:
    """A second build without a cache yields the same files with the same modes and contents."""
    built = f"financehub/low-priority:{TAG}"
    again = f"financehub/again:{uuid.uuid4().hex}"
    variables = (f"BASE_IMAGE={python_image(docker)}", "SERVICE=low-priority")
    arguments = [word for variable in variables for word in ("--build-arg", variable)]
    file = ROOT / "deploy" / "docker" / "Dockerfile"
    docker.run("build", "--no-cache", "--network=host", *arguments, "--tag", again, "--file", file, ROOT)
    try:
        assert _inventory(docker, again)["files"] == _inventory(docker, built)["files"]
    finally:
        docker.run("rmi", again)


@pytest.fixture(scope="module")
def redis(docker: Engine) -> Iterator[str]:
    """The name of a Redis container whose network the other containers join."""
    name = f"financehub-test-{uuid.uuid4().hex[:8]}"
    docker.run("run", "--detach", "--rm", "--network=none", "--name", name, redis_image(docker), "redis-server")
    yield name
    docker.run("rm", "--force", name)


# The second user is one of those that OpenShift assigns: an id that no file of the image knows, and the group 0.
@pytest.mark.parametrize("user", ["10001:10001", "1000650000:0"])
def test_restricted_container_becomes_ready_and_stops_on_sigterm(
    image: Image, docker: Engine, redis: str, user: str
) -> None:
    """With a read-only root file system and no capabilities, a container becomes ready and exits with 0 on SIGTERM."""
    name = f"{redis}-{image.name}-{user.partition(':')[0]}"
    pages = _PAGES.get(image.name, ["8000/readyz"])
    network = f"--network=container:{redis}"
    command = (image.reference, *_COMMANDS.get(image.name, []))
    docker.run("run", "--detach", "--name", name, f"--user={user}", network, *_RESTRICTED, *command)
    script = f"import urllib.request as r; print({{r.urlopen('http://127.0.0.1:' + page).status for page in {pages}}})"
    try:
        eventually(lambda: _run_python(docker, name, script) == "{200}\n", f"{image.name} is ready", 120)
        who = _run_python(docker, name, "import os; print(os.getuid(), os.getgid(), os.environ['HOME'])")
        assert who == f"{user.replace(':', ' ')} /\n"
        docker.run("stop", "--time=30", name)
        assert docker.run("inspect", "--format={{.State.ExitCode}}", name) == "0\n", _logs(docker, name)
    finally:
        docker.run("rm", "--force", name)


def _run_python(docker: Engine, container: str, script: str) -> str:
    assert docker.run("inspect", "--format={{.State.Running}}", container) == "true\n", _logs(docker, container)
    command = ["docker", "exec", container, "python", "-c", script]
    return subprocess.run(command, env=docker.environment, capture_output=True, text=True, check=False).stdout


def _logs(docker: Engine, container: str) -> str:
    command = ["docker", "logs", container]
    return subprocess.run(
        command, env=docker.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True
    ).stdout
