"""Values of the chart in which every string is the same, and what its formats say about them."""

import json
import re
from typing import Any

from chart.notation import Node, formats, resolved, values

#: Keys that the templates expect in maps whose keys the user chooses.
_KEYS = {"tiers": "high", "schedules": "fetch-news", "requests": "memory", "limits": "memory"}
#: Strings with which people fill in values: of another value, with a typing error, or in a notation of another tool.
WRONG = (
    *(
        "",
        " ",
        "-",
        ".",
        "..",
        "/",
        ":",
        "@",
        "a b",
        " a",
        "a ",
        "a\n",
        "A",
        "Ä",
        "é",
        "a_b",
        "a/b",
        "a//b",
        "/a",
        "a/",
    ),
    *(
        "https://registry.example.com",
        "http:/a",
        "registry.example.com/",
        "a:1:2",
        "a@b",
        "A.example.com",
        "a..b",
        "-a",
    ),
    *(
        "a-",
        "latest",
        ":1.0",
        "v1@sha256:abc",
        "sha256:abc",
        "512mb",
        "512 Mi",
        "1GB",
        "0Mi",
        "-1",
        "+1",
        "1e",
        "Mi",
        "m",
    ),
    *(
        "0%",
        "101%",
        "5 %",
        "30",
        "30 s",
        "1h",
        "-5m",
        "soon",
        "1m1h",
        "redis:host",
        "host:6379",
        "redis://",
        "10.0.0.1",
    ),
    *(
        "10.0.0.0/",
        "10.0/8",
        "team.py",
        "team/worker",
        "1team",
        "team..worker",
        "team:",
        "web",
        "scheduler",
        "helm.sh/a",
    ),
    *(
        "app.kubernetes.io/name",
        "a" * 64,
        "a" * 254,
        "{{ .Release.Name }}",
        "${NAME}",
        "null",
        "~",
        '"a"',
        "'a'",
        "a,b",
    ),
)


#: The schema itself refuses longer strings in the spec of a schedule.
LONGEST_IN_SPEC = 60


def everywhere(text: Any, key: str | None = None) -> dict[str, Any]:
    """Return values in which each string is this text, with one entry in each list and map.

    Args:
        text: The text, or another value.
        key: The key of entries whose keys have a format. By default, it is a valid one.
    """
    found: dict[str, Any] = _filled(values(), (), text, key)
    return found


def _filled(node: Node, path: tuple[str, ...], text: Any, key: str | None) -> Any:
    node = resolved(node)
    if node.reference == "scheduledTaskSpec":
        short = "example" if isinstance(text, str) and len(text) > LONGEST_IN_SPEC else text
        return {"task": short, "queue": short, "after": short}
    if "string" in node.kinds and not node.choices:
        return text
    if node.items and not node.values:
        item = _filled(node.items, (*path, "0"), text, key)
        return None if item is None else [item]
    if node.values:
        name = _KEYS.get(path[-1], "example") if key is None or not node.keys else key
        each = _filled(node.values, (*path, name), text, key)
        return None if each is None else {name: each}
    if node.properties:
        filled = {name: _filled(each, (*path, name), text, key) for name, each in node.properties.items()}
        return {name: each for name, each in filled.items() if each is not None}
    return node.choices[0] if node.choices else None


def mistake(format: str, filled: bool, text: str) -> tuple[str, str] | None:
    """Return what is wrong with a text and what to write, or None if it has the format.

    Args:
        format: The name of the format.
        filled: Whether the empty string is refused.
        text: The text.
    """
    checks = formats()[format].checks
    if not text:
        return ("is empty", checks[-1]["write"] if checks else "write a text") if filled else None
    for check in checks:
        pattern = check.get("refuse") or check["require"]
        # In Go, `$` is the end of the text, but in Python it is also before a newline at the end.
        is_found = re.search(pattern.replace("$", r"\Z"), text) is not None
        if is_found == ("refuse" in check):
            return check["wrong"], check["write"]
    return None


def strings(node: Node | None = None, path: str = "", key: str | None = None) -> dict[str, Node]:
    """Return the node of each string of `everywhere` by its path, as messages write it."""
    node = resolved(values() if node is None else node)
    if node.reference == "scheduledTaskSpec":
        names = {"task": "task-name", "queue": "schedule-queue", "after": "schedule-name"}
        return {f"{path}.{name}": Node(name, kinds=("string",), format=each) for name, each in names.items()}
    if "string" in node.kinds and not node.choices:
        return {path: node}
    if node.items and not node.values:
        return strings(node.items, f"{path}[0]", key)
    found: dict[str, Node] = {}
    if node.values:
        name = _KEYS.get(path.rpartition(".")[2], "example") if key is None or not node.keys else key
        found |= strings(node.values, f"{path}.{name}", key)
    for name, each in node.properties.items():
        found |= strings(each, f"{path}.{name}".lstrip("."), key)
    return found


def _shown(key: str) -> str:
    """Return a key as messages write it in a path."""
    return key if re.fullmatch(r"[-A-Za-z0-9_./]+", key) else json.dumps(key, ensure_ascii=False)


def keyed(node: Node | None = None, path: str = "", key: str = "") -> dict[str, str]:
    """Return the format of each key of `everywhere` whose format is checked, by the path of its entry."""
    node = resolved(values() if node is None else node)
    if node.items and not node.values:
        return keyed(node.items, f"{path}[0]", key)
    found: dict[str, str] = {}
    if node.values:
        name = key if node.keys else _KEYS.get(path.rpartition(".")[2], "example")
        if node.keys:
            found[f"{path}.{_shown(name)}"] = node.keys
        found |= keyed(node.values, f"{path}.{_shown(name)}", key)
    for name, each in node.properties.items():
        found |= keyed(each, f"{path}.{name}".lstrip("."), key)
    return found
