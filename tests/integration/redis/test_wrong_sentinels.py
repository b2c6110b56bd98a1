"""Sentinels that name a former master, and addresses of Sentinels at which something else answers."""

import asyncio
import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
import redis

from financehub_shared.core.redis_url_parser import parse_redis_url
from financehub_shared.redis import address, sentinel
from financehub_shared.redis.client import connect, connect_async
from financehub_shared.redis.sentinel import NoMasterError, Sentinels
from support.redis_server import RedisServer, free_port

_TIMEOUT = 2.0
_HELLO = b"%3\r\n+role\r\n+master\r\n+mode\r\n+sentinel\r\n+proto\r\n:3\r\n"
#: Replies that no Sentinel sends.
FOREIGN = {
    "string": b"+OK\r\n",
    "empty list": b"*0\r\n",
    "short list": b"*1\r\n$1\r\na\r\n",
    "long list": b"*3\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\n1\r\n",
    "number": b":5\r\n",
    "zero": b":0\r\n",
    "map": b"%1\r\n+a\r\n+b\r\n",
    "infinite port": b"*2\r\n$1\r\na\r\n,inf\r\n",
    "textual port": b"*2\r\n$1\r\na\r\n$1\r\nx\r\n",
    "large port": b"*2\r\n$1\r\na\r\n$6\r\n999999\r\n",
    "no host": b"*2\r\n$0\r\n\r\n$4\r\n6379\r\n",
    "nested": b"*2\r\n*0\r\n*0\r\n",
    "long host": b"*2\r\n$300\r\n" + b"a" * 300 + b"\r\n$1\r\n1\r\n",
    "empty label": b"*2\r\n$4\r\na..b\r\n$1\r\n1\r\n",
    "zero byte": b"*2\r\n$3\r\na\0b\r\n$1\r\n1\r\n",
    "not UTF-8": b"*2\r\n$2\r\n\xff\xfe\r\n$1\r\n1\r\n",
}


@contextlib.contextmanager
def fake_sentinel(answer: Callable[[], bytes], hello: bytes = _HELLO) -> Iterator[int]:
    """Run a server that sends this reply to each question about a master, and yield its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve(client: socket.socket) -> None:
            with client, contextlib.suppress(OSError):
                while received := client.recv(65_536):
                    for command in re.split(rb"(?:^|\r\n)\*\d+\r\n", received)[1:]:
                        if b"HELLO" in command:
                            client.sendall(hello)
                        else:
                            client.sendall(answer() if b"SENTINEL" in command else b"+OK\r\n")

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


class ManualTime:
    """The module `time` in which the monotonic clock is ahead.

    Args:
        seconds: How far it is ahead.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def monotonic(self) -> float:
        """Return the monotonic time in seconds."""
        return time.monotonic() + self._seconds


def named(port: int) -> bytes:
    """Return the reply that names a server on this machine."""
    return b"*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%d\r\n" % (len(str(port)), port)


def get(url: str, *, blocking: bool) -> bool:
    """Send one PING without any repetition."""
    if blocking:
        return bool(connect(url, retries=0, timeout=_TIMEOUT).ping())

    async def ping() -> bool:
        client = connect_async(url, retries=0, timeout=_TIMEOUT)
        try:
            for _ in range(2):
                with contextlib.suppress(redis.ConnectionError):
                    return bool(await client.ping())
            return bool(await client.ping())
        finally:
            await client.aclose()

    return asyncio.run(ping())


@pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "coroutine"])
def test_stale_sentinel_is_asked_once(redis_url: str, blocking: bool):
    """The first Sentinel names a server that is gone. The attempt after the failed one begins with the second one."""
    with (
        fake_sentinel(lambda: named(free_port())) as stale,
        fake_sentinel(lambda: named(urlsplit(redis_url).port or 0)) as right,
    ):
        url = f"redis+sentinel://127.0.0.1:{stale},127.0.0.1:{right}/service"
        if blocking:
            client = connect(url, retries=0, timeout=_TIMEOUT)
            with pytest.raises(redis.ConnectionError):
                client.ping()
            assert client.ping()
        else:
            assert get(url, blocking=False)


