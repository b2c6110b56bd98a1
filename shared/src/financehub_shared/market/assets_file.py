"""Reads the assets file, which is YAML, and reports all of its problems with file and line."""

from pathlib import Path
from typing import Any, BinaryIO

import yaml

from financehub_shared.core.errors import ConfigError
from financehub_shared.core.models import Asset
from financehub_shared.market.asset_entry import read_entry

#: Largest number of assets in a file. Their bars, series and quotes take 43 kB each, so 5,000 take 215 MB.
MAX_ASSETS = 5_000
#: Largest size of a file in bytes, which is also the largest size of a ConfigMap.
MAX_FILE_BYTES = 1_048_576
_SHAPE = "expected a mapping with one list: `assets: [{symbol: BTC-USD, type: crypto}, …]`"
_TOO_DEEP = "invalid YAML: lists and mappings are nested too deeply, or contain themselves"


class AssetsFileError(ConfigError):
    """The assets file is invalid; nothing in it is applied.

    Args:
        problems: One line per problem: file, line, problem and fix.
    """

    def __init__(self, problems: list[str]) -> None:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(problems[0] + more)
        self.problems = problems


def load_assets(path: Path) -> list[Asset]:
    """Read and check an assets file.

    Raises:
        AssetsFileError: The file cannot be read or is invalid.
    """
    try:
        with path.open("rb") as file:
            return read_assets(file, str(path))
    except OSError as error:
        raise AssetsFileError([f"{path}: {error.strerror}"]) from error


def read_assets(file: BinaryIO, source: str) -> list[Asset]:
    """Read and check an open assets file.

    Args:
        file: The file, or stdin.
        source: Its name, for error messages.

    Raises:
        AssetsFileError: It cannot be read or is invalid.
    """
    try:
        content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise AssetsFileError([f"{source}: is larger than {MAX_FILE_BYTES} bytes; declare fewer assets"])
        return parse_assets(content.decode(), source)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8"
        raise AssetsFileError([f"{source}: {reason}"]) from error


def parse_assets(text: str, source: str) -> list[Asset]:
    """Parse and check the contents of an assets file.

    Args:
        text: The file's contents.
        source: Name of the file, for error messages.

    Raises:
        AssetsFileError: The contents are invalid. The error lists every problem in line order.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except RecursionError as error:
        raise AssetsFileError([f"{source}: {_TOO_DEEP}"]) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{source}:{mark.line + 1}" if mark else source
        reason = getattr(error, "problem", None) or str(error)
        raise AssetsFileError([f"{where}: invalid YAML: {reason}"]) from error
    try:
        return _read_root(root, source)
    except RecursionError as error:
        raise AssetsFileError([f"{source}: {_TOO_DEEP}"]) from error


def _read_root(root: yaml.Node | None, source: str) -> list[Asset]:
    problems: list[tuple[int, str]] = []
    found: dict[str, tuple[Asset, int]] = {}
    for entry in _entries(root, problems):
        line = _line(entry)
        if not isinstance(entry, yaml.MappingNode):
            problems.append((line, "expected a mapping such as `{symbol: AAPL, type: stock}`"))
            continue
        asset, wrong = read_entry(_plain(entry, problems))
        problems += [(_line_of(entry, path), problem) for path, problem in wrong]
        if asset and asset.symbol in found:
            problems.append(
                (line, f"{asset.symbol} is declared twice; the first declaration is in line {found[asset.symbol][1]}")
            )
        elif asset:
            found[asset.symbol] = asset, line
    if len(found) > MAX_ASSETS:
        problems.append((1, f"{len(found)} assets are declared, and the limit is {MAX_ASSETS}; declare fewer"))
    if problems:
        raise AssetsFileError([f"{source}:{line}: {problem}" for line, problem in sorted(problems)])
    return [asset for asset, _ in found.values()]


def _entries(root: yaml.Node | None, problems: list[tuple[int, str]]) -> list[yaml.Node]:
    if not isinstance(root, yaml.MappingNode):
        problems.append((_line(root) if root else 1, _SHAPE))
        return []
    entries: list[yaml.Node] = []
    first = 0
    for key, value in root.value:
        if key.value != "assets":
            problems.append((_line(key), f"unknown field {_text(key)!r}; {_SHAPE}"))
        elif first:
            problems.append((_line(key), f"assets is written twice, first in line {first}; write one list"))
        elif not isinstance(value, yaml.SequenceNode):
            problems.append((_line(value), _SHAPE))
        else:
            entries, first = value.value, _line(key)
    if not root.value:
        problems.append((_line(root), _SHAPE))
    return entries


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _plain(node: yaml.MappingNode, problems: list[tuple[int, str]]) -> dict[str, Any]:
    """Convert a mapping to plain values. Scalars stay strings, since YAML 1.1 reads tickers ON and NO as booleans."""
    fields: dict[str, Any] = {}
    for key, value in node.value:
        name = _text(key)
        if name in fields:
            problems.append((_line(key), f"{name} is written twice; remove one"))
        if isinstance(value, yaml.MappingNode):
            fields[name] = _plain(value, problems)
        elif isinstance(value, yaml.SequenceNode):
            fields[name] = [item.value if isinstance(item, yaml.ScalarNode) else [] for item in value.value]
        else:
            fields[name] = value.value
    return fields


def _text(key: yaml.Node) -> str:
    """Return a key as text. YAML permits lists and mappings as keys."""
    return str(key.value) if isinstance(key, yaml.ScalarNode) else "[…]"


def _line_of(node: yaml.MappingNode, path: tuple[str | int, ...]) -> int:
    """Return the line number of the field at `path`, or of the innermost mapping along that path that exists."""
    for name in path:
        match = next(((key, value) for key, value in node.value if key.value == name), None)
        if match is None:
            return _line(node)
        if not isinstance(match[1], yaml.MappingNode):
            return _line(match[0])
        node = match[1]
    return _line(node)
