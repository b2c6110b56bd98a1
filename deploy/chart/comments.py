"""Reads the descriptions of values.yaml: the comments above each key, in the format of helm-docs."""

from collections.abc import Iterator

import yaml

_BEGINNING = "# -- "
_CONTINUATION = "# "


def descriptions(values: str) -> dict[str, str]:
    """Return the description of each key that has one, by its path such as `web.service.port`.

    Args:
        values: The text of values.yaml. A description begins with `# -- ` and ends directly above its key.
    """
    lines = values.splitlines()
    root = yaml.compose(values, Loader=yaml.SafeLoader)
    found: dict[str, str] = {}
    for path, line in _keys(root, ()):
        if text := _above(lines, line):
            found[".".join(path)] = text
    return found


def _keys(node: yaml.Node | None, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
    """Yield the path and the line of each key."""
    if not isinstance(node, yaml.MappingNode) or node.flow_style:
        return
    for key, value in node.value:
        inner = (*path, key.value)
        yield inner, key.start_mark.line
        yield from _keys(value, inner)


def _above(lines: list[str], line: int) -> str:
    """Return the description directly above a line, in one line."""
    indent = lines[line][: len(lines[line]) - len(lines[line].lstrip())]
    parts: list[str] = []
    for text in reversed(lines[:line]):
        if text.startswith(indent + _BEGINNING):
            return " ".join([text.removeprefix(indent + _BEGINNING), *parts])
        if not text.startswith(indent + _CONTINUATION):
            return ""
        parts.insert(0, text.removeprefix(indent + _CONTINUATION).strip())
    return ""
