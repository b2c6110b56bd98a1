"""Redis servers and Sentinels on the nodes of a lab."""

import subprocess
import time
from pathlib import Path
from typing import Any

import redis

from history.lab import Lab
from support.processes import end, launch
from support.redis_binaries import redis_server_binary
from support.replication import gets_every_write
from support.waiting import eventually

_PORT, _SENTINEL_PORT = 6379, 26379
_SERVICE = "financehub"
#: Milliseconds after which Sentinels take a silent master for lost.
DOWN_AFTER_MS = 1_500
_PATIENT_SECONDS = 90.0


class Server:
    """One redis-server on its node.

    Args:
        lab: The network.
        node: Name of the node.
        folder: Folder of the data. Its path is short, because that of a Unix socket is limited to 100 characters.
        options: Additional configuration, as pairs of `--name` and value.
        server: `6.2`, `7.0` or `valkey`, or None for the server of `make run`.
    """

    def __init__(self, lab: Lab, node: str, folder: Path, *options: str, server: str | None = None) -> None:
        self.node = node
        self.address = lab.address(node)
        self._folder = folder
        self._socket = folder / "s"
        command = [
            redis_server_binary(server),
            *("--port", str(_PORT), "--bind", "*", "--protected-mode", "no", "--dir", str(folder)),
            *("--unixsocket", str(self._socket), "--save", "", "--appendonly", "yes"),
            *("--maxmemory-policy", "noeviction", "--repl-diskless-sync-delay", "0"),
            *("--repl-ping-replica-period", "1", *options),
        ]
        self._command = lab.command(node, command)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> "Server":
        """Start the server and wait until it has loaded its data.

        Args:
            options: Configuration for this start only.
        """
        self._folder.mkdir(exist_ok=True)
        with (self._folder / "log").open("ab") as log:
            self._process = launch([*self._command, *options], stdout=log, stderr=log, start_new_session=True)
        eventually(lambda: self.client().ping(), "redis-server answers", _PATIENT_SECONDS, ignored=redis.RedisError)
        return self

    def client(self, timeout: float = 10.0) -> "redis.Redis":
        """Return a client that no fault of the network affects, with replies as bytes."""
        return redis.Redis(unix_socket_path=str(self._socket), socket_timeout=timeout)

    def info(self) -> dict[str, Any]:
        """Return the replication section of INFO."""
        found: Any = self.client(5).info("replication")
        return dict(found)

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        """The running process."""
        assert self._process is not None
        return self._process

    def stop(self) -> None:
        """Kill the server with SIGKILL."""
        if self._process is not None:
            end(self._process)

    def follow(self, master: "Server") -> None:
        """Become a replica, and wait until it gets every write."""
        self.client().replicaof(master.address, str(_PORT))
        self.wait_in_sync(master)

    def follows(self, master: "Server") -> bool:
        """Whether this server is a replica that has everything of a master and gets each further write."""
        found = self.info()
        is_linked = found["role"] == "slave" and found["master_link_status"] == "up"
        return is_linked and gets_every_write(master.client(5), self.address, _PORT)

    def wait_in_sync(self, master: "Server") -> None:
        """Wait until this replica has everything of its master and gets each further write."""
        eventually(lambda: self.follows(master), f"{self.node} is in sync", _PATIENT_SECONDS, ignored=redis.RedisError)


