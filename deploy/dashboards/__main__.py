"""`make dashboards`: write the dashboards as JSON into the chart."""

import json
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards import overview, providers, redis, schedules, tier

FOLDER = Path(__file__).parents[1] / "helm/financehub/files/dashboards"


def text(made: Dashboard) -> str:
    """A dashboard as it is committed, with sorted keys, so that a diff shows only what changed."""
    return json.dumps(made, cls=JSONEncoder, sort_keys=True, indent=1, ensure_ascii=False) + "\n"


def files() -> dict[str, str]:
    """File name → content."""
    made = (overview.build(), tier.build(), schedules.build(), providers.build(), redis.build())
    return {f"{str(each.uid).removeprefix('financehub-')}.json": text(each) for each in made}


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, content in files().items():
        (FOLDER / name).write_text(content, encoding="utf-8")
