"""Prometheus metrics: the catalogue and what is read at each scrape."""

from financehub_shared.metrics.collectors import QueueFigures
from financehub_shared.metrics.registry import BREAKER_STATES, Metrics

__all__ = ["BREAKER_STATES", "Metrics", "QueueFigures"]
