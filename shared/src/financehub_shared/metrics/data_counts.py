"""What the tasks that store market data tell the metrics."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from financehub_shared.core.models import Quarantined


class DataCounts(Protocol):
    """Counts records on their way into the store; `Metrics` is the real one."""

    def count_stored(self, dataset: str, records: Mapping[str, int]) -> None:
        """Count records of a dataset that were stored, by the provider that delivered them."""
        ...

    def count_quarantined(self, records: Iterable[Quarantined]) -> None:
        """Count records that were quarantined."""
        ...


class _Uncounted:
    """Counts nothing."""

    def count_stored(self, dataset: str, records: Mapping[str, int]) -> None:
        """Do nothing."""

    def count_quarantined(self, records: Iterable[Quarantined]) -> None:
        """Do nothing."""


#: For a caller without metrics: a dry run, a test, a benchmark.
UNCOUNTED: DataCounts = _Uncounted()
