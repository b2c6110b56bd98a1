"""The view of the health report."""

from typing import Annotated

from typing_extensions import TypedDict

from financehub_shared.core.release import release_version
from financehub_shared.health.report import HealthReport
from financehub_shared.views.fields import Field
from financehub_shared.views.formats import Time, iso_time
from financehub_shared.views.status import CheckView, check_view


class HealthView(TypedDict):
    """The health of the whole fleet."""

    status: Annotated[str, Field(description="The worst status of the checks: `ok`, `degraded` or `down`.")]
    version: Annotated[
        str, Field(description="The release of FinanceHub of the process that made the report.", examples=["1.2.3"])
    ]
    at: Annotated[Time | None, Field(description="The time of the report.")]
    problems: Annotated[list[str], Field(description="The name and the reason of each check that is not ok.")]
    checks: Annotated[list[CheckView], Field(description="All checks.")]


def health_view(report: HealthReport) -> HealthView:
    """Return the view of a health report."""
    return {
        "status": report.status.value,
        "version": release_version(),
        "at": iso_time(report.at),
        "problems": report.problems,
        "checks": [check_view(check) for check in report.checks],
    }
