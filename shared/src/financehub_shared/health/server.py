"""The HTTP server of every process: waitress in a daemon thread, so that it outlives the drain."""

import errno
import socket
import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import structlog
import waitress
from waitress import wasyncore

from financehub_shared.core.errors import ConfigError

log = structlog.get_logger(__name__)

#: A health answer may wait for Redis; probes and a scrape must not wait behind it.
THREADS = 4


class HealthServer:
    """Serves one WSGI application until the process ends.

    Args:
        app: what to serve.
        host: address to listen on; of a name's several addresses (`localhost` where IPv6 is too) the first.
        port: 0 takes any free one.
    """

    def __init__(self, app: Callable[..., Iterable[bytes]], host: str, port: int) -> None:
        self._app = app
        self._host = host
        self._port = port
        self._server: Any = None
        #: File descriptor → what waitress's loop serves.
        self._served: dict[int, Any] = {}
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port it listens on; 0 before `start`."""
        return int(self._server.effective_port) if self._server is not None else 0

    def start(self) -> None:
        """Bind and serve; does nothing if it already does.

        Raises:
            ConfigError: the port is taken, or the address is not ours.
        """
        if self._server is not None:
            return
        try:
            family, *_, address = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)[0]
            listener = socket.create_server(address[:2], family=family)
        except OSError as error:
            what = (
                f"FINANCEHUB_HTTP_PORT={self._port}: {self._host}:{self._port} is taken; set it to a free port"
                if error.errno == errno.EADDRINUSE
                else f"FINANCEHUB_HTTP_HOST={self._host}, FINANCEHUB_HTTP_PORT={self._port} cannot be listened on "
                f"({error.strerror or error}); set them to an address of this machine and a port that its user may take"
            )
            raise ConfigError(what) from error
        self._server = waitress.create_server(
            self._app,
            map=self._served,
            sockets=[listener],
            threads=THREADS,
            ident=None,
            clear_untrusted_proxy_headers=True,
        )
        self._thread = threading.Thread(target=self._server.run, name="health-server", daemon=True)
        self._thread.start()
        log.info("health_server_listens", host=self._host, port=self.port)

    def stop(self) -> None:
        """Close it and its connections; processes just end, tests do this."""
        if self._server is not None and self._thread is not None:
            # in the loop's own thread: a socket that is closed while the loop waits for it ends it by an error
            self._server.trigger.pull_trigger(partial(wasyncore.close_all, self._served))
            self._thread.join()
            self._server.task_dispatcher.shutdown()
            self._server = self._thread = None