def test_connections_that_fail_together_doubt_one_sentinel():
    """Several connections to one wrong server are one reason to ask the next Sentinel, not one reason each."""
    with fake_sentinel(lambda: named(1)) as stale, fake_sentinel(lambda: named(2)) as right:
        url = parse_redis_url(f"redis+sentinel://127.0.0.1:{stale},127.0.0.1:{right}/service")
        sentinels = Sentinels(url, _TIMEOUT)
        master = sentinels.master()
        for _ in range(4):
            sentinels.doubt(master)
        assert [sentinels.master() for _ in range(3)] == [("127.0.0.1", 2)] * 3


@pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "coroutine"])
def test_promotion_while_the_old_master_works_is_noticed(
    redis_server: Callable[..., RedisServer], monkeypatch: pytest.MonkeyPatch, blocking: bool
):
    """The old master accepts writes until the Sentinels demote it, and these are lost. One connection asks for all."""
    old, new = redis_server(), redis_server()
    master, questions = old, 0

    def answer() -> bytes:
        nonlocal questions
        questions += 1
        return named(master.port)

    async def write(client: "redis.asyncio.Redis", key: str) -> None:
        await client.set(key, 1)

    with fake_sentinel(answer) as port, asyncio.Runner() as runner:
        url = f"redis+sentinel://127.0.0.1:{port}/service"
        clients = [connect(url) if blocking else connect_async(url) for _ in range(2)]

        def set_with_each(key: str) -> None:
            for client in clients:
                if isinstance(client, redis.Redis):
                    client.set(key, 1)
                else:
                    runner.run(write(client, key))

        monkeypatch.setattr(address, "ASK_SECONDS", 3_600.0)
        set_with_each("before")
        set_with_each("again")
        assert questions <= 3, "one for each new connection, and one for the process"
        master = new
        monkeypatch.setattr(address, "time", ManualTime(3_600.0))
        set_with_each("after")
        for client in clients:
            if not isinstance(client, redis.Redis):
                runner.run(client.aclose())
    assert old.client().keys() in ([b"before", b"again"], [b"again", b"before"])
    assert new.client().keys() == [b"after"]


@pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "coroutine"])
@pytest.mark.parametrize("reply", FOREIGN.values(), ids=FOREIGN)
def test_foreign_sentinel_is_named_and_skipped(redis_url: str, reply: bytes, blocking: bool):
    """Whatever an address of a Sentinel answers, the others are asked, and without them the error names it."""
    with (
        fake_sentinel(lambda: reply) as foreign,
        fake_sentinel(lambda: named(urlsplit(redis_url).port or 0)) as right,
    ):
        assert get(f"redis+sentinel://127.0.0.1:{foreign},127.0.0.1:{right}/service", blocking=blocking)
        with pytest.raises(NoMasterError, match=f"127.0.0.1:{foreign} sends replies that no Sentinel sends"):
            get(f"redis+sentinel://127.0.0.1:{foreign}/service", blocking=blocking)


@pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "coroutine"])
@pytest.mark.parametrize("hello", [b"+OK\r\n", b":1\r\n", b"*0\r\n", b"$-1\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_foreign_server_in_place_of_a_sentinel_raises_a_redis_error(hello: bytes, blocking: bool):
    """Something that does not speak the protocol raises the error that every caller expects."""
    with (
        fake_sentinel(lambda: b"+OK\r\n", hello) as foreign,
        pytest.raises(NoMasterError, match=f"127.0.0.1:{foreign}"),
    ):
        get(f"redis+sentinel://127.0.0.1:{foreign}/service", blocking=blocking)


def test_silent_sentinels_are_asked_again_soon_and_then_less_often(monkeypatch: pytest.MonkeyPatch):
    """One check without an answer costs 15 s of checks, and only a long silence costs a minute."""
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    order = sentinel._Order(parse_redis_url("redis+sentinel://a/service"))
    for silence in (15, 30, 60, 60):
        order.no_answer()
        now += silence - 1
        assert order.silent
        now += 1
        assert not order.silent
    order.answered(0, ("a", 1))
    order.no_answer()
    now += 15
    assert not order.silent
