"""Tests of the Dockerfile's text, and of `make images` on a machine that cannot build images."""

import json
import os
import re
import shutil
import subprocess
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

import pytest

from test_cluster.images.build import IMAGES

ROOT = Path(__file__).parents[3]
DOCKERFILE = (ROOT / "deploy" / "docker" / "Dockerfile").read_text(encoding="utf-8")
#: The instructions of each stage, by stage name. The last stage has no name.
STAGES = {
    name: body.strip().splitlines()
    for name, body in re.findall(r"^FROM \S+(?: AS (\S+))?\n(.*?)(?=^FROM |\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL)
}


def _command(service: str) -> list[str]:
    """Return the command of a service, without the program that blocks SIGTERM and executes it."""
    (command,) = _instructions(service, "CMD")
    words: list[str] = json.loads(command)
    assert words[:2] == ["env", "--block-signal=TERM"]
    return words[2:]


def _instructions(stage: str, name: str) -> list[str]:
    """Return the arguments of all of a stage's instructions with this name."""
    return [line.removeprefix(f"{name} ") for line in STAGES[stage] if line.startswith(f"{name} ")]


def test_images_are_the_services_with_requirements_and_a_stage():
    """`make images` builds every service from its requirements file and its Dockerfile stage."""
    (images,) = re.findall(r"^IMAGES := (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    services = {path.parent.name for path in ROOT.glob("services/*/pyproject.toml")}
    assert {*images.split()} == {*IMAGES} == services == STAGES.keys() - {"dependencies", "code", "runtime", ""}
    assert [name for name in services if not (ROOT / "requirements" / f"{name}.txt").exists()] == []


@pytest.mark.parametrize("service", IMAGES)
def test_stage_of_a_service_adds_no_layer(service: str):
    """A service's stage sets only metadata: a port, a command and a description."""
    assert [line.partition(" ")[0] for line in STAGES[service] if line] == ["EXPOSE", "CMD", "LABEL"]


@pytest.mark.parametrize("service", IMAGES)
def test_command_of_a_service_exists(service: str):
    """The command starts without a shell, so that it receives signals, and its program and module exist."""
    program, *arguments = _command(service)
    assert program in entry_points(group="console_scripts").names
    assert program != "dramatiq" or find_spec(arguments[0]) is not None


@pytest.mark.parametrize("service", IMAGES)
def test_port_of_a_service_is_the_one_it_listens_on(service: str):
    """The exposed ports are the default ports of the settings, or the port in the simulator's command."""
    (ports,) = _instructions(service, "EXPOSE")
    others = {"simulator": _command(service)[4:5], "web": ["8000", "8080"]}
    assert ports.split() == others.get(service, ["8000"])


def test_build_context_contains_everything_that_the_dockerfile_copies():
    """Each file and folder that a COPY names is in the context, and so are the licenses, which every image contains."""
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    names = {word.partition("/")[0] for words in copied for word in words.split()}
    included = {
        line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line.startswith("!")
    }
    assert names == included
    assert names >= {"LICENSE", "NOTICE"}


def test_dockerfile_has_no_buildkit_features():
    """The Dockerfile uses only instructions that every builder understands."""
    assert not re.search(r"--mount|--chmod|--link|<<|^# *syntax=", DOCKERFILE, re.MULTILINE)


def test_make_images_without_a_builder_prints_one_line(tmp_path: Path):
    """Without a Docker engine and without buildah, `make images` fails with one line that explains what to do."""
    for command in ("make", "bash", "sed"):
        (tmp_path / command).symlink_to(str(shutil.which(command)))
    done = subprocess.run(
        ["make", "--no-print-directory", "images"],
        cwd=ROOT,
        # If the tests run under `make`, it would pass its flags on through MAKEFLAGS.
        env={**{name: value for name, value in os.environ.items() if name != "MAKEFLAGS"}, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "start Docker, set DOCKER_HOST, or install buildah" in done.stderr


@pytest.mark.parametrize("platform", ["", "linux/arm64"])
def test_make_images_passes_the_platform_to_the_builder(tmp_path: Path, platform: str):
    """PLATFORM selects the processor of the images, and without it the builder uses that of its machine."""
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    docker.chmod(0o755)
    done = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", "images", f"PLATFORM={platform}"],
        cwd=ROOT,
        env={
            **{name: value for name, value in os.environ.items() if name != "MAKEFLAGS"},
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    builds = re.findall(r"^docker build .*?(?<!\\)$", done.stdout, re.MULTILINE | re.DOTALL)
    assert len(builds) == len(IMAGES)
    assert [build for build in builds if (f"--platform {platform} " in build) != bool(platform)] == []
    assert all("--platform" in build for build in builds) == bool(platform)


def test_processes_have_a_home_without_an_entry_in_passwd():
    """HOME is set, so that libraries that look for it do not fail under a user id that the image does not know."""
    (variables,) = _instructions("runtime", "ENV")
    assert "HOME=/" in variables.split()
