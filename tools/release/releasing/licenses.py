"""The licenses of the distributions in the requirement files: a reviewed table, and the policy that it must satisfy."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from license_expression import ExpressionError, LicenseSymbol, get_spdx_licensing

from releasing.errors import ReleaseError
from releasing.version import ROOT

TABLE = ROOT / "tools" / "release" / "licenses.tsv"
_PINNED = re.compile(r"^([\w.-]+)==([^\s;]+)(?:\s*;\s*([^\\]+))?", re.MULTILINE)
_SPDX = get_spdx_licensing()
#: No distribution may be under one of these, because they would apply to FinanceHub or to its users.
_REFUSED = re.compile(r"^(?:AGPL|GPL|SSPL|RSAL|BUSL|CC-BY-NC|Elastic)")
#: These apply to the distribution alone, so a reviewer decides, and writes down what makes the use right.
_TO_REVIEW = re.compile(r"^(?:LGPL|MPL|EPL|CDDL|EUPL|OSL)")


@dataclass(frozen=True, slots=True)
class Row:
    """What is known about the license of one distribution.

    Args:
        name: Its normalized name.
        license: An SPDX expression.
        review: What a reviewer found out, or "".
    """

    name: str
    license: str
    review: str


@dataclass(frozen=True, slots=True)
class Pin:
    """One line of a requirement file.

    Args:
        name, version: The distribution.
        marker: The environments in which it is installed, or "" for all.
    """

    name: str
    version: str
    marker: str


def read_pins(path: Path) -> list[Pin]:
    """Return the distributions of a requirement file.

    Args:
        path: The file.
    """
    return [Pin(name, version, marker.strip()) for name, version, marker in _PINNED.findall(path.read_text("utf-8"))]


def read_table(path: Path = TABLE) -> dict[str, Row]:
    """Return the reviewed table by name.

    Args:
        path: The file.

    Raises:
        ReleaseError: A line has no license, or one that is not an SPDX expression.
    """
    table = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("#"):
            continue
        name, license, review = [*line.split("\t"), "", ""][:3]
        try:
            _SPDX.parse(license, validate=True)
        except ExpressionError as error:
            raise ReleaseError(
                f"{path.name}:{number}: {name} has the license {license!r} ({error}); write an SPDX expression"
            ) from error
        if not license:
            raise ReleaseError(f"{path.name}:{number}: {name} has no license; write an SPDX expression after a tab")
        table[name] = Row(name, license, review)
    return table


def alternatives(license: str) -> list[set[str]]:
    """Return the sets of licenses of which one must be kept: an `OR` gives several sets, an `AND` one larger set.

    Args:
        license: An SPDX expression.
    """

    def expand(node: object) -> list[set[str]]:
        if isinstance(node, LicenseSymbol):
            return [{str(node.key)}]
        children = [expand(child) for child in getattr(node, "args", ())]
        if not children:
            return [{str(node)}]
        if isinstance(node, _SPDX.OR):
            return [one for child in children for one in child]
        combined: list[set[str]] = [set()]
        for child in children:
            combined = [left | right for left in combined for right in child]
        return combined

    return expand(_SPDX.parse(license))


def problems(names: Iterable[str], table: dict[str, Row]) -> list[str]:
    """Return what is wrong with the licenses of these distributions, one sentence each.

    Args:
        names: Normalized names of distributions.
        table: The reviewed table.
    """
    found = []
    for name in sorted(set(names)):
        row = table.get(name)
        if row is None:
            found.append(f"{name} is missing in {TABLE.name}; add a line with its license as an SPDX expression")
            continue
        choices = [one for one in alternatives(row.license) if not any(_REFUSED.match(each) for each in one)]
        if not choices:
            found.append(f"{name} is under {row.license}, which is refused; use another distribution")
        elif not row.review and all(any(_TO_REVIEW.match(each) for each in one) for one in choices):
            found.append(f"{name} is under {row.license}; write in {TABLE.name} what makes its use right")
    return found
