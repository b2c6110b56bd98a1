"""Tests of a fleet that Redis no longer serves at run time: login, rights and connections are refused, and return."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from integration.fleet.test_acl import documented_rules
from support import every_second
from support.every_second import PROCESSES, count_lines
from support.fleet import Fleet
from support.redis_server import RedisServer
from support.simulator import RunningSimulator
from support.waiting import eventually

pytestmark = pytest.mark.faults

USER = "financehub"

Undo = Callable[[], None]


def _close_clients(admin: "redis.Redis") -> None:
    for client in admin.client_list():
        if client["user"] == USER:
            admin.client_kill_filter(_id=client["id"])


def rotated_password(server: RedisServer) -> Undo:
    """Replace the password, and close the connections, as a managed service does."""
    with server.client() as admin:
        admin.execute_command("ACL", "SETUSER", USER, "resetpass", ">another")
        _close_clients(admin)

    def undo() -> None:
        with server.client() as admin:
            admin.execute_command("ACL", "SETUSER", USER, "resetpass", ">secret")

    return undo


def without_scripts(server: RedisServer) -> Undo:
    """Take the right to run scripts away from the open connections."""
    with server.client() as admin:
        admin.execute_command("ACL", "SETUSER", USER, "-evalsha", "-eval")

    def undo() -> None:
        with server.client() as admin:
            admin.execute_command("ACL", "SETUSER", USER, "+evalsha", "+eval")

    return undo


def without_keys(server: RedisServer) -> Undo:
    """Take the right to the keys of the queues away from the open connections."""
    with server.client() as admin:
        admin.execute_command("ACL", "SETUSER", USER, "resetkeys", "~financehub:*")

    def undo() -> None:
        with server.client() as admin:
            admin.execute_command(*documented_rules())

    return undo


def no_connections(server: RedisServer) -> Undo:
    """Allow no further connection, and close those of the fleet."""
    admin = server.client(single_connection_client=True)
    admin.config_set("maxclients", 1)
    _close_clients(admin)

    def undo() -> None:
        admin.config_set("maxclients", 1_000)
        admin.close()

    return undo


def foreign_server(server: RedisServer) -> Undo:
    """Let a web server answer at the address."""
    server.kill()
    listener = socket.create_server(("127.0.0.1", server.port))

    def serve(client: socket.socket) -> None:
        with client:
            client.recv(4_096)
            client.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()

    def undo() -> None:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        server.start()
        with server.client() as admin:
            admin.execute_command(*documented_rules())

    return undo


#: Fault → words of the sentence that names it, code of the problem.
FAULTS: dict[str, tuple[Callable[[RedisServer], Undo], str, str]] = {
    "password rotated": (rotated_password, "refuses the login", "login-refused"),
    "rights removed": (without_scripts, "denies this user a command", "denied"),
    "keys removed": (without_keys, "denies this user a command", "denied"),
    "no connections": (no_connections, "accepts no more connections", "clients-full"),
    "web server": (foreign_server, "does not answer like a Redis server", "not-redis"),
}


@pytest.fixture
def running(tmp_path: Path, simulator: RunningSimulator, redis_server: Callable[..., RedisServer]) -> Iterator[Fleet]:
    """A fleet that logs in as the documented user."""
    server = redis_server()
    with server.client() as admin:
        admin.execute_command(*documented_rules())
    fleet = Fleet(tmp_path, server, simulator, {"REDIS_URL": server.url.replace("//", f"//{USER}:secret@")})
    yield fleet
    fleet.stop()


@pytest.mark.parametrize(("fault", "words", "code"), FAULTS.values(), ids=FAULTS)
def test_fleet_that_redis_does_not_serve_names_the_cause_and_recovers(
    running: Fleet, fault: Callable[[RedisServer], Undo], words: str, code: str
) -> None:
    """Readiness, health and log name the cause, no process is restarted, and each due time runs afterwards."""
    every_second.start(running)
    undo = fault(running.server)
    try:
        for name in PROCESSES:
            eventually(
                lambda name=name: words in str(running.get(name, "/readyz").get("problems")), "not ready with the cause"
            )
            eventually(lambda name=name: running.health(name).get("status") == "down", "the fleet is down")
            assert words in str(running.health(name)["problems"])
            eventually(
                lambda name=name: count_lines(running, name, "redis_problem_detected", code) == 1, "it is logged"
            )
        time.sleep(7)  # longer than a check, so that processes that give up have given up
        for name in PROCESSES:
            assert running.get(name, "/livez")["problems"] == []
            assert running.running(name)
    finally:
        undo()
    every_second.assert_recovers(running, code)
