"""The health report of the fleet, the probes of a process, and the HTTP server that publishes both."""

from financehub_shared.health.checker import HealthChecker
from financehub_shared.health.report import HealthCheck, HealthReport, HealthStatus

__all__ = ["HealthCheck", "HealthChecker", "HealthReport", "HealthStatus"]
