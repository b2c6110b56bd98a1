"""Generates NOTICE: what FinanceHub's images carry besides its own code, and under which licenses."""

import runpy
from collections.abc import Mapping
from pathlib import Path

from packaging.markers import Marker

from releasing.errors import ReleaseError
from releasing.licenses import Pin, Row, problems, read_pins, read_table
from releasing.version import ROOT

#: The environments of the images: Debian's Python and the newest of its minor version.
_ENVIRONMENTS = [
    {"python_version": "3.11", "python_full_version": version, "sys_platform": "linux", "platform_system": "Linux"}
    for version in ("3.11.2", "3.11.99")
]
_HEAD = """\
FinanceHub
Copyright (c) 2026 The FinanceHub maintainers

FinanceHub is under the MIT license, which is in the file LICENSE. Its images also contain the works below, each under a
license of its authors. `make notice` generates this file from requirements/*.txt and tools/release/licenses.tsv.

The texts of the licenses of Python distributions are in the images, in
/opt/financehub/lib/python3.11/site-packages/<name>-<version>.dist-info/, and those of Debian packages in
/usr/share/doc/<package>/copyright. The release contains a bill of materials of each image (sbom-<image>.cdx.json),
which also lists the Debian packages and the Python distributions of the base image.

Base image: Python (PSF-2.0) on Debian. Some of Debian's packages are under the GPL or the LGPL. FinanceHub does not
change them, and Debian offers their sources.
"""
_COPYLEFT = """
Distributions whose license applies to them alone, as a reviewer found:
"""
_DISTRIBUTIONS = """
Python distributions, with the images that contain them:
"""
_SCRIPTS = """
JavaScript libraries of the console, in the image web, with their license texts next to them:
"""
_MORE = """
TradingView Lightweight Charts (TM), Copyright (c) TradingView, Inc., https://www.tradingview.com/

The exchange calendars in FinanceHub's own code are generated with the library exchange_calendars (Apache-2.0).
"""


def render(root: Path = ROOT) -> str:
    """Return the content of NOTICE.

    Args:
        root: The root of the repository.

    Raises:
        ReleaseError: The license of a distribution is unknown or refused.
    """
    table = read_table(root / "tools" / "release" / "licenses.tsv")
    carried = _carried(root)
    if wrong := problems((pin.name for pin in carried), table):
        raise ReleaseError("\n".join(wrong))
    lines = [
        f"  {pin.name} {pin.version} ({table[pin.name].license}): {', '.join(names)}" for pin, names in carried.items()
    ]
    return "".join(
        [
            _HEAD,
            _DISTRIBUTIONS,
            "\n".join(lines) + "\n",
            _COPYLEFT,
            _reviews({pin.name for pin in carried}, table),
            _SCRIPTS,
            _scripts(root),
            _MORE,
        ]
    )


def _carried(root: Path) -> dict[Pin, list[str]]:
    """Return each distribution that images carry, with the names of these images."""
    found: dict[Pin, list[str]] = {}
    for folder in sorted((root / "services").iterdir()):
        path = root / "requirements" / f"{folder.name}.txt"
        if path.exists():
            for pin in read_pins(path):
                if not pin.marker or any(Marker(pin.marker).evaluate(one) for one in _ENVIRONMENTS):
                    found.setdefault(Pin(pin.name, pin.version, ""), []).append(folder.name)
    return dict(sorted(found.items(), key=lambda item: (item[0].name, item[0].version)))


def _reviews(names: set[str], table: Mapping[str, Row]) -> str:
    rows = [table[name] for name in sorted(names) if table[name].review]
    return "".join(f"  {row.name} ({row.license}): {row.review}\n" for row in rows)


def _scripts(root: Path) -> str:
    vendor = runpy.run_path(str(root / "services" / "web" / "tools" / "vendor.py"))
    return "".join(f"  {one.name} {one.version} ({one.license})\n" for one in vendor["PACKAGES"])
