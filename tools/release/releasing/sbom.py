"""Describes what an image contains as a bill of materials in the format CycloneDX 1.6."""

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cyclonedx.model import Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense, LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from releasing.licenses import Row

_NAMESPACE = uuid.UUID("1b2c0b0e-6a0f-5d0e-9f0c-6b1f6f3c9a11")
_OWN_LICENSE = "MIT"


def describe(image: str, version: str, inventory: Mapping[str, Any], table: Mapping[str, Row], epoch: int) -> str:
    """Return the bill of materials of an image as JSON. The same arguments give the same text.

    Args:
        image: The name of the image, such as `web`.
        version: The version of FinanceHub.
        inventory: What `inside.py` printed in the image.
        table: The reviewed licenses, which take precedence over the metadata of the distributions.
        epoch: The time of the release in Unix seconds.
    """
    whole = Component(
        type=ComponentType.CONTAINER,
        name=f"financehub/{image}",
        version=version,
        bom_ref=f"financehub/{image}",
        licenses=[DisjunctiveLicense(id=_OWN_LICENSE)],
    )
    system = inventory["system"]
    base = Component(
        type=ComponentType.OPERATING_SYSTEM, name=system["id"], version=system["version"], bom_ref=f"os/{system['id']}"
    )
    python = Component(
        type=ComponentType.PLATFORM,
        name="python",
        version=inventory["python"],
        bom_ref="python",
        licenses=[DisjunctiveLicense(id="PSF-2.0")],
        purl=PackageURL("generic", name="python", version=inventory["python"]),
    )
    distributions = {_key(one): _distribution(one, table) for one in inventory["distributions"]}
    packages = [_package(one, system["id"]) for one in inventory["packages"]]
    scripts = [_script(one) for one in inventory["scripts"]]
    content = json.dumps([image, version, inventory], sort_keys=True)
    bom = Bom(
        serial_number=uuid.uuid5(_NAMESPACE, content),
        components=[base, python, *distributions.values(), *scripts, *packages],
        metadata=BomMetaData(component=whole, timestamp=datetime.fromtimestamp(epoch, UTC)),
    )
    bom.register_dependency(whole, [base, python, *distributions.values(), *scripts])
    bom.register_dependency(base, packages)
    for one in inventory["distributions"]:
        bom.register_dependency(distributions[_key(one)], _required(one, distributions))
    return JsonV1Dot6(bom).output_as_string(indent=1) + "\n"


def _key(one: Mapping[str, Any]) -> tuple[str, str]:
    return canonicalize_name(one["name"]), one["version"]


def _distribution(one: Mapping[str, Any], table: Mapping[str, Row]) -> Component:
    name = canonicalize_name(one["name"])
    license = table[name].license if name in table else one["license_expression"]
    purl = PackageURL("pypi", name=name, version=one["version"])
    return Component(
        type=ComponentType.LIBRARY,
        name=one["name"],
        version=one["version"],
        description=one["summary"] or None,
        licenses=[LicenseExpression(license)] if license else None,
        purl=purl,
        bom_ref=str(purl),
        properties=[Property(name="financehub:folder", value=one["folder"])],
    )


def _package(one: Mapping[str, str], system: str) -> Component:
    qualifiers = {"arch": one["architecture"]}
    purl = PackageURL("deb", system, one["package"], one["version"], qualifiers)
    source = [Property(name="financehub:source-package", value=one["source"])] if one["source"] else []
    return Component(
        type=ComponentType.LIBRARY,
        name=one["package"],
        version=one["version"],
        purl=purl,
        bom_ref=str(purl),
        properties=source,
    )


def _script(one: Mapping[str, str]) -> Component:
    purl = PackageURL("npm", name=one["name"], version=one["version"])
    return Component(
        type=ComponentType.LIBRARY,
        name=one["name"],
        version=one["version"],
        licenses=[DisjunctiveLicense(id=one["license"])],
        purl=purl,
        bom_ref=str(purl),
    )


def _required(one: Mapping[str, Any], distributions: Mapping[tuple[str, str], Component]) -> list[Component]:
    """Return the installed distributions that a distribution requires, whatever the marker of the requirement."""
    by_name = {name: component for (name, _), component in distributions.items()}
    names = set()
    for text in one["requires"]:
        try:
            names.add(canonicalize_name(Requirement(text).name))
        except InvalidRequirement:
            # The metadata of a distribution may be older than the rules. It remains listed as a component.
            continue
    return [by_name[name] for name in sorted(names) if name in by_name]
