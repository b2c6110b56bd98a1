"""Precision and recall of the asset linker on the labeled headlines (item 7 of the quality goals).

`make test ARGS='tests/unit/shared/market/links/test_score.py -s'` prints the confusion tables.
"""

import pytest

from financehub_shared.market.assets_file import load_assets
from financehub_shared.market.links.linker import AssetLinker
from support.headlines import FOLDER, labeled_headlines, score

PRECISION, RECALL = 0.98, 0.90


@pytest.fixture(scope="module")
def linker() -> AssetLinker:
    """Return a linker for the assets of the labels."""
    return AssetLinker(load_assets(FOLDER / "assets.yaml"))


@pytest.mark.parametrize(
    "name", ["headlines.yaml", "headlines_held_out.yaml", "headlines_blind.yaml", "headlines_blind_2.yaml"]
)
def test_linker_on_labeled_headlines_reaches_precision_and_recall(linker: AssetLinker, name: str):
    """N4: precision is at least 0.98 and recall at least 0.90, on each of the four sets."""
    result = score(linker.link, labeled_headlines(name))
    table = f"{name}\n{result.table(mistakes='held_out' not in name)}"
    print(table)  # noqa: T201 - shown with -s, and when the test fails
    assert result.total.precision >= PRECISION, table
    assert result.total.recall >= RECALL, table
