"""Middleware that serves health, probes and metrics from a worker process."""

import sys

from dramatiq import Broker, Middleware, Worker

from financehub_shared.core.errors import ConfigError
from financehub_shared.core.settings import exit_on_config_error
from financehub_shared.health.server import HealthServer

#: Seconds for which a thread that computes may keep the interpreter from the others. With the default of 5 ms, busy
#: worker threads would delay each system call of the server by that time, and a flood of connections would then delay
#: probes by seconds.
_SWITCH_SECONDS = 0.0005


class HealthServerMiddleware(Middleware):
    """Starts the server in the worker process after the fork. If the port is in use, the process exits with code 2.

    Args:
        server: The server.
    """

    def __init__(self, server: HealthServer) -> None:
        self.server = server

    def after_process_boot(self, broker: Broker) -> None:
        sys.setswitchinterval(_SWITCH_SECONDS)
        try:
            self.server.start()
        except ConfigError as error:
            exit_on_config_error(error)

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        # A Worker that another program starts does not get `after_process_boot`.
        self.after_process_boot(broker)
