"""The HTTP server of every process: waitress in a daemon thread, so that it outlives the drain."""

import errno
import threading
from collections.abc import Callable, Iterable
from typing import Any

import structlog
import waitress
from dramatiq import Broker, Middleware, Worker

from financehub_shared.errors import ConfigError
from financehub_shared.settings import exit_on_config_error

log = structlog.get_logger(__name__)

#: A health answer may wait for Redis; probes and a scrape must not wait behind it.
THREADS = 4


class HealthServer:
    """Serves one WSGI application until the process ends.

    Args:
        app: what to serve.
        host: address to listen on.
        port: 0 takes any free one.
    """

    def __init__(self, app: Callable[..., Iterable[bytes]], host: str, port: int) -> None:
        self._app = app
        self._host = host
        self._port = port
        self._server: Any = None

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
            self._server = waitress.create_server(
                self._app,
                host=self._host,
                port=self._port,
                threads=THREADS,
                ident=None,
                clear_untrusted_proxy_headers=True,
            )
        except OSError as error:
            what = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror or error})"
            raise ConfigError(
                f"FINANCEHUB_HTTP_PORT={self._port}: {self._host}:{self._port} {what}; set it to a free port"
            ) from error
        threading.Thread(target=self._server.run, name="health-server", daemon=True).start()
        log.info("health_server_listens", host=self._host, port=self.port)

    def stop(self) -> None:
        """Close it; processes just end, tests do this. The thread ends within waitress's loop timeout, a second."""
        if self._server is not None:
            self._server.close()
            self._server = None


class HealthServerMiddleware(Middleware):
    """Starts the server in the worker process, after the fork; a taken port ends the process with exit code 2.

    Args:
        server: the server.
    """

    def __init__(self, server: HealthServer) -> None:
        self.server = server

    def after_process_boot(self, broker: Broker) -> None:
        try:
            self.server.start()
        except ConfigError as error:
            exit_on_config_error(error)

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        # a Worker that is started inside another program gets no `after_process_boot`
        self.after_process_boot(broker)
