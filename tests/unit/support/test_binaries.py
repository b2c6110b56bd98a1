"""Where programs are found, and how they get there."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from test_cluster.binaries.builder import BuildError, build
from test_cluster.binaries.finder import find, go, lacking
from test_cluster.binaries.programs import CONTROL_PLANE, Program, Project

GREETER = "greeter.test"

ROOT = Path(__file__).parents[3]


def put(path: Path) -> Path:
    """An executable file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def greeter(
    folder: Path, version: str, *, source: str = "var greeting string\nfunc main() { print(greeting) }"
) -> Program:
    """A project that pins another module, whose command says what was stamped into it."""
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


def test_envtest_comes_before_the_cache_and_the_path(tmp_path: Path) -> None:
    """A program of KUBEBUILDER_ASSETS is taken before any other; what is built never comes from the PATH."""
    built, system = greeter(tmp_path / "greeter", "1.2.3"), Program("greet", hint="install it")
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "PATH": str(tmp_path / "bin")}
    on_path = put(tmp_path / "bin/greet")
    assert find(built, environment) is None
    assert find(system, environment) == on_path

    cached = put(tmp_path / "cache/financehub/greeter-1.2.3/greet")
    assert find(built, environment) == cached

    environment["KUBEBUILDER_ASSETS"] = str(tmp_path / "assets")
    assert find(built, environment) == cached
    given = put(tmp_path / "assets/greet")
    assert [find(program, environment) for program in (built, system)] == [given, given]


def test_another_version_is_another_program(tmp_path: Path) -> None:
    """What was built of one version is not found for the next."""
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    old = greeter(tmp_path / "greeter", "1.2.3")
    put(tmp_path / "cache/financehub/greeter-1.2.3/greet")
    assert find(old, environment)
    assert find(greeter(tmp_path / "greeter", "1.2.4"), environment) is None


def test_what_is_lacking_is_said_in_one_line(tmp_path: Path) -> None:
    """The line names every program that is not there and how to get it; nothing lacking, no line."""
    environment = {"XDG_CACHE_HOME": str(tmp_path), "PATH": str(tmp_path / "bin")}
    line = lacking(CONTROL_PLANE, environment)
    assert "not found: etcd, kube-apiserver, kube-controller-manager, kubectl;" in line
    assert "etcd-server" in line
    assert "make binaries" in line
    assert "\n" not in line
    for program in CONTROL_PLANE:
        put(tmp_path / "bin" / program.name)
    assert lacking(CONTROL_PLANE, {**environment, "KUBEBUILDER_ASSETS": str(tmp_path / "bin")}) == ""


def test_nothing_is_built_where_the_rest_cannot_be_had(tmp_path: Path) -> None:
    """`make binaries` fails with one line, and at once, where a program is missing that it cannot build."""
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
    """Go's command."""
    found = go()
    if found is None:
        pytest.skip("Go is not on this machine")
    return found


def building(tmp_path: Path) -> dict[str, str]:
    """An environment with a cache of its own for what is built, and the usual one for Go's packages."""
    home = Path.home()
    return {"XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(home), "GOCACHE": str(home / ".cache/go-build")}


def test_build_stamps_the_version_and_leaves_what_is_there(
    tmp_path: Path, compiler: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A program is built once, of the version that go.mod pins, and says so; the second time nothing is done."""
    program = greeter(tmp_path / "greeter", "1.2.3")
    environment = building(tmp_path)
    build(program, compiler, environment)
    found = find(program, environment)
    assert found
    assert subprocess.run([found], capture_output=True, text=True, check=True).stderr == "v1.2.3/1/2"
    assert "building greet 1.2.3" in capfd.readouterr().err
    build(program, compiler, environment)
    assert capfd.readouterr().err == ""


def test_failed_build_leaves_no_program(tmp_path: Path, compiler: Path) -> None:
    """What Go cannot build is an error that names it, and is not found afterwards."""
    program = greeter(tmp_path / "greeter", "1.2.3", source="func main() { nonsense }")
    environment = building(tmp_path)
    with pytest.raises(BuildError, match=r"greet 1\.2\.3"):
        build(program, compiler, environment)
    assert find(program, environment) is None


def published(folder: Path, version: str) -> None:
    """A proxy of Go modules that has one version of the greeter, which embeds a page that is not in it."""
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


def test_build_adds_placeholders_for_files_that_a_module_embeds_and_does_not_publish(
    tmp_path: Path, compiler: Path
) -> None:
    """A module that lacks a file that it embeds is built with an empty one, and without it Go refuses to build it."""
    published(tmp_path / "proxy", "1.2.3")
    environment = building(tmp_path) | {
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
