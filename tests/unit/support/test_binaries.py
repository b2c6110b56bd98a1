"""Tests of finding other projects' programs and building them from Go modules."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from test_cluster.binaries.builder import BuildError, build
from test_cluster.binaries.finder import describe_missing, find, go
from test_cluster.binaries.programs import CONTROL_PLANE, Program, Project

GREETER = "greeter.test"

ROOT = Path(__file__).parents[3]


def write_executable(path: Path) -> Path:
    """Write an executable file and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def greeter(
    folder: Path, version: str, *, source: str = "var greeting string\nfunc main() { print(greeting) }"
) -> Program:
    """Return a program whose project pins another module. It prints the version that the linker set."""
    command = folder / "released/cmd/greet/main.go"
    command.parent.mkdir(parents=True, exist_ok=True)
    command.write_text(f"package main\n\n{source}\n", encoding="utf-8")
    (folder / "released/go.mod").write_text(f"module {GREETER}\n\ngo 1.20\n", encoding="utf-8")
    (folder / "tools.go").write_text(
        f'//go:build tools\n\npackage tools\n\nimport _ "{GREETER}/cmd/greet"\n', encoding="utf-8"
    )
    (folder / "go.mod").write_text(
        f"module tests\n\ngo 1.20\n\nrequire {GREETER} v{version}\n\nreplace {GREETER} => ./released\n",
        encoding="utf-8",
    )
    return Program("greet", Project(folder, GREETER, {"main.greeting": "v{version}/{major}/{minor}"}), "cmd/greet")


def test_find_prefers_envtest_to_the_cache_and_the_path(tmp_path: Path) -> None:
    """A program in KUBEBUILDER_ASSETS is preferred. A program that can be built is never taken from the PATH."""
    built, system = greeter(tmp_path / "greeter", "1.2.3"), Program("greet", hint="install it")
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "PATH": str(tmp_path / "bin")}
    on_path = write_executable(tmp_path / "bin/greet")
    assert find(built, environment) is None
    assert find(system, environment) == on_path

    cached = write_executable(tmp_path / "cache/financehub/greeter-1.2.3/greet")
    assert find(built, environment) == cached

    environment["KUBEBUILDER_ASSETS"] = str(tmp_path / "assets")
    assert find(built, environment) == cached
    given = write_executable(tmp_path / "assets/greet")
    assert [find(program, environment) for program in (built, system)] == [given, given]


def test_find_with_another_version_ignores_the_cached_program(tmp_path: Path) -> None:
    """A program that was built for one version is not used for another version."""
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    old = greeter(tmp_path / "greeter", "1.2.3")
    write_executable(tmp_path / "cache/financehub/greeter-1.2.3/greet")
    assert find(old, environment)
    assert find(greeter(tmp_path / "greeter", "1.2.4"), environment) is None


def test_describe_missing_names_programs_and_remedy_in_one_line(tmp_path: Path) -> None:
    """The line names every missing program and how to install it. It is empty if none is missing."""
    environment = {"XDG_CACHE_HOME": str(tmp_path), "PATH": str(tmp_path / "bin")}
    line = describe_missing(CONTROL_PLANE, environment)
    assert "not found: etcd, kube-apiserver, kube-controller-manager, kubectl;" in line
    assert "etcd-server" in line
    assert "make binaries" in line
    assert "\n" not in line
    for program in CONTROL_PLANE:
        write_executable(tmp_path / "bin" / program.name)
    assert describe_missing(CONTROL_PLANE, {**environment, "KUBEBUILDER_ASSETS": str(tmp_path / "bin")}) == ""


