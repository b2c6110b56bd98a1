"""Redis with Sentinel: a master, its replicas, and three sentinels that promote a replica when the master is gone.

with SentinelSet(tmp_path, password="secret") as redis_set:
connect(redis_set.url)                # redis+sentinel://:secret@127.0.0.1:…,127.0.0.1:…,127.0.0.1:…/financehub/0
killed = redis_set.kill_master()      # SIGKILL; returns when a replica has become the master
redis_set.rejoin(killed)              # starts it as a replica of the new master; returns when it gets every write
"""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import redis

from support.processes import Started, end, launch
from support.redis_binaries import redis_server_binary
from support.redis_server import RedisServer, free_port
from support.replication import gets_every_write, replicate
from support.waiting import eventually

#: Name of the set in the configuration of the sentinels.
SERVICE = "financehub"
_QUORUM = 2
_SENTINELS = 3
#: A failover and the synchronization of a replica take a second or two on an idle machine. A sentinel that was not
#: executed for two seconds begins no failover for half a minute.
_PATIENT_SECONDS = 150.0


class SentinelSet(Started):
    """Servers and three sentinels on free ports.

    Args:
        directory: Directory for data, configuration and logs.
        options: Additional configuration of each server, as pairs of `--name` and value.
        server: `6.2`, `7.0` or `valkey`. By default, it is the server of `make run`.
        replicas: Number of replicas at the start.
        password: Password of the servers, or empty.
        sentinel_password: Password of the sentinels, or empty.
        down_after_ms: Milliseconds after which a silent master counts as down.
    """

    def __init__(
        self,
        directory: Path,
        *options: str,
        server: str | None = None,
        replicas: int = 1,
        password: str = "",
        sentinel_password: str = "",
        down_after_ms: int = 1_500,
    ) -> None:
        self._directory = directory
        self._binary = redis_server_binary(server)
        self._password = password
        self._sentinel_password = sentinel_password
        self._down_after_ms = down_after_ms
        # Redis 7 waits 5 s for more replicas before it synchronizes one.
        options = ("--repl-diskless-sync-delay", "0", *options)
        secrets = ("--requirepass", password, "--masterauth", password) if password else ()
        self.servers: list[RedisServer] = []
        for number in range(1 + replicas):
            folder = directory / f"server-{number}"
            folder.mkdir(parents=True)
            self.servers.append(RedisServer(folder, *secrets, *options, server=server))
        self.ports = [free_port() for _ in range(_SENTINELS)]
        self._sentinels: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def url(self) -> str:
        """URL of database 0 of the current master, as settings take it."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.ports)
        return f"redis+sentinel://{f':{self._password}@' if self._password else ''}{hosts}/{SERVICE}/0"

    def start(self) -> Self:
        """Start everything, and wait until each sentinel knows the others and every replica is in sync."""
        master, *replicas = self.servers
        master.start()
        for replica in replicas:
            replica.start()
            self._follow(replica, master)
        for port in self.ports:
            self.start_sentinel(port)
        eventually(
            lambda: all(self._is_complete(port) for port in self.ports),
            "the sentinels know each other",
            _PATIENT_SECONDS,
        )
        for replica in replicas:
            self._wait_in_sync(replica)
        return self

    def start_sentinel(self, port: int) -> None:
        """Start the sentinel of a port, which has kept its configuration if it ran before."""
        file = self._directory / f"sentinel-{port}.conf"
        if not file.exists():
            file.write_text(self._configuration(port))
        with (self._directory / f"sentinel-{port}.log").open("ab") as log:
            self._sentinels[port] = launch([self._binary, str(file), "--sentinel"], stdout=log, stderr=log)

    def kill_sentinel(self, port: int) -> None:
        """Kill a sentinel with SIGKILL."""
        end(self._sentinels.pop(port))

    def master(self) -> RedisServer:
        """Return the server that most sentinels call the master."""
        named = [address[1] for port in self.ports if (address := self._address(port))]
        ports = {each.port: each for each in self.servers}
        return ports[max(set(named), key=named.count)]

    def kill_master(self) -> RedisServer:
        """Kill the master with SIGKILL, wait until another server is the master, and return the killed one.

        It may have confirmed writes that it has not sent to its replica: the last ones of each connection.
        """
        return self.lose_master(RedisServer.kill)

    def kill_replicated_master(self) -> RedisServer:
        """Like `kill_master`, but at a moment when the replica has every confirmed write, and other writes wait."""

        def lose(master: RedisServer) -> None:
            with master.client() as client:
                replicate(client)
            master.kill()

        return self.lose_master(lose)

    def hang_master(self) -> RedisServer:
        """Stop the master with SIGSTOP, wait until another server is the master, and return the hung one."""
        return self.lose_master(RedisServer.hang)

    def lose_master(self, lose: Callable[[RedisServer], None]) -> RedisServer:
        """Damage the master, wait until another server is the master, and return the damaged one.

        Args:
            lose: Damages the master so that it does not answer any more.
        """
        old = self.master()
        lose(old)

        def promoted() -> bool:
            # A majority must name the new master, and the new master must have noticed its promotion.
            named = [address[1] for port in self._sentinels if (address := self._address(port))]
            new = self.master()
            return named.count(new.port) > len(named) / 2 and new is not old and self._info(new)["role"] == "master"

        eventually(promoted, "another server is the master", _PATIENT_SECONDS, ignored=(redis.RedisError, ValueError))
        return old

    def rejoin(self, server: RedisServer) -> None:
        """Start a killed server as a replica of the current master, and wait until it gets every write.

        Its configuration file would contain the address of the new master in production, or its start script would ask
        a sentinel.
        """
        server.start("--replicaof", "127.0.0.1", str(self.master().port))
        self._wait_in_sync(server)

    def stop(self) -> None:
        """Stop everything in any state."""
        for process in self._sentinels.values():
            end(process)
        for server in self.servers:
            server.stop()

    def _configuration(self, port: int) -> str:
        name = SERVICE
        lines = [
            f"port {port}",
            "bind 127.0.0.1",
            f"dir {self._directory}",
            f"sentinel monitor {name} 127.0.0.1 {self.servers[0].port} {_QUORUM}",
            f"sentinel down-after-milliseconds {name} {self._down_after_ms}",
            # Twice this time is the pause before a second attempt at the failover of the same master.
            f"sentinel failover-timeout {name} {2 * self._down_after_ms}",
            f"sentinel parallel-syncs {name} 1",
        ]
        if self._password:
            lines.append(f"sentinel auth-pass {name} {self._password}")
        if self._sentinel_password:
            lines += [f"requirepass {self._sentinel_password}", f"sentinel sentinel-pass {self._sentinel_password}"]
        return "\n".join([*lines, ""])

    def _sentinel(self, port: int) -> "redis.Redis":
        return redis.Redis(port=port, password=self._sentinel_password or None, socket_timeout=5)

    def _address(self, port: int) -> tuple[str, int] | None:
        try:
            with self._sentinel(port) as client:
                found: Any = client.execute_command("SENTINEL GET-MASTER-ADDR-BY-NAME", SERVICE)
        except redis.RedisError:
            return None
        return (found[0].decode(), int(found[1])) if found else None

    def _is_complete(self, port: int) -> bool:
        try:
            with self._sentinel(port) as client:
                raw: Any = client.execute_command("SENTINEL MASTER", SERVICE)
        except redis.RedisError:
            return False
        state = raw if isinstance(raw, dict) else dict(zip(raw[::2], raw[1::2], strict=True))
        found = {_text(key): _text(value) for key, value in state.items()}
        others, replicas = int(found["num-other-sentinels"]), int(found["num-slaves"])
        return others == _SENTINELS - 1 and replicas == len(self.servers) - 1

    def _follow(self, replica: RedisServer, master: RedisServer) -> None:
        with replica.client() as client:
            client.replicaof("127.0.0.1", str(master.port))

    def _info(self, server: RedisServer) -> dict[str, Any]:
        with server.client(socket_timeout=5) as client:
            found: Any = client.info("replication")
        return dict(found)

    def _wait_in_sync(self, replica: RedisServer) -> None:
        def in_sync() -> bool:
            found = self._info(replica)
            if found["role"] != "slave" or found["master_link_status"] != "up":
                return False
            with self.master().client(socket_timeout=5) as master:
                return gets_every_write(master, "127.0.0.1", replica.port)

        eventually(in_sync, "the replica gets every write", _PATIENT_SECONDS, ignored=(redis.RedisError, ValueError))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
