"""The HTTP server of every process. It has its own thread, which also answers while the worker drains."""

import errno
import threading
from collections.abc import Callable

from financehub_shared.core.errors import ConfigError
from financehub_shared.core.log import get_logger
from financehub_shared.health.app import Pending
from financehub_shared.health.connection_loop import ConnectionLoop
from financehub_shared.health.http_messages import Request, Response
from financehub_shared.health.listeners import listen

log = get_logger(__name__)


class HealthServer:
    """Serves one application until the process exits.

    Args:
        respond: Returns the response to a request, or the pending one, without waiting (`HealthApp.respond`).
        host: Address or name on which to listen; see `listeners.listen`.
        port: Port on which to listen; 0 takes any free port.
    """

    def __init__(self, respond: Callable[[Request], Response | Pending], host: str, port: int) -> None:
        self._respond = respond
        self._host = host
        self._port = port
        self._bound_port = 0
        self._loop: ConnectionLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port on which it listens; 0 before `start`."""
        return self._bound_port

    def start(self) -> None:
        """Bind the port and serve. Does nothing if the server is running.

        Raises:
            ConfigError: The port is in use, or the address does not belong to this machine.
        """
        if self._loop is not None:
            return
        try:
            listeners = listen(self._host, self._port)
        except OSError as error:
            where = f"[{self._host}]:{self._port}" if ":" in self._host else f"{self._host}:{self._port}"
            problem = (
                f"FINANCEHUB_HTTP_PORT={self._port}: {where} is in use; set it to a free port"
                if error.errno == errno.EADDRINUSE
                else f"FINANCEHUB_HTTP_HOST={self._host}, FINANCEHUB_HTTP_PORT={self._port}: cannot listen "
                f"({error.strerror or error}); set them to an address of this machine and a port that its user may use"
            )
            raise ConfigError(problem) from error
        self._bound_port = int(listeners[0].getsockname()[1])
        self._loop = ConnectionLoop(listeners, self._respond)
        self._thread = threading.Thread(target=self._loop.run, name="health-server", daemon=True)
        self._thread.start()
        log.info("health_server_started", host=self._host, port=self.port)

    def stop(self) -> None:
        """Close the server and its connections. Only tests do this; a process exits without it."""
        if self._loop is not None and self._thread is not None:
            self._loop.stop()
            self._thread.join()
            self._loop = self._thread = None
            self._bound_port = 0
