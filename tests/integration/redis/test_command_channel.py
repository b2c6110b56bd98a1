"""The channel of frequent commands, when its connections break or are interrupted."""

import os
import signal
import threading
from collections.abc import Callable

import pytest
import redis

from financehub_shared.redis.client import connect
from financehub_shared.redis.command_channel import CommandChannel
from support.redis_server import RedisServer
from support.waiting import eventually


def _kill_connections(admin: "redis.Redis") -> None:
    admin.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


def test_connection_that_the_server_closed_while_it_was_idle_is_opened_again(
    redis_url: str, redis_client: "redis.Redis"
) -> None:
    """A command after a restart of Redis does not fail, because the closed connection is noticed before."""
    channel = CommandChannel(connect(redis_url, retries=0))
    assert channel.call("INCR", "n") == 1
    _kill_connections(redis_client)
    assert channel.call("INCR", "n") == 2


def test_connection_that_breaks_during_a_command_raises_and_the_next_command_runs(
    redis_url: str, redis_client: "redis.Redis"
) -> None:
    """A command whose connection breaks is never sent again, because it may have run."""
    channel = CommandChannel(connect(redis_url, retries=0, timeout=60))
    errors: list[redis.RedisError] = []

    def wait() -> None:
        try:
            channel.call("BLPOP", "none", 0)
        except redis.ConnectionError as error:
            errors.append(error)

    blocked = threading.Thread(target=wait)
    blocked.start()
    eventually(lambda: any(one["cmd"] == "blpop" for one in redis_client.client_list()))
    _kill_connections(redis_client)
    blocked.join()
    assert len(errors) == 1
    assert channel.call("INCR", "n") == 1


def test_command_that_is_interrupted_does_not_leave_its_reply_to_the_next_one(
    redis_url: str, redis_client: "redis.Redis"
) -> None:
    """An exception in the middle of a command closes the connection, on which the reply would still arrive."""

    class InterruptError(BaseException):
        pass

    def interrupt(*_: object) -> None:
        raise InterruptError

    def interrupt_when_it_waits() -> None:
        eventually(lambda: any(one["cmd"] == "blpop" for one in redis_client.client_list()))
        os.kill(os.getpid(), signal.SIGUSR1)

    channel = CommandChannel(connect(redis_url, retries=0, timeout=60))
    channel.call("SET", "a", "1")
    before = signal.signal(signal.SIGUSR1, interrupt)
    interrupter = threading.Thread(target=interrupt_when_it_waits)
    interrupter.start()
    try:
        with pytest.raises(InterruptError):
            channel.call("BLPOP", "none", 50)
    finally:
        interrupter.join()
        signal.signal(signal.SIGUSR1, before)
    assert channel.call("GET", "a") == b"1"
    assert channel.call("GET", "b") is None


def test_error_of_a_command_keeps_its_connection(redis_url: str, redis_client: "redis.Redis") -> None:
    """A command that Redis refuses costs no new connection."""
    channel = CommandChannel(connect(redis_url, retries=0))
    channel.call("SET", "a", "1")
    opened = redis_client.info("stats")["total_connections_received"]
    for _ in range(10):
        with pytest.raises(redis.ResponseError):
            channel.call("LPUSH", "a", "1")
        channel.call("GET", "a")
    assert redis_client.info("stats")["total_connections_received"] == opened


def test_command_that_a_replica_refuses_is_sent_once_more_to_the_new_master(
    redis_server: Callable[..., RedisServer],
) -> None:
    """A refused command did not run. It is repeated once, on a new connection, and then the error is raised."""
    server = redis_server()
    channel = CommandChannel(connect(server.url, retries=0))
    channel.call("INCR", "n")
    client = server.client()
    client.execute_command("REPLICAOF", "127.0.0.1", "1")
    with pytest.raises(redis.ConnectionError):  # the new connection finds out that the server is a replica
        channel.call("INCR", "n")
    client.execute_command("REPLICAOF", "NO", "ONE")
    assert channel.call("INCR", "n") == 2


def test_forked_process_opens_new_connections(redis_url: str, redis_client: "redis.Redis") -> None:
    """A child must not read the replies of its parent."""
    channel = CommandChannel(connect(redis_url, retries=0))
    ids = [channel.call("CLIENT", "ID")]
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        status = 1
        try:
            os.write(writer, str(channel.call("CLIENT", "ID")).encode())
            status = 0
        finally:
            os._exit(status)  # an error must not let the child continue the tests of its parent
    os.close(writer)  # otherwise, reading from a child that wrote nothing would never end
    with os.fdopen(reader) as pipe:
        answer = pipe.read()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    ids += [int(answer), channel.call("CLIENT", "ID")]
    assert ids[0] == ids[2] != ids[1]
