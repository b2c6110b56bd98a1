"""Implements `make chart`, which writes the generated files of the chart's values."""

from pathlib import Path

import yaml

from chart import defaults, formats, table
from chart.comments import descriptions
from chart.schema import Writer

CHART = Path(__file__).parents[1] / "helm/financehub"


def files() -> dict[str, str]:
    """Return the content of every generated file, by path below the chart."""
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    described = descriptions(text)
    content = yaml.load(text, Loader=yaml.CSafeLoader)
    readme = (CHART / "README.md").read_text(encoding="utf-8")
    return {
        "values.schema.json": Writer(described).document(),
        "files/formats.json": formats.document(),
        "files/defaults.json": defaults.document(content),
        "README.md": table.readme(readme, content, described),
    }


if __name__ == "__main__":
    for name, content in files().items():
        (CHART / name).write_text(content, encoding="utf-8")
