"""Prometheus metrics: the metrics that a process counts, and the sources that are read at each scrape."""

from financehub_shared.core.figures import BudgetFigures, QueueFigures
from financehub_shared.metrics.families import BREAKER_STATES
from financehub_shared.metrics.formats import metrics_format
from financehub_shared.metrics.process_metrics import Metrics
from financehub_shared.metrics.scrape import MetricSource

__all__ = ["BREAKER_STATES", "BudgetFigures", "MetricSource", "Metrics", "QueueFigures", "metrics_format"]
