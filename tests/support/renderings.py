"""Keeps what Helm rendered for all processes of a test run, because each rendering takes a tenth of a second."""

import hashlib
import json
import os
import pickle
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Rendered = TypeVar("Rendered")

#: The variable with the folder of the run, which the first process sets and all others inherit.
FOLDER_VARIABLE = "TEST_RENDERINGS"


def kept(key: object, compute: Callable[[], Rendered], refusal: type[Exception]) -> Rendered:
    """Return what an earlier call with an equal key computed in this run, or compute it.

    Each caller gets a copy, so that a test may change what it gets. A refusal is kept as well.

    Args:
        key: Everything that the result depends on, except the chart, which does not change during a run.
        compute: Computes the result, which can be pickled.
        refusal: The error with which `compute` refuses the key.

    Raises:
        refusal: `compute` refuses the key.
    """
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder is None:
        return compute()
    # The order of keys is a part of the key, and so is the type of a number, because JSON distinguishes 1 and 1.0.
    file = Path(folder) / hashlib.sha256(json.dumps(key).encode()).hexdigest()
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        try:
            outcome: Rendered | Exception = compute()
        except refusal as error:
            outcome = error
        content = zlib.compress(pickle.dumps(outcome), level=1)
        _write(file, content)
    found: Rendered | Exception = pickle.loads(zlib.decompress(content))  # noqa: S301 — a process of this run wrote it
    if isinstance(found, Exception):
        raise found
    return found


def _write(file: Path, content: bytes) -> None:
    """Write a file that other processes never see in part."""
    with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as part:
        part.write(content)
    Path(part.name).replace(file)
