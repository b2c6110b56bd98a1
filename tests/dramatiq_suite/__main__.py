"""The command that downloads dramatiq's tests and runs them with FinanceHub's broker."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOWNLOADS = ROOT / ".data" / "dramatiq"
#: The modules about features of dramatiq. The others test or import RabbitMQ, or test the command line, the watcher of
#: source files, the shared memory of the parent process, types, and rate limiters without a broker.
MODULES = (
    "actors",
    "barrier",
    "callbacks",
    "composition",
    "concurrent_rate_limiter",
    "encoders",
    "generic_actors",
    "messages",
    "redis",
    "results",
    "stub_broker",
    "worker",
)


def pinned_requirement() -> str:
    """Return the lines of `requirements/dev.txt` that pin dramatiq, with its hashes."""
    text = (ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8")
    found = re.search(r"^dramatiq==(?:.*\\\n)+.*$", text, re.MULTILINE)
    if found is None:
        sys.exit("make: requirements/dev.txt does not pin dramatiq; run `make lock`")
    return found[0]


def download(requirement: str) -> Path:
    """Return the path of the source distribution, which is downloaded once and checked each time.

    Args:
        requirement: Pinned requirement with hashes.
    """
    version = requirement.partition("==")[2].split()[0]
    path = DOWNLOADS / f"dramatiq-{version}.tar.gz"
    if not path.exists():
        DOWNLOADS.mkdir(parents=True, exist_ok=True)
        pinned = DOWNLOADS / "requirements.txt"
        pinned.write_text(requirement + "\n", encoding="utf-8")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--require-hashes", "--no-binary", "dramatiq", "--no-build-isolation"]
        if subprocess.run([*command, "--dest", str(DOWNLOADS), "--requirement", str(pinned)], check=False).returncode:
            sys.exit("make: dramatiq's source distribution cannot be downloaded; check the connection to the index")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if f"sha256:{digest}" not in requirement:
        sys.exit(f"make: {path} has the wrong hash {digest}; delete it and try again")
    return path


def unpack(path: Path) -> Path:
    """Extract the tests next to our fixtures, and return the folder that contains their package.

    Args:
        path: The source distribution.
    """
    folder = DOWNLOADS / "tests"
    shutil.rmtree(folder, ignore_errors=True)
    package = folder / "dramatiq_tests"
    package.mkdir(parents=True)
    with tarfile.open(path) as archive:
        for module in MODULES:
            source = archive.extractfile(f"{path.name.removesuffix('.tar.gz')}/tests/test_{module}.py")
            assert source is not None
            (package / f"test_{module}.py").write_bytes(source.read())
    (package / "__init__.py").touch()
    for ours, theirs in (("fixtures.py", "conftest.py"), ("helpers.py", "common.py")):
        shutil.copy(Path(__file__).with_name(ours), package / theirs)
    (folder / "pytest.ini").write_text("[pytest]\ntimeout = 90\nasyncio_default_fixture_loop_scope = function\n")
    return folder


def main() -> None:
    """Run the tests. Arguments are passed on to pytest."""
    folder = unpack(download(pinned_requirement()))
    os.chdir(folder)
    os.environ["PYTHONPATH"] = str(ROOT / "tests")
    arguments = ["--quiet", "-p", "no:valkey", "--numprocesses", "3", *sys.argv[1:], "dramatiq_tests"]
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *arguments])  # noqa: S606 — our own arguments


if __name__ == "__main__":
    main()
