"""Health: who is alive, what is stale, and the HTTP server that says so."""

from financehub_shared.health.collect import HealthChecker
from financehub_shared.health.report import Check, HealthReport, Status

__all__ = ["Check", "HealthChecker", "HealthReport", "Status"]
