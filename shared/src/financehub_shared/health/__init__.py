"""The fleet's health report, each process's probes, and the HTTP server that publishes both."""

from financehub_shared.health.checker import HealthChecker
from financehub_shared.health.report import HealthCheck, HealthReport, HealthStatus

__all__ = ["HealthCheck", "HealthChecker", "HealthReport", "HealthStatus"]
