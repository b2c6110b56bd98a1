"""Something other than Redis answers at the address: a web server, a mail server, a proxy with replies of its own."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest
import redis

from financehub_shared.core.clock import SystemClock
from financehub_shared.core.redis_url_parser import parse_redis_url
from financehub_shared.redis.client import connect, connect_async
from financehub_shared.redis.server_clock import ServerClock
from financehub_shared.redis.startup import refuse_wrong_servers
from financehub_shared.redis.watch import RedisWatch

_TIMEOUT = 2.0
#: Reply of a master to HELLO 3.
_HELLO = b"%3\r\n+role\r\n+master\r\n+mode\r\n+standalone\r\n+proto\r\n:3\r\n"
#: Replies to TIME, SET, EVALSHA and EXISTS, before that to INFO.
_BEFORE_INFO = b"*2\r\n$10\r\n1800000000\r\n$1\r\n5\r\n+OK\r\n-NOSCRIPT No matching script\r\n:0\r\n"
#: Reply to HELLO → reply to anything else.
SERVERS: dict[str, tuple[bytes, bytes]] = {
    "web server": (b"HTTP/1.1 400 Bad Request\r\n\r\n", b""),
    "ssh server": (b"SSH-2.0-OpenSSH_9.2\r\n", b""),
    "mail server": (b"220 mail.example.com ESMTP\r\n", b""),
    "TLS server": (b"\x15\x03\x01\x00\x02\x02\x46", b""),
    "zero bytes": (b"\0\0\r\n", b""),
    "HELLO is a string": (b"+OK\r\n", b""),
    "HELLO is nil": (b"$-1\r\n", b""),
    "HELLO is a number": (b":1\r\n", b""),
    "HELLO is a list": (b"*2\r\n*1\r\n+a\r\n*1\r\n+b\r\n", b""),
    "HELLO is unknown": (b"-ERR unknown command 'HELLO'\r\n", b""),
    "TIME is nil": (_HELLO, b"$-1\r\n+OK\r\n$-1\r\n"),
    "TIME is empty": (_HELLO, b"*0\r\n+OK\r\n$0\r\n\r\n"),
    "TIME is a text": (_HELLO, b"*2\r\n+a\r\n+b\r\n+OK\r\n$0\r\n\r\n"),
    "INFO is nil": (_HELLO, _BEFORE_INFO + b"$-1\r\n"),
    "INFO is a list": (_HELLO, _BEFORE_INFO + b"*0\r\n"),
}


@contextlib.contextmanager
def foreign_server(hello: bytes, other: bytes) -> Iterator[int]:
    """Run a server with these replies, and yield its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve(client: socket.socket) -> None:
            with client, contextlib.suppress(OSError):
                while received := client.recv(65_536):
                    client.sendall(hello if b"HELLO" in received else other or hello)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(("hello", "other"), SERVERS.values(), ids=SERVERS)
def test_watch_of_a_foreign_server_names_the_cause(hello: bytes, other: bytes):
    """Whatever answers, the watch continues and says that it is not a Redis server, with the remedy."""
    with foreign_server(hello, other) as port:
        client = connect(f"redis://127.0.0.1:{port}", retries=0, timeout=_TIMEOUT)
        watch = RedisWatch({"queues": client}, ServerClock(SystemClock()))
        watch.look()
        (text,) = watch.blocked()
        assert text.startswith(f"the queue Redis at 127.0.0.1:{port} does not ")
        assert "check host and port" in text or "install Redis 6.2 or later" in text


@pytest.mark.parametrize("hello", [hello for hello, _ in SERVERS.values() if hello != _HELLO])
def test_clients_of_a_foreign_server_raise_redis_errors(hello: bytes):
    """No client raises an error that its callers do not expect, and a process starts, because Redis may return."""
    with foreign_server(hello, b"") as port:
        url = f"redis://127.0.0.1:{port}"
        refuse_wrong_servers([parse_redis_url(url)])
        with pytest.raises(redis.RedisError):
            connect(url, retries=0, timeout=_TIMEOUT).get("key")

        async def get() -> None:
            client = connect_async(url, retries=0, timeout=_TIMEOUT)
            try:
                await client.get("key")
            finally:
                await client.aclose()

        with pytest.raises(redis.RedisError):
            asyncio.run(get())
