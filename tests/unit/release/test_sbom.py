"""Tests of the bills of materials: complete, valid, and the same whenever they are written."""

import importlib.metadata
import json
import os
import subprocess
import sys
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.utils import canonicalize_name

from releasing.licenses import read_pins, read_table
from releasing.sbom import describe
from releasing.version import ROOT

INSIDE = ROOT / "tools" / "release" / "releasing" / "inside.py"
EPOCH = 1_790_000_000


@pytest.fixture(scope="module")
def inventory() -> dict[str, Any]:
    """What the program that runs in images prints on this machine."""
    done = subprocess.run([sys.executable, "-"], input=INSIDE.read_bytes(), capture_output=True, check=True)
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def small(inventory: dict[str, Any]) -> dict[str, Any]:
    """An inventory as small as that of the image web, because the library needs milliseconds for each component."""
    names = {pin.name for pin in read_pins(ROOT / "requirements" / "web.txt")}
    chosen = [one for one in inventory["distributions"] if canonicalize_name(one["name"]) in names]
    return {**inventory, "distributions": chosen, "packages": inventory["packages"][:10]}


def _describe(inventory: dict[str, Any]) -> str:
    return describe("web", "1.2.3", inventory, read_table(), EPOCH)


def test_inventory_lists_every_installed_distribution(inventory: dict[str, Any]) -> None:
    """The inventory has each distribution that this Python finds, with its version."""
    installed = {(one.name, one.version) for one in importlib.metadata.distributions()}
    assert installed <= {(one["name"], one["version"]) for one in inventory["distributions"]}


def test_bill_is_valid_for_the_schema_of_cyclonedx(small: dict[str, Any]) -> None:
    """The strict schema of CycloneDX 1.6 accepts the bill."""
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(_describe(small)) is None


def test_bill_lists_each_distribution_and_package_with_its_license(small: dict[str, Any]) -> None:
    """Each distribution and Debian package is a component, and the reviewed license takes precedence."""
    components = json.loads(_describe(small))["components"]
    found = {(one["name"], one["version"]): one for one in components}
    assert found.keys() >= {(one["name"], one["version"]) for one in small["distributions"]}
    assert found.keys() >= {(one["package"], one["version"]) for one in small["packages"]}
    assert found["python", small["python"]]["type"] == "platform"
    dramatiq = found["dramatiq", importlib.metadata.version("dramatiq")]
    assert dramatiq["licenses"] == [{"expression": "LGPL-3.0-or-later"}]
    assert dramatiq["purl"] == f"pkg:pypi/dramatiq@{dramatiq['version']}"


def test_bill_lists_the_scripts_of_the_console() -> None:
    """The JavaScript libraries that the console ships are components, from the list beside them."""
    vendor = ROOT / "services/web/src/financehub_web/console/static/vendor/vendor.json"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "services/web/src")}
    done = subprocess.run(
        [sys.executable, "-"], input=INSIDE.read_bytes(), env=environment, capture_output=True, check=True
    )
    found = {**json.loads(done.stdout), "distributions": [], "packages": []}
    names = {one["name"]: one["version"] for one in json.loads(vendor.read_text(encoding="utf-8"))}
    components = [one for one in json.loads(_describe(found))["components"] if one["bom-ref"].startswith("pkg:npm/")]
    assert {one["name"]: one["version"] for one in components} == names
    assert all(one["licenses"] for one in components)


def test_bill_contains_the_dependencies(small: dict[str, Any]) -> None:
    """The graph leads from the image to each distribution, and from a distribution to those that it requires."""
    bill = json.loads(_describe(small))
    graph = {one["ref"]: set(one.get("dependsOn", ())) for one in bill["dependencies"]}
    reference = {canonicalize_name(one["name"]): one["bom-ref"] for one in bill["components"]}
    assert reference["dramatiq"] in graph["financehub/web"]
    assert reference["starlette"] in graph[reference["fastapi"]]


def test_bill_depends_on_its_arguments_only(small: dict[str, Any]) -> None:
    """Two bills of one image are equal, and those of different contents have different serial numbers."""
    assert _describe(small) == _describe(small)
    other = {**small, "distributions": small["distributions"][1:]}
    serials = {json.loads(_describe(each))["serialNumber"] for each in (small, other)}
    assert len(serials) == 2
    assert json.loads(_describe(small))["metadata"]["timestamp"].startswith("2026-09-")


def test_bill_of_an_image_without_debian_is_valid(small: dict[str, Any]) -> None:
    """An image of another system has no Debian packages, and its bill is valid too."""
    text = _describe({**small, "packages": [], "system": {"id": "other", "version": "", "name": ""}})
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
