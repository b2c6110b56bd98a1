"""Silences dramatiq's warning about discarded results for actors that return a `TaskSummary`.

Such an actor returns its summary for the log line and the run record, so the result is not lost, even if no `Results`
middleware stores it. Dramatiq would log a warning at every run, and it has no option against that.
"""

import logging
import re

import dramatiq

from financehub_shared.core.catalog import CATALOG
from financehub_shared.core.task_summary import TaskSummary

#: The beginning of both warnings in dramatiq 2.2.1: without `Results`, and with `Results` but without `store_results`.
_WARNING = re.compile(r"Actor '(?P<name>.+?)' returned a value that is not None")
_LOGGERS = ("dramatiq.worker.WorkerThread", "dramatiq.results.middleware.Results")


class ExpectedResults(logging.Filter):
    """Drops the warnings about expected results.

    Args:
        broker: Broker that knows the actors.
    """

    def __init__(self, broker: dramatiq.Broker) -> None:
        super().__init__()
        self._broker = broker

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is logged."""
        warning = _WARNING.match(str(record.msg))
        return warning is None or not self._is_expected(warning["name"])

    def _is_expected(self, name: str) -> bool:
        actor = self._broker.actors.get(name)
        returned = getattr(actor and actor.fn, "__annotations__", {}).get("return")
        return name in CATALOG or returned in (TaskSummary, TaskSummary.__name__)


def silence_expected_results(broker: dramatiq.Broker) -> None:
    """Add the filter to dramatiq's loggers, in place of the filter of another broker.

    Args:
        broker: Broker of the process.
    """
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        for other in [one for one in logger.filters if isinstance(one, ExpectedResults)]:
            logger.removeFilter(other)
        logger.addFilter(ExpectedResults(broker))
