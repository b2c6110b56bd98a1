"""The metric catalogue that docs/metrics.md promises, and what of a scrape has moved."""

import re
from functools import cache
from pathlib import Path

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
#: Labels that the process writes on every series.
COMMON_LABELS = {"release", "component"}
_COMMON = re.compile(r'(?:component|release)="[^"]*",?')
_ROW = re.compile(r"^\| (`[^|]+`) \|(.*)\|$", re.MULTILINE)
_NAME = re.compile(r"`(financehub_\w+)`")


@cache
def catalogue() -> dict[str, tuple[str, frozenset[str]]]:
    """Family name, without the `_total` of counters → (type, labels), read from the tables of the page."""
    found = {}
    for names, rest in _ROW.findall(PAGE.read_text(encoding="utf-8")):
        cells = [cell.strip() for cell in rest.split("|")]
        kind = cells[0]
        labels = frozenset(re.findall(r"`(\w+)`", cells[1])) if len(cells) > 1 else frozenset()
        for name in _NAME.findall(names):
            found[name.removesuffix("_total")] = (kind, labels)
    return found


def labels_of(family: Metric) -> frozenset[str]:
    """The labels of a family's samples, without those that every series has and the bucket's own."""
    return frozenset({label for sample in family.samples for label in sample.labels} - {"le"} - COMMON_LABELS)


def families(scrape: str) -> dict[str, Metric]:
    """Our families of a scrape by name; those of the process collector are left out."""
    return {
        family.name: family
        for family in text_string_to_metric_families(scrape)
        if family.name.startswith("financehub_")
    }


def lines(scrape: str) -> set[str]:
    """The sample lines of a scrape without the two labels that every series has."""
    stripped = (_COMMON.sub("", line).replace(",}", "}").replace("{}", "") for line in scrape.splitlines())
    return {line for line in stripped if not line.startswith("#")}


def moved(scrape: str) -> set[str]:
    """Names of the metrics with a sample above 0; of a histogram its count decides."""
    return {
        family.name
        for family in text_string_to_metric_families(scrape)
        for sample in family.samples
        if sample.value > 0 and (family.type != "histogram" or sample.name.endswith("_count"))
    }
