"""The embedded server of the chart in this machine's shell: its rendered start script and its rendered probes."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from support.chart import Document, render
from support.processes import end, launch
from support.redis_binaries import give_up, redis_server_binary
from support.redis_server import free_port

#: The programs that the image of each product contains: a client and a server.
PRODUCTS = {"redis": ("redis-cli", "redis-server"), "valkey": ("valkey-cli", "valkey-server")}
#: The programs of a shell that start script and probes need.
_SHELL = ("sh", "timeout", "grep", "wc", "sed", "head")


@cache
def container(product: str) -> Document:
    """Return the rendered container of a product."""
    pod = render({"redis": {"server": product}}).one("StatefulSet", "financehub-redis")["spec"]["template"]["spec"]
    (found,) = pod["containers"]
    return dict(found)


class ChartRedis:
    """The server that the rendered script starts, on a free port, and the programs of its image.

    Args:
        folder: Folder for configuration, password and programs.
        product: `redis` or `valkey`.
        data: Folder of the data. It defaults to one below `folder`.
        server: The server to run, as in `redis_binaries.SERVERS`. It defaults to one of the product.
        options: Lines of configuration that are added.
    """

    def __init__(
        self, folder: Path, product: str = "redis", *, data: Path | None = None, server: str = "", options: str = ""
    ) -> None:
        self.port = free_port()
        self.product = product
        self.data = data or folder / "data"
        self.data.mkdir(exist_ok=True)
        self._folder = folder
        self._programs = folder / "bin"
        self._programs.mkdir()
        client_name, server_name = PRODUCTS[product]
        for name in _SHELL:
            self._link(name, shutil.which(name) or "")
        self._link(server_name, redis_server_binary(server or {"redis": "7.0", "valkey": "valkey"}[product]))
        # A probe connects to the default port. Debian's client of Redis stands for that of Valkey, which is its copy.
        client = shutil.which(client_name) or shutil.which("redis-cli")
        if client is None:
            give_up("no redis-cli is on the PATH; install the Debian package redis-tools")
        program = self._programs / client_name
        program.write_text(f'#!/bin/sh\nexec "{client}" -p {self.port} "$@"\n')
        program.chmod(0o755)
        configuration = f'port {self.port}\nbind 127.0.0.1\ndir "{self.data}"\nappendonly yes\nsave ""\n{options}\n'
        (folder / "redis.conf").write_text(configuration, encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def _link(self, name: str, target: str) -> None:
        (self._programs / name).symlink_to(target)

    def command(self) -> list[str]:
        """Return the container's command with this test's folders."""
        *shell, script = container(self.product)["command"]
        for original, replacement in (
            ("/etc/redis", str(self._folder)),
            ("/run/redis", str(self._folder)),
            ("/data", str(self.data)),
        ):
            assert original in script
            script = script.replace(original, replacement)
        return [*shell, script]

    def environment(self, password: str) -> dict[str, str]:
        """Return the variables of the container."""
        return {**os.environ, "PATH": str(self._programs), "REDISCLI_AUTH": password}

    def start(self, password: str = "s3cret") -> None:
        """Start the server without waiting. Its process replaces the shell."""
        self._process = launch(self.command(), env=self.environment(password))

    def send_signal(self, number: int) -> None:
        """Send a signal to the process of the server."""
        assert self._process is not None
        self._process.send_signal(number)

    def probe(self, name: str, password: str = "s3cret") -> bool:
        """Run a probe as the kubelet does, and return whether it succeeds.

        Args:
            name: `startup`, `liveness` or `readiness`.
            password: Password that the container has.
        """
        probe: dict[str, Any] = container(self.product)[f"{name}Probe"]
        done = subprocess.run(
            probe["exec"]["command"],
            env=self.environment(password),
            capture_output=True,
            timeout=probe["timeoutSeconds"],
            check=False,
        )
        return done.returncode == 0

    def probes(self, password: str = "s3cret") -> dict[str, bool]:
        """Return the result of each probe by its name."""
        return {name: self.probe(name, password) for name in ("startup", "liveness", "readiness")}

    def stop(self) -> None:
        """Stop the server in any state."""
        if self._process is not None:
            end(self._process)
