"""`/api/health/`: the health report for monitoring, with the same content as in every other process."""

from http import HTTPStatus

from fastapi import APIRouter
from starlette.responses import Response

from financehub_shared.core.text import dump_json
from financehub_shared.health.report import HealthStatus
from financehub_web.api.routing import FleetOf

PATH = "/api/health"
#: Probes must not be limited, so these paths are exempt from the rate limit.
PATHS = frozenset({PATH, f"{PATH}/"})
router = APIRouter(include_in_schema=False)


@router.get(f"{PATH}/")
@router.get(PATH)
def show_health_report(fleet: FleetOf) -> Response:
    """Return the report, with status 503 if the fleet is down."""
    report = fleet.health_report().value
    status = HTTPStatus.SERVICE_UNAVAILABLE if report.status is HealthStatus.DOWN else HTTPStatus.OK
    return Response(dump_json(report.as_dict()) + "\n", status, media_type="application/json")
