"""Prometheus metrics: the catalogue and what is read at each scrape."""

from financehub_shared.metrics.collectors import BREAKER_STATES, QueueFigures
from financehub_shared.metrics.registry import Metrics

__all__ = ["BREAKER_STATES", "Metrics", "QueueFigures"]
