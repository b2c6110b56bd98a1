"""Clients of servers and Sentinels with TLS. Only the Redis 7 of Debian is built with TLS."""

import asyncio
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from financehub_shared.redis.client import connect, connect_async
from support.processes import end, launch
from support.redis_binaries import give_up, redis_server_binary
from support.redis_server import PATIENT_SECONDS, free_port
from support.waiting import eventually

pytestmark = pytest.mark.faults


@dataclass(frozen=True)
class Secured:
    """A server and a Sentinel that accept only TLS, with a client certificate."""

    directory: Path
    port: int
    sentinel_port: int

    @property
    def client(self) -> str:
        """Options of the certificates that a client needs."""
        folder = self.directory
        return f"ssl_ca_certs={folder}/ca.crt&ssl_certfile={folder}/peer.crt&ssl_keyfile={folder}/peer.key"


def _openssl(*arguments: str, directory: Path) -> None:
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)


def _require_openssl() -> None:
    """Give up without OpenSSL 3, which is the first that signs a certificate with a CA in one command."""
    binary = shutil.which("openssl")
    found = subprocess.run([binary, "version"], capture_output=True, text=True, check=True).stdout if binary else "none"
    if not re.match(r"OpenSSL ([3-9]|\d\d)\.", found):
        give_up(f"OpenSSL 3 or newer is needed, and this machine has {found.strip()}; install the package openssl")


def _require_tls(binary: str) -> None:
    """Give up if a server is built without TLS. It names the first line of its configuration that it does not know."""
    done = subprocess.run([binary, "-"], input="tls-port 0\nunknown 1\n", capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    assert done.returncode, "the server must refuse the configuration"
    if "unknown 1" not in output:
        give_up(f"{binary} is built without TLS; install the Debian package redis-server")


def _certificates(directory: Path) -> None:
    """Write a CA, and a certificate for 127.0.0.1 that servers and clients use."""
    new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    _openssl(*new, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=test", directory=directory)
    _openssl(
        *(*new, "-keyout", "peer.key", "-out", "peer.crt", "-subj", "/CN=peer", "-CA", "ca.crt", "-CAkey", "ca.key"),
        *("-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=CA:FALSE"),
        directory=directory,
    )


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """Return a running server and a Sentinel that monitors it."""
    found = Secured(tmp_path_factory.mktemp("tls"), free_port(), free_port())
    directory, binary = found.directory, redis_server_binary("7.0")
    _require_openssl()
    _require_tls(binary)
    _certificates(directory)
    tls = [
        *("port 0", "bind 127.0.0.1", f"dir {directory}", "tls-replication yes", "tls-auth-clients yes"),
        *(f"tls-ca-cert-file {directory}/ca.crt", f"tls-cert-file {directory}/peer.crt"),
        f"tls-key-file {directory}/peer.key",
    ]
    monitor = [f"sentinel monitor mymaster 127.0.0.1 {found.port} 1"]
    (directory / "server.conf").write_text("\n".join([*tls, f"tls-port {found.port}", 'save ""', ""]))
    (directory / "sentinel.conf").write_text("\n".join([*tls, f"tls-port {found.sentinel_port}", *monitor, ""]))
    with (directory / "log").open("wb") as log:
        processes = [
            launch([binary, str(directory / "server.conf")], stdout=log, stderr=log),
            launch([binary, str(directory / "sentinel.conf"), "--sentinel"], stdout=log, stderr=log),
        ]
    try:
        for url in (
            f"rediss://127.0.0.1:{found.port}?{found.client}",
            f"rediss+sentinel://127.0.0.1:{found.sentinel_port}/mymaster?{found.client}",
        ):
            eventually(connect(url, retries=0).ping, "the servers answer", PATIENT_SECONDS, ignored=redis.RedisError)
        yield found
    finally:
        for process in processes:
            end(process)


def ping(url: str, *, blocking: bool) -> bool:
    """Send a PING with a client of one kind."""

    async def run() -> bool:
        client = connect_async(url, retries=0)
        try:
            return bool(await client.ping())
        finally:
            await client.aclose()

    return bool(connect(url, retries=0).ping()) if blocking else asyncio.run(run())


BLOCKING = pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "coroutine"])


@BLOCKING
def test_server_and_sentinels_with_tls_are_used(secured: Secured, blocking: bool) -> None:
    """The options of the certificates apply to servers and to Sentinels."""
    assert ping(f"rediss://127.0.0.1:{secured.port}/1?{secured.client}", blocking=blocking)
    assert ping(f"rediss+sentinel://127.0.0.1:{secured.sentinel_port}/mymaster/1?{secured.client}", blocking=blocking)


@BLOCKING
def test_unknown_authority_is_refused_unless_the_url_allows_it(secured: Secured, blocking: bool) -> None:
    """Without the CA, the error says that the certificate cannot be verified. `ssl_cert_reqs=none` skips the check."""
    own = f"ssl_certfile={secured.directory}/peer.crt&ssl_keyfile={secured.directory}/peer.key"
    with pytest.raises(redis.ConnectionError, match="certificate verify failed"):
        ping(f"rediss://127.0.0.1:{secured.port}?{own}", blocking=blocking)
    assert ping(f"rediss://127.0.0.1:{secured.port}?{own}&ssl_cert_reqs=none", blocking=blocking)


@BLOCKING
def test_host_name_is_checked_unless_the_url_says_otherwise(secured: Secured, blocking: bool) -> None:
    """The certificate is for 127.0.0.1, so a connection to localhost needs `ssl_check_hostname=false`."""
    with pytest.raises(redis.ConnectionError, match="certificate verify failed"):
        ping(f"rediss://localhost:{secured.port}?{secured.client}", blocking=blocking)
    assert ping(f"rediss://localhost:{secured.port}?{secured.client}&ssl_check_hostname=false", blocking=blocking)


@BLOCKING
def test_plain_connection_to_a_server_with_tls_fails_in_time(secured: Secured, blocking: bool) -> None:
    """A URL without TLS causes an error and not an endless wait."""
    with pytest.raises((redis.ConnectionError, redis.TimeoutError)):
        ping(f"redis://127.0.0.1:{secured.port}", blocking=blocking)
