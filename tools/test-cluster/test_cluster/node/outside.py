"""Makes the API server reachable from outside the node's network, at a loopback address of this machine.

`python -m test_cluster.node.outside PORT` forwards each connection to that port. Commands then need no prefix, and the
ports that `kubectl port-forward` opens are those of the machine.
"""

import asyncio
import contextlib
import ctypes
import os
import socket
import sys
from pathlib import Path

from test_cluster.control_plane.kubeconfig import kubeconfig_for_server
from test_cluster.node import network
from test_cluster.node.kubectl import kubectl
from test_cluster.node.layout import NODE, Layout
from test_cluster.node.processes import pid_of, start

_NAME = "outside"
_API_PORT = 6443
_CHUNK_BYTES = 65_536
_TOOLS = Path(__file__).parents[2]


def open_outside(layout: Layout) -> None:
    """Forward a free port of this machine to the API server, and write the kubeconfig for it.

    Args:
        layout: Files of the node.

    Raises:
        StartError: The forwarding does not start.
    """
    if pid_of(layout, _NAME) is not None and layout.outside_kubeconfig.exists():
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "test_cluster.node.outside", str(port)]
    with_path = ["env", f"PYTHONPATH={_TOOLS}{os.pathsep}{_TOOLS.parents[1] / 'tests'}", *command]
    copy = kubeconfig_for_server(layout.kubeconfig, f"https://127.0.0.1:{port}", name=str(NODE))
    copy.replace(layout.outside_kubeconfig)
    start(layout, _NAME, with_path, lambda: _answers(layout), within=lambda arguments: [*map(str, arguments)])


def _answers(layout: Layout) -> bool:
    return kubectl(layout, "version", kubeconfig=layout.outside_kubeconfig, within=list) is not None


async def _forward(port: int) -> None:
    # The socket stays in the network in which it was opened. Connections go out from the one that the process enters.
    listener = socket.create_server(("127.0.0.1", port))
    _enter_network()
    async with await asyncio.start_server(_connect, sock=listener) as server:
        await server.serve_forever()


def _enter_network() -> None:
    with network.path().open("rb") as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), 0) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter the network {network.path()}")


async def _connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        api_reader, api_writer = await asyncio.open_connection(str(NODE), _API_PORT)
    except OSError:
        # The API server is not running, such as during a restart. The client sees that the connection is closed.
        writer.close()
        return
    await asyncio.gather(_copy(reader, api_writer), _copy(api_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    # Either side may reset the connection at any time, which ends it for the other side too.
    with contextlib.suppress(OSError):
        while chunk := await reader.read(_CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
    writer.close()


if __name__ == "__main__":
    asyncio.run(_forward(int(sys.argv[1])))
