"""Builds base images from Debian packages for an engine that cannot pull images."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from test_cluster.images.engine import Engine, EngineError

#: The base image of the Dockerfile, and the image that replaces it if it cannot be pulled.
PULLED_PYTHON, OWN_PYTHON = "python:3.11-slim-bookworm", "localhost/python:3.11-slim"
#: The chart's Redis image, and its replacement.
PULLED_REDIS, OWN_REDIS = "redis:7.4.7-bookworm", "localhost/redis:7"
#: The chart's Valkey image, and its replacement.
PULLED_VALKEY, OWN_VALKEY = "valkey/valkey:8.1.9-bookworm", "localhost/valkey:8"
_SUITE = "bookworm"
_PACKAGES = "python3,python3-venv,ca-certificates"
_LABEL = "financehub.base"
_FETCHES = 3
_FOLDER = Path(__file__).parent
#: The CA bundle in Debian, and on this machine unless SSL_CERT_FILE names another.
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


def python_image(engine: Engine) -> str:
    """Pull or build the base image, and return its reference.

    Args:
        engine: The engine that receives the image.

    Raises:
        EngineError: The image can be neither pulled nor built.
    """
    if engine.pulls(PULLED_PYTHON):
        return PULLED_PYTHON
    key = _key()
    if not engine.has(OWN_PYTHON) or key not in engine.run("image", "inspect", OWN_PYTHON):
        changes = [f"LABEL {_LABEL}={key}", f"ENV SSL_CERT_FILE={_CERTIFICATES} PIP_CERT={_CERTIFICATES}"]
        options = [word for change in (*changes, 'CMD ["python3"]') for word in ("--change", change)]
        engine.run("import", *options, _root_filesystem(key), OWN_PYTHON)
    return OWN_PYTHON


def redis_image(engine: Engine) -> str:
    """Pull or build an image of Redis 7 with its Sentinel, and return its reference.

    Args:
        engine: The engine that receives the image.

    Raises:
        EngineError: The image can be neither pulled nor built.
    """
    return _pulled_or_built(engine, PULLED_REDIS, OWN_REDIS, "redis")


def valkey_image(engine: Engine) -> str:
    """Pull or build an image of Valkey 8, and return its reference.

    Args:
        engine: The engine that receives the image.

    Raises:
        EngineError: The image can be neither pulled nor built.
    """
    return _pulled_or_built(engine, PULLED_VALKEY, OWN_VALKEY, "valkey")


def _pulled_or_built(engine: Engine, pulled: str, own: str, folder: str) -> str:
    if engine.pulls(pulled):
        return pulled
    base = f"BASE_IMAGE={python_image(engine)}"
    engine.run("build", "--network", "host", "--build-arg", base, "--tag", own, _FOLDER / folder)
    return own


def _key() -> str:
    """Return a hash that changes with the image's packages and certificates."""
    recipe = f"{_SUITE} {_PACKAGES}".encode()
    return hashlib.sha256(recipe + _local_certificates().read_bytes()).hexdigest()[:16]


def _root_filesystem(key: str) -> Path:
    """Return the archive from the cache. If necessary, build it first, which takes a minute."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "financehub"
    archive = cache / f"base-{key}.tar"
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / "base.lock"):
        if not archive.exists():
            _make(archive)
    return archive


def _make(archive: Path) -> None:
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        raise EngineError(
            f"the engine cannot pull {PULLED_PYTHON}, and building a replacement requires root and debootstrap"
        )
    with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
        root, unfinished = Path(folder) / "root", Path(folder) / "unfinished.tar"
        _debootstrap(root, Path(folder) / "packages")
        # A proxy may use certificates for the registries that only this machine's CA bundle can verify.
        shutil.copyfile(_local_certificates(), root / _CERTIFICATES.lstrip("/"))
        for leftover in ("var/cache/apt/archives", "var/lib/apt/lists"):
            shutil.rmtree(root / leftover)
            (root / leftover).mkdir()
        _run("tar", "--sort=name", "--numeric-owner", "-C", root, "-cf", unfinished, ".")
        unfinished.rename(archive)


def _debootstrap(root: Path, packages: Path) -> None:
    """Download and unpack the packages, with retries because mirrors sometimes fail to deliver one of a hundred."""
    packages.mkdir()
    options = ("--variant=minbase", f"--include={_PACKAGES}", f"--cache-dir={packages}")
    for attempt in range(_FETCHES):
        try:
            _run("debootstrap", *options, _SUITE, root)
        except EngineError:
            if attempt == _FETCHES - 1:
                raise
            shutil.rmtree(root)
        else:
            return


def _local_certificates() -> Path:
    return Path(os.environ.get("SSL_CERT_FILE", _CERTIFICATES))


def _run(*command: str | Path) -> None:
    done = subprocess.run(
        [*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        raise EngineError(f"{command[0]} failed; the end of its output is:\n{done.stdout[-2_000:]}")


@contextmanager
def _locked(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
