# ruff: noqa: INP001 — a script, not a package
"""`make manifests`: write deploy/operator/crd.yaml and admission-policy.yaml from the models and the catalogue."""

from pathlib import Path
from typing import Any

import yaml

from financehub_scheduler.manifests import admission, definition

TARGET = Path(__file__).parents[3] / "deploy/operator"
_HEAD = "# Made by `make manifests` from {}; do not edit.\n"


def text(source: str, *documents: dict[str, Any]) -> str:
    """Manifests as they are committed."""
    return _HEAD.format(source) + yaml.safe_dump_all(documents, sort_keys=False, width=120, allow_unicode=True)


def manifests() -> dict[str, str]:
    """File name → content."""
    source = "services/scheduler/src/financehub_scheduler"
    return {
        "crd.yaml": text(f"{source}/model.py", definition.definition()),
        "admission-policy.yaml": text(f"{source}/manifests/admission.py", *admission.manifests()),
    }


if __name__ == "__main__":
    for name, content in manifests().items():
        (TARGET / name).write_text(content, encoding="utf-8")
