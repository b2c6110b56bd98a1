"""Checks rendered documents with Kubernetes's own schemas, each of which is compiled once."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import kubernetes_validate

from support.chart import Document, label

_FOLDER = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"


@cache
def _definitions(version: str) -> dict[str, Any]:
    """Return the definitions of a version. Unknown fields are errors in them."""
    (folder,) = _FOLDER.glob(f"v{version}.*-local-strict")
    definitions: dict[str, Any] = json.loads((folder / "_definitions.json").read_text(encoding="utf-8"))
    return definitions


@cache
def _of_kind(kind: str, api_version: str, version: str) -> jsonschema_rs.Draft202012Validator:
    (folder,) = _FOLDER.glob(f"v{version}.*-local-strict")
    group = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api_version)
    schema = json.loads((folder / f"{kind.lower()}-{group}.json").read_text(encoding="utf-8"))
    # The references of the schema are to the address of the definitions, which thus have to be at the top.
    return jsonschema_rs.Draft202012Validator({**schema, **_definitions(version)})


def faults(documents: list[Document], version: str) -> list[str]:
    """Return what a version of Kubernetes would refuse in documents of its own kinds, with their names.

    Args:
        documents: Rendered documents.
        version: The minor version, such as 1.34.
    """
    return [
        f"{label(document)}: {'.'.join(map(str, error.instance_path))}: {error.message[:300]}"
        for document in documents
        for error in _of_kind(document["kind"], document["apiVersion"], version).iter_errors(document)
    ]
