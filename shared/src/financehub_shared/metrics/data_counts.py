"""The interface that tasks use to count the records that they store and quarantine."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from financehub_shared.core.models import Quarantined


class DataCounts(Protocol):
    """Counts the records that a task stores. `Metrics` implements it."""

    def count_stored(self, dataset: str, records: Mapping[str, int]) -> None:
        """Count stored records of a dataset, by the provider that delivered them."""
        ...

    def count_quarantined(self, records: Iterable[Quarantined]) -> None:
        """Count quarantined records."""
        ...

    def count_dropped(self, dataset: str, records: Mapping[str, int]) -> None:
        """Count the records of a dataset that were not stored.

        Args:
            dataset: Name of the dataset.
            records: Reason → number of records.
        """
        ...


class _DiscardCounts:
    """Counts nothing."""

    def count_stored(self, dataset: str, records: Mapping[str, int]) -> None:
        """Do nothing."""

    def count_quarantined(self, records: Iterable[Quarantined]) -> None:
        """Do nothing."""

    def count_dropped(self, dataset: str, records: Mapping[str, int]) -> None:
        """Do nothing."""


#: For callers without metrics, such as a dry run, a test or a benchmark.
DISCARD_COUNTS: DataCounts = _DiscardCounts()
