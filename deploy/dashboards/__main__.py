"""Implements `make dashboards`, which writes the dashboards to the chart as JSON."""

import json
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards import overview, providers, redis, schedules, tier, web

FOLDER = Path(__file__).parents[1] / "helm/financehub/files/dashboards"


def to_json(built: Dashboard) -> str:
    """Return the dashboard as JSON, with sorted keys, so that a diff shows only real changes."""
    return json.dumps(built, cls=JSONEncoder, sort_keys=True, indent=1, ensure_ascii=False) + "\n"


def files() -> dict[str, str]:
    """Return file name → content of every dashboard."""
    built = (overview.build(), tier.build(), schedules.build(), providers.build(), redis.build(), web.build())
    return {f"{str(board.uid).removeprefix('financehub-')}.json": to_json(board) for board in built}


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, content in files().items():
        (FOLDER / name).write_text(content, encoding="utf-8")
