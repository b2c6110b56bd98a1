"""Actors return summaries; dramatiq warns at every run about a result that nothing keeps."""

from typing import Any

from dramatiq.results import ResultBackend, Results


class ObserversKeepResults(ResultBackend):
    """Keeps nothing: the monitor, an observer, has recorded the result where it is wanted."""

    def store_result(self, message: Any, result: Any, ttl: int) -> None:
        """Nothing to do."""

    def store_exception(self, message: Any, exception: Exception, ttl: int) -> None:
        """Nothing to do."""


def results() -> Results:
    """Middleware under which a returned summary is in order (dramatiq asks for exactly its own class)."""
    return Results(backend=ObserversKeepResults(), store_results=True)
