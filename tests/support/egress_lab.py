"""Servers for tests of egress: a TLS server with any certificate, a proxy with any answer, and a private authority."""

import asyncio
import base64
import contextlib
import ssl
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

#: Answer of the TLS server to every request: JSON that no upstream sends.
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
_SECONDS = 10
#: The purpose of TLS servers (RFC 5280, 4.2.1.12) in DER format.
_TLS_SERVER = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01"


@dataclass(frozen=True)
class Identity:
    """A certificate and its key.

    Args:
        certificate: The certificate.
        key: Its private key.
    """

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def write(self, directory: Path, name: str) -> Path:
        """Write both into one PEM file, and return its path."""
        path = directory / f"{name}.pem"
        path.write_bytes(self.pem + _key_pem(self.key))
        return path

    @property
    def pem(self) -> bytes:
        """The certificate in PEM format."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def authority(name: str) -> Identity:
    """Create a certificate authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    return _sign(_name(name), key, None, [], ends_in=timedelta(days=1), is_authority=True)


def trusted_pem(identity: Identity, *, is_rejected: bool = False) -> bytes:
    """Return a certificate that is trusted, or rejected, for TLS servers, as `openssl x509 -trustout` writes it."""
    purposes = bytes([0xA0 if is_rejected else 0x30, len(_TLS_SERVER)]) + _TLS_SERVER
    appended = bytes([0x30, len(purposes)]) + purposes
    body = base64.encodebytes(identity.certificate.public_bytes(serialization.Encoding.DER) + appended)
    return b"-----BEGIN TRUSTED CERTIFICATE-----\n" + body + b"-----END TRUSTED CERTIFICATE-----\n"


def server_identity(
    hosts: list[str], issuer: Identity | None, *, ends_in: timedelta = timedelta(days=1), name: str = "server"
) -> Identity:
    """Create the certificate of a server.

    Args:
        hosts: DNS names for which it is valid.
        issuer: The authority that signs it. None if it signs itself.
        ends_in: Time until it expires. It is negative if it has expired.
        name: Its common name.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    return _sign(_name(name), key, issuer, hosts, ends_in=ends_in, is_authority=False)


def _sign(
    name: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: Identity | None,
    hosts: list[str],
    *,
    ends_in: timedelta,
    is_authority: bool,
) -> Identity:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.certificate.subject if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=3))
        .not_valid_after(now + ends_in)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    if hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), False)
    return Identity(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


class _Server:
    """A server on a free port of the loopback address, in a thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError

    def tls(self) -> ssl.SSLContext | None:
        """The settings of TLS. None if the server does not use it."""
        return None

    def __enter__(self) -> Self:
        self._thread.start()

        async def start() -> asyncio.Server:
            return await asyncio.start_server(self._guarded, "127.0.0.1", 0, ssl=self.tls())

        self._server = self._run(start())
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        async def stop() -> None:
            if self._server:
                self._server.close()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        self._run(stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_SECONDS)
        self._loop.close()

    async def _guarded(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self.serve(reader, writer)
        with contextlib.suppress(OSError):
            writer.close()

    def _run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_SECONDS)


class Site(_Server):
    """A server that answers every request with `ANSWER`, with or without TLS.

    Args:
        identity: File with its certificate and key. None for plain HTTP.
    """

    def __init__(self, identity: Path | None) -> None:
        super().__init__()
        self._identity = identity
        #: First lines of the requests.
        self.requests: list[str] = []

    def tls(self) -> ssl.SSLContext | None:
        if self._identity is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._identity)
        return context

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.requests.append(head.split(b"\r\n", 1)[0].decode())
        writer.write(ANSWER)
        await writer.drain()


class ProxyServer(_Server):
    """A proxy that connects every host to one server.

    Args:
        target_port: Port of that server.
        status: Status of its answers. If it is not 200, it connects nowhere.
        user: `user:password` that it requires. Empty if it requires none.
    """

    def __init__(self, target_port: int, *, status: int = 200, user: str = "") -> None:
        super().__init__()
        self._target_port = target_port
        self._status = status
        self._user = user
        #: Host and port of each CONNECT, or the first line of another request.
        self.requests: list[str] = []

    @property
    def url(self) -> str:
        """URL without a user."""
        return f"http://127.0.0.1:{self.port}"

    def url_of(self, user: str) -> str:
        """Return the URL with `user:password`."""
        return f"http://{user}@127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, target = head.split(" ")[:2]
        self.requests.append(target if method == "CONNECT" else head.split("\r\n")[0])
        status = self._status
        if self._user and f"Basic {base64.b64encode(self._user.encode()).decode()}" not in head:
            status = 407
        if status != 200:
            extra = 'Proxy-Authenticate: Basic realm="x"\r\n' if status == 407 else ""
            writer.write(f"HTTP/1.1 {status} No\r\n{extra}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            far_writer.write(head.encode("latin-1"))
        pumps = [_pump(reader, far_writer), _pump(far_reader, writer)]
        tasks = [asyncio.ensure_future(pump) for pump in pumps]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        far_writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