def test_make_binaries_with_unavailable_program_builds_nothing(tmp_path: Path) -> None:
    """If a program is missing that `make binaries` cannot build, it fails immediately with one line."""
    done = subprocess.run(
        [sys.executable, "-m", "test_cluster.binaries", "control-plane"],
        env={"HOME": str(tmp_path), "PATH": str(tmp_path), "PYTHONPATH": str(ROOT / "tools/test-cluster")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("binaries: not found: etcd, kube-apiserver")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def compiler() -> Path:
    """The command `go`. The test is skipped if it is missing."""
    found = go()
    if found is None:
        pytest.skip("Go is not on this machine")
    return found


def build_environment(tmp_path: Path) -> dict[str, str]:
    """Return an environment with a separate program cache and the usual Go package cache."""
    home = Path.home()
    return {"XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(home), "GOCACHE": str(home / ".cache/go-build")}


def test_build_sets_the_version_and_keeps_existing_programs(
    tmp_path: Path, compiler: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A program is built in the version pinned in go.mod. A second build does nothing."""
    program = greeter(tmp_path / "greeter", "1.2.3")
    environment = build_environment(tmp_path)
    build(program, compiler, environment)
    found = find(program, environment)
    assert found
    assert subprocess.run([found], capture_output=True, text=True, check=True).stderr == "v1.2.3/1/2"
    assert "building greet 1.2.3" in capfd.readouterr().err
    build(program, compiler, environment)
    assert capfd.readouterr().err == ""


def test_failed_build_does_not_leave_a_program(tmp_path: Path, compiler: Path) -> None:
    """If Go fails, the error names the program, and no program is left in the cache."""
    program = greeter(tmp_path / "greeter", "1.2.3", source="func main() { nonsense }")
    environment = build_environment(tmp_path)
    with pytest.raises(BuildError, match=r"greet 1\.2\.3"):
        build(program, compiler, environment)
    assert find(program, environment) is None


def publish_module(folder: Path, version: str) -> None:
    """Write a Go module proxy with one version of the greeter, which embeds a page that its module does not contain."""
    module, prefix = f"module {GREETER}\n\ngo 1.20\n", f"{GREETER}@v{version}"
    source = """package main

import "embed"

//go:embed page/dist
var pages embed.FS

func main() {
    found, _ := pages.ReadDir("page/dist")
    print(len(found), found[0].Name())
}
"""
    versions = folder / GREETER / "@v"
    versions.mkdir(parents=True)
    (versions / f"v{version}.info").write_text(f'{{"Version": "v{version}"}}', encoding="utf-8")
    (versions / f"v{version}.mod").write_text(module, encoding="utf-8")
    with zipfile.ZipFile(versions / f"v{version}.zip", "w") as archive:
        archive.writestr(f"{prefix}/go.mod", module)
        archive.writestr(f"{prefix}/cmd/greet/main.go", source)


def test_build_adds_placeholders_for_embedded_files_that_are_not_published(tmp_path: Path, compiler: Path) -> None:
    """A module that lacks an embedded file is built with an empty placeholder. Without the placeholder, Go fails."""
    publish_module(tmp_path / "proxy", "1.2.3")
    environment = build_environment(tmp_path) | {
        "GOPROXY": f"file://{tmp_path / 'proxy'}",
        "GONOSUMDB": "*",
        "GOMODCACHE": str(tmp_path / "modules"),
    }
    folder = tmp_path / "greeter"
    greeter(folder, "1.2.3")
    (folder / "go.mod").write_text(f"module tests\n\ngo 1.20\n\nrequire {GREETER} v1.2.3\n", encoding="utf-8")
    subprocess.run([compiler, "mod", "download", GREETER], cwd=folder, env=environment, check=True)
    project = Project(folder, GREETER)
    with pytest.raises(BuildError, match=r"greet 1\.2\.3"):
        build(Program("greet", project, "cmd/greet"), compiler, environment)

    program = Program("greet", Project(folder, GREETER, placeholders=("cmd/greet/page/dist/index.html",)), "cmd/greet")
    build(program, compiler, environment)
    found = find(program, environment)
    assert found
    assert subprocess.run([found], capture_output=True, text=True, check=True).stderr == "1index.html"
