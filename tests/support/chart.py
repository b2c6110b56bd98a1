"""Renders the chart with Helm, without a cluster, and gives access to the resources."""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import helm_python
import jsonschema_rs
import yaml

from support.renderings import kept

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "financehub"
RELEASE = "financehub"
NAMESPACE = "market"

Document = dict[str, Any]


class _Loader(yaml.CSafeLoader):
    """A YAML loader that refuses duplicate keys, because Kubernetes would silently use the last one."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> Document:
    keys = [key.value for key, _ in node.value]
    assert len(set(keys)) == len(keys), f"duplicate key in {sorted(keys)}"
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


@cache
def chart() -> helm_python.Chart:
    """Return the chart of this checkout. It is read once."""
    return helm_python.Chart.load(CHART)


@cache
def _without_schema() -> helm_python.Chart:
    """Return the chart without its schema, which Helm compiles again in each rendering, for a third of the time."""
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(CHART, Path(folder) / CHART.name)
        (copy / "values.schema.json").unlink()
        return helm_python.Chart.load(copy)


@cache
def _schema() -> jsonschema_rs.Draft7Validator:
    return jsonschema_rs.Draft7Validator(chart().schema or {})


def fits_schema(values: Document) -> bool:
    """Whether the chart's schema accepts these values together with the defaults. A test checks that Helm agrees."""
    return _schema().is_valid(chart().merge_values(values))


def _to_render(values: Document) -> helm_python.Chart:
    """Return the chart with which Helm renders these values as fast as possible. Helm itself refuses wrong values."""
    return _without_schema() if fits_schema(values) else chart()


@dataclass(frozen=True)
class Manifests:
    """The rendered resources of a release.

    Args:
        documents: All resources, including hooks.
        notes: The notes that Helm prints after an install.
        digest: A hash of all bytes that Helm printed.
    """

    documents: list[Document]
    notes: str
    digest: str

    def all(self, *kinds: str) -> list[Document]:
        """Return all resources of these kinds."""
        return [each for each in self.documents if each["kind"] in kinds]

    def has(self, kind: str, name: str) -> bool:
        """Whether a resource of this kind and name exists."""
        return any(each["metadata"]["name"] == name for each in self.all(kind))

    def one(self, kind: str, name: str) -> Document:
        """Return the resource of this kind and name.

        Raises:
            AssertionError: There is not exactly one.
        """
        found = [each for each in self.all(kind) if each["metadata"]["name"] == name]
        assert len(found) == 1, f"{len(found)} of {kind} {name} among {sorted(map(label, self.documents))}"
        return found[0]

    def deployment(self, component: str) -> Document:
        """Return the Deployment of a tier, the scheduler, the console or the simulator."""
        return self.one("Deployment", f"{RELEASE}-{component}")

    def pods(self) -> dict[str, Document]:
        """Return every pod template, with metadata and spec, by the kind and name of its resource."""
        return {
            label(each): each if each["kind"] == "Pod" else each["spec"]["template"]
            for each in self.all("Deployment", "StatefulSet", "Job", "Pod")
        }

    def containers(self) -> Iterator[tuple[str, Document]]:
        """Yield every container with the kind and name of its resource."""
        for name, pod in self.pods().items():
            for container in pod["spec"]["containers"] + pod["spec"].get("initContainers", []):
                yield name, container

    def environment(self, component: str) -> dict[str, Any]:
        """Return the environment variables of a tier, the scheduler or the console: their values or their sources."""
        (container,) = self.deployment(component)["spec"]["template"]["spec"]["containers"]
        found: dict[str, Any] = {}
        for source in container["envFrom"]:
            if reference := source.get("configMapRef"):
                found |= self.one("ConfigMap", reference["name"])["data"]
        return found | {each["name"]: each.get("value", each.get("valueFrom")) for each in container.get("env") or []}


def label(document: Document) -> str:
    """Return the kind and name of a resource, for messages."""
    return f"{document['kind']}/{document['metadata']['name']}"


def render(
    values: Document | None = None,
    *,
    release: str = RELEASE,
    namespace: str = NAMESPACE,
    of: helm_python.Chart | None = None,
) -> Manifests:
    """Return what `helm install` with these values would create.

    The chart of this checkout is rendered once in a test run for each combination of arguments.

    Args:
        values: Values to merge over the defaults.
        release: The name of the release.
        namespace: The namespace of the release.
        of: The chart to render. It defaults to the chart of this checkout.

    Raises:
        helm_python.HelmError: The schema or a template refuses the values.
    """
    if of is not None:
        return rendered_now(values or {}, release, namespace, of)
    key = (values or {}, release, namespace)
    return kept(key, lambda: rendered_now(*key), helm_python.HelmError)


def rendered_now(
    values: Document, release: str = RELEASE, namespace: str = NAMESPACE, of: helm_python.Chart | None = None
) -> Manifests:
    """Return what `render` returns, from Helm and not from an earlier call.

    Arguments and errors are those of `render`.
    """
    rendered = (of or _to_render(values)).render(values, name=release, namespace=namespace)
    notes = "".join(text for path, text in rendered.items() if Path(path).name == "NOTES.txt")
    texts = [text for path, text in rendered.items() if Path(path).name != "NOTES.txt"]
    documents = [document for text in texts for document in yaml.load_all(text, Loader=_Loader) if document]
    digest = hashlib.sha256(repr(sorted(rendered.items())).encode()).hexdigest()
    return Manifests(documents, notes, digest)


def refusal(values: Document, release: str = RELEASE) -> str:
    """Return the message with which the chart refuses these values or this release name.

    Raises:
        AssertionError: The chart accepts them.
    """
    try:
        render(values, release=release)
    except helm_python.HelmError as error:
        return str(error)
    raise AssertionError(f"not refused: {values}")
