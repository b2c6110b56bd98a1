"""Loggers that load structlog with the first line that they write.

Importing structlog takes 70 ms of CPU, which is most of the time that a command of the command line needs. Such a
command seldom logs.
"""

from collections.abc import Callable
from typing import Any

_configurations: list[Callable[[], None]] = []


def configure_with_first_line(configure: Callable[[], None]) -> None:
    """Configure structlog immediately before the first line that a logger of this module writes.

    Args:
        configure: Configures structlog. It is called once.
    """
    _configurations[:] = [configure]


def get_logger(name: str) -> Any:
    """Return a logger with the methods of a structlog logger, without importing structlog.

    Args:
        name: Name of the module that logs.
    """
    return _Logger(name)


class _Logger:
    def __init__(self, name: str) -> None:
        self._name = name
        self._logger: Any = None
        #: The parts of structlog's configuration with which the logger was built.
        self._processors: Any = None
        self._factory: Any = None
        self._structlog: Any = None

    def __getattr__(self, attribute: str) -> Any:
        # Attributes that inspection of an object looks up, such as __wrapped__, must not load structlog.
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        if self._structlog is None:
            import structlog

            self._structlog = structlog
        while _configurations:
            _configurations.pop()()
        # structlog's own logger would be built again for every line. The configuration seldom changes.
        configuration = self._structlog.get_config()
        processors, factory = configuration["processors"], configuration["logger_factory"]
        if processors is not self._processors or factory is not self._factory:
            self._logger = self._structlog.get_logger(self._name).bind()
            self._processors, self._factory = processors, factory
        return getattr(self._logger, attribute)
