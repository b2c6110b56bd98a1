"""The HTTP server of every process: waitress in a daemon thread, which also serves requests while the worker drains."""

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

#: A health report may wait for Redis, but probes and scrapes must not wait for a health report.
THREADS = 4


class HealthServer:
    """Serves one WSGI application until the process exits.

    Args:
        app: The WSGI application.
        host: Address on which to listen. If a name has several addresses, as `localhost` may, the first one is used.
        port: Port on which to listen; 0 takes any free port.
    """

    def __init__(self, app: Callable[..., Iterable[bytes]], host: str, port: int) -> None:
        self._app = app
        self._host = host
        self._port = port
        self._server: Any = None
        #: File descriptor → object that waitress's loop serves.
        self._served: dict[int, Any] = {}
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port on which it listens; 0 before `start`."""
        return int(self._server.effective_port) if self._server is not None else 0

    def start(self) -> None:
        """Bind the port and serve. Does nothing if the server is running.

        Raises:
            ConfigError: The port is in use, or the address does not belong to this machine.
        """
        if self._server is not None:
            return
        try:
            family, *_, address = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)[0]
            listener = socket.create_server(address[:2], family=family)
        except OSError as error:
            problem = (
                f"FINANCEHUB_HTTP_PORT={self._port}: {self._host}:{self._port} is in use; set it to a free port"
                if error.errno == errno.EADDRINUSE
                else f"FINANCEHUB_HTTP_HOST={self._host}, FINANCEHUB_HTTP_PORT={self._port}: cannot listen "
                f"({error.strerror or error}); set them to an address of this machine and a port that its user may use"
            )
            raise ConfigError(problem) from error
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
        log.info("health_server_started", host=self._host, port=self.port)

    def stop(self) -> None:
        """Close the server and its connections. Only tests do this; a process exits without it."""
        if self._server is not None and self._thread is not None:
            # in the loop's thread, because closing a socket that the loop waits on would end the loop with an error
            self._server.trigger.pull_trigger(partial(wasyncore.close_all, self._served))
            self._thread.join()
            self._server.task_dispatcher.shutdown()
            self._server = self._thread = None