class Sentinel:
    """One Sentinel on its node.

    Args:
        lab: The network.
        node: Name of the node.
        folder: Folder of its configuration.
        master: Server that is the master at the start.
        server: As for `Server`.
    """

    def __init__(self, lab: Lab, node: str, folder: Path, master: Server, *, server: str | None = None) -> None:
        self.node = node
        self.address = lab.address(node)
        self._folder = folder
        self._socket = folder / "s"
        self._file = folder / "sentinel.conf"
        self._lines = [
            f"port {_SENTINEL_PORT}",
            "bind *",
            "protected-mode no",
            f"dir {folder}",
            f"unixsocket {self._socket}",
            f"sentinel monitor {_SERVICE} {master.address} {_PORT} 2",
            f"sentinel down-after-milliseconds {_SERVICE} {DOWN_AFTER_MS}",
            f"sentinel failover-timeout {_SERVICE} {3 * DOWN_AFTER_MS}",
            f"sentinel parallel-syncs {_SERVICE} 2",
            "",
        ]
        self._command = lab.command(node, [redis_server_binary(server), str(self._file), "--sentinel"])
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the Sentinel."""
        self._folder.mkdir()
        self._file.write_text("\n".join(self._lines))
        with (self._folder / "log").open("ab") as log:
            self._process = launch(self._command, stdout=log, stderr=log, start_new_session=True)

    def ask(self, *command: str) -> Any:
        """Return the reply to a command."""
        client = redis.Redis(unix_socket_path=str(self._socket), socket_timeout=5)
        return client.execute_command(*command)  # type: ignore[no-untyped-call] # untyped in redis-py

    def log(self) -> str:
        """Return the text of its log."""
        return (self._folder / "log").read_text(encoding="utf-8")

    def stop(self) -> None:
        """Kill the Sentinel with SIGKILL."""
        if self._process is not None:
            end(self._process)


class Storage:
    """The Redis of a history: one server, or a master with replicas and three Sentinels.

    Args:
        lab: The network.
        folder: Folder of all data.
        nodes: Names of the nodes of the servers, first the master.
        sentinels: Names of the nodes of the Sentinels, or nothing.
        options: Configuration of each server, as pairs of `--name` and value.
        server: As for `Server`.
    """

    def __init__(
        self,
        lab: Lab,
        folder: Path,
        nodes: tuple[str, ...],
        sentinels: tuple[str, ...] = (),
        options: tuple[str, ...] = (),
        server: str | None = None,
    ) -> None:
        self.servers = [Server(lab, node, folder / node, *options, server=server) for node in nodes]
        master = self.servers[0]
        self.sentinels = [Sentinel(lab, node, folder / node, master, server=server) for node in sentinels]

    @property
    def url(self) -> str:
        """URL for the settings of processes."""
        if not self.sentinels:
            return f"redis://{self.servers[0].address}:{_PORT}/0"
        hosts = ",".join(f"{sentinel.address}:{_SENTINEL_PORT}" for sentinel in self.sentinels)
        return f"redis+sentinel://{hosts}/{_SERVICE}/0"

    def start(self) -> None:
        """Start everything, and wait until the Sentinels know each other and every replica is in sync."""
        for server in self.servers:
            server.start()
        for server in self.servers[1:]:
            server.follow(self.servers[0])
        for sentinel in self.sentinels:
            sentinel.start()
        eventually(lambda: all(map(self._is_complete, self.sentinels)), "the Sentinels know each other", 60)

    def stop(self) -> None:
        """Kill everything."""
        for sentinel in self.sentinels:
            sentinel.stop()
        for server in self.servers:
            server.stop()

    def master(self) -> Server:
        """Return the server that the Sentinels call the master."""
        if not self.sentinels:
            return self.servers[0]
        named = []
        for sentinel in self.sentinels:
            found = sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", _SERVICE)
            named.append(found[0].decode())
        return next(each for each in self.servers if each.address == max(set(named), key=named.count))

    def wait_for_new_master(self, old: Server) -> Server:
        """Wait until another server than `old` is the master and knows it, and return it."""

        def promoted() -> Server | None:
            new = self.master()
            return new if new is not old and new.info()["role"] == "master" else None

        ignored = (redis.RedisError, AttributeError)
        new = eventually(promoted, "another server is the master", _PATIENT_SECONDS, ignored=ignored)
        assert new is not None
        return new

    def wait_until_healthy(self) -> None:
        """Wait until there is one master that accepts writes, and every replica is in sync with it."""
        master = self.master()
        for server in self.servers:
            if server is not master:
                server.wait_in_sync(master)
        eventually(
            lambda: master.client().set("history:probe", 1), "the master takes writes", 60, ignored=redis.RedisError
        )
        time.sleep(0.1)

    def _is_complete(self, sentinel: Sentinel) -> bool:
        try:
            raw: Any = sentinel.ask("SENTINEL", "MASTER", _SERVICE)
        except redis.RedisError:
            return False
        if not isinstance(raw, dict):
            raw = dict(zip(raw[::2], raw[1::2], strict=True))
        found = {_text(key): _text(value) for key, value in raw.items()}
        others = int(found["num-other-sentinels"])
        return others == len(self.sentinels) - 1 and int(found["num-slaves"]) == len(self.servers) - 1


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
