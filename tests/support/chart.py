"""The chart as data: rendered by Helm itself, without a cluster."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import helm_python
import yaml

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "financehub"
RELEASE = "financehub"
NAMESPACE = "market"

Document = dict[str, Any]


class _Loader(yaml.CSafeLoader):
    """YAML in which a key stands once: of two, Kubernetes would take the later without a word."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> Document:
    keys = [key.value for key, _ in node.value]
    assert len(set(keys)) == len(keys), f"a key stands twice: {sorted(keys)}"
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


@cache
def chart() -> helm_python.Chart:
    """The chart as it lies in the tree, read once."""
    return helm_python.Chart.load(CHART)


@dataclass(frozen=True)
class Manifests:
    """What a release would consist of.

    Args:
        documents: every resource, hooks among them.
        notes: what Helm prints after an install.
    """

    documents: list[Document]
    notes: str

    def all(self, *kinds: str) -> list[Document]:
        """Every resource of these kinds."""
        return [each for each in self.documents if each["kind"] in kinds]

    def has(self, kind: str, name: str) -> bool:
        """Whether there is such a resource."""
        return any(each["metadata"]["name"] == name for each in self.all(kind))

    def one(self, kind: str, name: str) -> Document:
        """The resource of this kind and name.

        Raises:
            AssertionError: there is none, or there are two.
        """
        found = [each for each in self.all(kind) if each["metadata"]["name"] == name]
        assert len(found) == 1, f"{len(found)} of {kind} {name} among {sorted(map(label, self.documents))}"
        return found[0]

    def deployment(self, component: str) -> Document:
        """The Deployment of a tier, the scheduler or the simulator."""
        return self.one("Deployment", f"{RELEASE}-{component}")

    def pods(self) -> dict[str, Document]:
        """Name of whatever starts it → template of a pod (metadata and spec)."""
        return {
            label(each): each if each["kind"] == "Pod" else each["spec"]["template"]
            for each in self.all("Deployment", "StatefulSet", "Job", "Pod")
        }

    def containers(self) -> Iterator[tuple[str, Document]]:
        """Name of whatever starts it, and each container."""
        for name, pod in self.pods().items():
            for container in pod["spec"]["containers"] + pod["spec"].get("initContainers", []):
                yield name, container

    def environment(self, component: str) -> dict[str, Any]:
        """What a tier or the scheduler finds in its environment: values, or where they are read from."""
        (container,) = self.deployment(component)["spec"]["template"]["spec"]["containers"]
        found: dict[str, Any] = {}
        for source in container["envFrom"]:
            if reference := source.get("configMapRef"):
                found |= self.one("ConfigMap", reference["name"])["data"]
        return found | {each["name"]: each.get("value", each.get("valueFrom")) for each in container["env"] or []}


def label(document: Document) -> str:
    """Kind and name, for messages."""
    return f"{document['kind']}/{document['metadata']['name']}"


def render(
    values: Document | None = None,
    *,
    release: str = RELEASE,
    namespace: str = NAMESPACE,
    of: helm_python.Chart | None = None,
) -> Manifests:
    """What `helm install` with these values would create.

    Args:
        values: over the chart's own.
        release: its name.
        namespace: where it is.
        of: another chart than the tree's.

    Raises:
        helm_python.HelmError: the schema or a template refuses them.
    """
    rendered = (of or chart()).render(values or {}, name=release, namespace=namespace)
    texts = {Path(path).name: text for path, text in rendered.items()}
    notes = texts.pop("NOTES.txt", "")
    documents = [document for text in texts.values() for document in yaml.load_all(text, Loader=_Loader) if document]
    return Manifests(documents, notes)


def refusal(values: Document, release: str = RELEASE) -> str:
    """The message with which these values are refused, or the name of the release.

    Raises:
        AssertionError: they are not.
    """
    try:
        render(values, release=release)
    except helm_python.HelmError as error:
        return str(error)
    raise AssertionError(f"not refused: {values}")
