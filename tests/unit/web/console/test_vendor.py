"""The vendored libraries: the files are those that `make vendor` writes, with their licenses."""

import base64
import hashlib
import json

import pytest

from financehub_web.console.static_files import FOLDER

_VENDOR = FOLDER / "vendor"
_LISTING = json.loads((_VENDOR / "vendor.json").read_text())


@pytest.mark.parametrize("package", _LISTING, ids=lambda package: package["name"])
def test_vendored_files_have_the_listed_hashes(package: dict[str, object]) -> None:
    """Nobody has changed a vendored file by hand."""
    files = package["files"]
    assert isinstance(files, dict)
    for name, integrity in files.items():
        digest = hashlib.sha512((_VENDOR / name).read_bytes()).digest()
        assert f"sha512-{base64.b64encode(digest).decode()}" == integrity, name


def test_every_vendored_file_is_listed_with_a_license() -> None:
    """No file in the folder comes from anywhere else, and each package has its license next to it."""
    listed = {name for package in _LISTING for name in package["files"]}
    assert {path.name for path in _VENDOR.iterdir()} == {*listed, "vendor.json"}
    for package in _LISTING:
        assert any(name.endswith("LICENSE.txt") for name in package["files"]), package["name"]
