"""Tests of `extraObjects`: manifests that a user installs along with the release."""

from typing import Any

import pytest

from support.chart import RELEASE, render

_NOTES = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "notes"}, "data": {"owner": "quants"}}
_TEXT = """
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-{{ .Values.redis.passwordKey }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: second}
"""


def _names(extra: list[Any]) -> list[str]:
    return [each["metadata"]["name"] for each in render({"extraObjects": extra}).documents]


@pytest.mark.parametrize(
    ("extra", "names"),
    [
        ([_NOTES], ["notes"]),
        ([_NOTES | {"metadata": {"name": "{{ .Release.Name }}-notes"}}], [f"{RELEASE}-notes"]),
        ([_TEXT], [f"{RELEASE}-redis-password", "second"]),
        ([_NOTES, _TEXT], ["notes", f"{RELEASE}-redis-password", "second"]),
        ([_NOTES | {"metadata": {"name": "1234"}}], ["1234"]),
    ],
    ids=["map", "map with a template", "string with two manifests", "both", "name that looks like a number"],
)
def test_extra_objects_are_installed_with_their_templates(extra: list[Any], names: list[str]) -> None:
    """Maps and strings are added to the release, after their templates are rendered, and nothing else changes."""
    plain = [each["metadata"]["name"] for each in render().documents]
    assert sorted(_names(extra)) == sorted(plain + names)


def test_values_of_a_map_keep_their_types() -> None:
    """Texts that look like numbers, booleans or templates in quotes stay texts."""
    data = {"number": "0012", "truth": "yes", "quoted": 'say "{{ .Release.Name }}"', "lines": "a\nb\n"}
    (found,) = [
        each
        for each in render({"extraObjects": [_NOTES | {"data": data}]}).all("ConfigMap")
        if each["metadata"]["name"] == "notes"
    ]
    assert found["data"] == data | {"quoted": f'say "{RELEASE}"'}


def test_older_values_have_no_extra_objects() -> None:
    """A release whose values are older than `extraObjects` (`--reuse-values`) renders as before."""
    assert render({"extraObjects": None}).documents == render().documents
