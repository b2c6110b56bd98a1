# ruff: noqa: INP001 — a script, not a package
"""`make manifests`: write what is made from the models and the catalogue into deploy/operator and the chart."""

import json
from pathlib import Path
from typing import Any

import yaml

from financehub_scheduler.api.manifests import admission, definition
from financehub_shared.core.catalog import CATALOG
from financehub_shared.core.settings import variables

DEPLOY = Path(__file__).parents[3] / "deploy"
CHART = "helm/financehub"
_SOURCE = "services/scheduler/src/financehub_scheduler"
_HEAD = "# Made by `make manifests` from {}; do not edit.\n"


def text(source: str, *documents: dict[str, Any]) -> str:
    """Manifests as they are committed."""
    return _HEAD.format(source) + yaml.safe_dump_all(documents, sort_keys=False, width=120, allow_unicode=True)


def values_schema() -> str:
    """The schema of the chart's values, with settings and the specs of schedules; the rest is written by hand."""
    schema = json.loads((DEPLOY / CHART / "values.schema.json").read_text(encoding="utf-8"))
    (version,) = definition.definition()["spec"]["versions"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    schema["$defs"]["scheduledTaskSpec"] = _strict(spec)
    # what says where Redis is has values of its own
    names = sorted(name for name in variables() if name.startswith(("FINANCEHUB_", "DRAMATIQ_")))
    schema["properties"]["settings"]["properties"] = {name: {"type": ["string", "number", "boolean"]} for name in names}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _strict(schema: dict[str, Any]) -> dict[str, Any]:
    """JSON schema of a structural schema: nothing but what is named."""
    found = {name: value for name, value in schema.items() if not name.startswith("x-kubernetes-") and name != "format"}
    if "properties" in found:
        found["properties"] = {name: _strict(each) for name, each in found["properties"].items()}
        found["additionalProperties"] = False
    if isinstance(found.get("items"), dict):
        found["items"] = _strict(found["items"])
    if isinstance(found.get("additionalProperties"), dict):
        found["additionalProperties"] = _strict(found["additionalProperties"])
    return found


def manifests() -> dict[str, str]:
    """Path below deploy/ → content."""
    crd = text(f"{_SOURCE}/api/scheduled_task.py", definition.definition())
    policy = text(f"{_SOURCE}/api/manifests/admission.py", *admission.manifests())
    queues = {name: str(task.queue) for name, task in CATALOG.items()}
    return {
        "operator/crd.yaml": crd,
        "operator/admission-policy.yaml": policy,
        # an install brings it, an upgrade's hook keeps it up to date
        f"{CHART}/crds/scheduledtasks.yaml": crd,
        f"{CHART}/files/admission-policy.yaml": policy,
        f"{CHART}/files/queues.yaml": text("shared/src/financehub_shared/core/catalog.py", queues),
        f"{CHART}/values.schema.json": values_schema(),
    }


if __name__ == "__main__":
    for name, content in manifests().items():
        (DEPLOY / name).write_text(content, encoding="utf-8")
