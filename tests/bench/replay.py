"""An upstream that replays answers of the simulator, so that the simulator is not the limit of a measurement.

The simulator computes each answer in Python, which takes more CPU time than FinanceHub needs to fetch, check and store
it. A replaying upstream asks the simulator once for each address. Later it sends the same bytes, after the latency.
Parameters that contain the current time or a secret do not distinguish addresses.
"""

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, urlencode, urlsplit
from urllib.request import urlopen

from financehub_simulator.client_settings import settings_for

#: Names of parameters that two requests for the same answer may differ in.
_VOLATILE = frozenset({"period1", "period2", "startTime", "endTime", "crumb"})
#: Headers of the simulator that are not replayed: those that describe the connection, and counts of limits.
_DROPPED = (b"connection:", b"transfer-encoding:", b"content-length:", b"x-mbx-used-weight", b"date:")
_STOP_TIMEOUT_SECONDS = 10.0
#: The path under which a replaying upstream lists the recorded addresses, one per line.
ADDRESSES = "/recorded"


class ReplayingUpstream:
    """A replaying upstream in its own process. It is a context manager.

    Args:
        simulator_url: Base URL of the simulator, which must run until each address was requested once.
        latency: Delay in seconds of each replayed answer.
    """

    def __init__(self, simulator_url: str, latency: float) -> None:
        command = [sys.executable, "-m", "bench.replay", simulator_url, str(latency)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that point every provider to this upstream."""
        return settings_for(f"http://127.0.0.1:{self.port}")

    def addresses(self) -> list[str]:
        """Return the path and query of each recorded answer."""
        with urlopen(f"http://127.0.0.1:{self.port}{ADDRESSES}", timeout=10) as response:
            text: str = response.read().decode()
        return text.splitlines()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.terminate()
        self.process.wait(_STOP_TIMEOUT_SECONDS)
        if self.process.stdout is not None:
            self.process.stdout.close()


def _key(target: str) -> str:
    parts = urlsplit(target)
    kept = [(name, value) for name, value in parse_qsl(parts.query) if name not in _VOLATILE]
    return f"{parts.path}?{urlencode(kept)}"


async def fetch_bare(port: int, addresses: Sequence[str], connections: int) -> int:
    """Fetch addresses with nothing but sockets, and return the number of bytes. This is what the wire itself costs.

    Args:
        port: Port of a replaying upstream.
        addresses: Path and query of each request.
        connections: Number of connections, each of which sends one request after the other.
    """
    waiting = list(reversed(addresses))

    async def work() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**26)
        size = 0
        while waiting:
            writer.write(f"GET {waiting.pop()} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
            size += len(await reader.readexactly(length))
        writer.close()
        return size

    return sum(await asyncio.gather(*(work() for _ in range(connections))))


class _Connection(asyncio.Protocol):
    """One connection of a client, which sends one request after the other."""

    def __init__(self, answers: dict[str, bytes], host: str, port: int, latency: float) -> None:
        self._answers = answers
        self._simulator = host, port
        self._latency = latency
        self._received = b""
        self._transport: asyncio.WriteTransport | None = None
        self._recording: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            target = head.split(b" ", 2)[1].decode()
            if target == ADDRESSES:
                body = "\n".join(self._answers).encode()
                self._send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
                continue
            known = self._answers.get(_key(target))
            if known is not None:
                asyncio.get_running_loop().call_later(self._latency, self._send, known)
            else:
                task = asyncio.create_task(self._record(head, target))
                self._recording.add(task)
                task.add_done_callback(self._recording.discard)

    def _send(self, answer: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(answer)

    async def _record(self, head: bytes, target: str) -> None:
        reader, writer = await asyncio.open_connection(*self._simulator, limit=2**26)
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
        writer.write(b"\r\n".join([*lines, b"Connection: close", b"", b""]))
        whole = await reader.read()
        writer.close()
        status, *headers = whole.partition(b"\r\n\r\n")[0].split(b"\r\n")
        body = whole.partition(b"\r\n\r\n")[2]
        if any(header.lower().startswith(b"transfer-encoding: chunked") for header in headers):
            raise RuntimeError("the simulator sent a chunked answer, which cannot be replayed")
        kept = [header for header in headers if not header.lower().startswith(_DROPPED)]
        answer = b"\r\n".join([status, *kept, b"content-length: %d" % len(body), b"", body])
        self._answers[_key(target)] = answer
        self._send(answer)


async def _serve(simulator_url: str, latency: float) -> None:
    parts = urlsplit(simulator_url)
    answers: dict[str, bytes] = {}
    server = await asyncio.get_running_loop().create_server(
        lambda: _Connection(answers, parts.hostname or "", parts.port or 80, latency), "127.0.0.1", 0
    )
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], float(sys.argv[2])))
