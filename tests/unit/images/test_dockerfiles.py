"""The Dockerfiles as text, and `make images` where nothing can build them."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from e2e.images.build import IMAGES

ROOT = Path(__file__).parents[3]
DOCKERFILES = {
    file.parent.name: file for file in (*ROOT.glob("services/*/Dockerfile"), *ROOT.glob("tests/*/Dockerfile"))
}
#: What is an image's own: its words, port and command.
_OWN_LINES = re.compile(r"^(# [a-z-]+: .*|LABEL .*\.title.*|.*\.description.*|EXPOSE .*|CMD .*)\n", re.MULTILINE)


def _pattern(name: str) -> str:
    """The text of a Dockerfile without what is its own."""
    text = DOCKERFILES[name].read_text(encoding="utf-8")
    text = _OWN_LINES.sub("", text)
    text = text.replace(str(DOCKERFILES[name].parent.relative_to(ROOT)), "SOURCE").replace(f"{name}.txt", "NAME.txt")
    if name == "scheduler":
        text = re.sub(r"; of Kubernetes' client .*| -x '[^']*'", "", text)
    if name == "simulator":
        # it shares no code with the services
        text = text.replace("COPY SOURCE service", "COPY shared shared\nCOPY SOURCE service").replace(
            "-w own ./service", "-w own ./shared ./service"
        )
    return text


@pytest.mark.parametrize("name", DOCKERFILES)
def test_all_follow_one_pattern(name: str) -> None:
    """But for its name, words, port, command and code, a Dockerfile is the same text as any other."""
    assert _pattern(name) == _pattern("low-priority")


@pytest.mark.parametrize("name", DOCKERFILES)
def test_version_is_that_of_the_code(name: str) -> None:
    """The version that an image says when it is built without arguments is that of the distribution in it."""
    (version,) = re.findall(r"^ARG VERSION=(.*)$", DOCKERFILES[name].read_text(encoding="utf-8"), re.MULTILINE)
    project = tomllib.loads((DOCKERFILES[name].parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert version == project["version"]


@pytest.mark.parametrize("name", DOCKERFILES)
def test_every_builder_understands_it(name: str) -> None:
    """There is nothing in it that only BuildKit knows."""
    text = DOCKERFILES[name].read_text(encoding="utf-8")
    assert not re.search(r"--mount|--chmod|--link|<<|^# *syntax=", text, re.MULTILINE)


def test_each_has_its_target_and_its_requirements() -> None:
    """Whatever has a Dockerfile is built by `make images` from its own requirements file."""
    (made,) = re.findall(r"^IMAGES := (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(made.split()) == sorted(DOCKERFILES) == sorted(IMAGES)
    assert [name for name in DOCKERFILES if not (ROOT / "requirements" / f"{name}.txt").exists()] == []


def test_nothing_that_builds_is_one_line(tmp_path: Path) -> None:
    """Without an engine and without buildah, `make images` says in one line what to do."""
    for command in ("make", "bash", "sed"):
        (tmp_path / command).symlink_to(str(shutil.which(command)))
    done = subprocess.run(
        ["make", "--no-print-directory", "images"],
        cwd=ROOT,
        # a make that runs us would pass its flags on
        env={**{name: value for name, value in os.environ.items() if name != "MAKEFLAGS"}, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "start Docker, set DOCKER_HOST, or install buildah" in done.stderr
