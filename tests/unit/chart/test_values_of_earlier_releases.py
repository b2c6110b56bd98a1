"""Tests that the chart renders with the values of an earlier release (`helm upgrade --reuse-values`)."""

import shutil
import tarfile
from pathlib import Path

import helm_python
import pytest

from support.chart import CHART, label, render

_RELEASES = sorted((Path(__file__).parents[2] / "fixtures" / "releases").glob("financehub-*.tgz"))


@pytest.mark.parametrize("release", _RELEASES, ids=lambda path: path.stem)
def test_chart_with_the_values_of_an_earlier_release_renders_the_same_objects(release: Path, tmp_path: Path):
    """Helm then has no defaults of the new chart, so each new value is missing, and it has its default all the same."""
    chart = tmp_path / "chart"
    shutil.copytree(CHART, chart)
    with tarfile.open(release) as archive:
        member = archive.extractfile("financehub/values.yaml")
        assert member is not None
        (chart / "values.yaml").write_bytes(member.read())
    rendered = render(of=helm_python.Chart.load(chart))
    assert {*map(label, rendered.documents)} == {*map(label, render().documents)}
