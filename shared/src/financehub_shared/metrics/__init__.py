"""Prometheus metrics: the catalogue and what is read at each scrape."""

from financehub_shared.metrics.families import BREAKER_STATES, QueueFigures
from financehub_shared.metrics.registry import Metrics
from financehub_shared.metrics.scrape import Source

__all__ = ["BREAKER_STATES", "Metrics", "QueueFigures", "Source"]
