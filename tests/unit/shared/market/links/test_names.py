"""Tests of the names under which headlines mention an asset."""

from importlib import resources

import pytest

from financehub_shared.core.kinds import AssetKind, AssetType
from financehub_shared.core.models import Asset
from financehub_shared.market.links.english import english
from financehub_shared.market.links.known_assets import known_assets
from financehub_shared.market.links.names import Doubt, names_of


def names(name: str, symbol: str = "QQZZ", kind: AssetKind | None = None) -> dict[str, Doubt]:
    """Return the names of an asset that is not well known, with their doubts."""
    asset = Asset(symbol, AssetType.STOCK, name, stated_kind=kind)
    return {" ".join(each.words): each.doubt for each in names_of(asset, english())}


@pytest.mark.parametrize(
    ("full", "short"),
    [
        ("Kolvatek Inc.", "kolvatek"),
        ("Kolvatek, Inc. Class A", "kolvatek"),
        ("Kolvatek Group plc", "kolvatek"),
        ("Kolvatek Public Limited Company", "kolvatek"),
        ("The Kolvatek Company", "kolvatek"),
        ("Kolvatek Holdings N.V.", "kolvatek"),
        ("Kolvatek Technologies Corp", "kolvatek"),
        ("Compagnie de Kolvatek S.A.", "kolvatek"),
        ("Kolvatek.com, Inc.", "kolvatek"),
        ("Kölvatek AG", "kolvatek"),
        ("KolvaTek SE", "kolva tek"),
        ("Kolva Tek SE", "kolvatek"),
        ("Kolva's Restaurants", "kolvas restaurants"),
        ("K'olva SA", "kolva"),
        ("Kolva and Tekra Group plc", "k and t"),
    ],
)
def test_names_of_a_company_contain_the_short_form(full: str, short: str):
    """N4: the legal form, generic words, accents and spelling variants do not hide the name that headlines use."""
    assert names(full).get(short) in {Doubt.NONE, Doubt.LITTLE}


@pytest.mark.parametrize("word", ["Target", "Visa", "Gap", "Shell", "Orange", "Match", "Root", "Toast"])
def test_names_that_are_ordinary_words_need_evidence(word: str):
    """N3: a company whose name is an English noun or verb is linked only with a second sign, known or not."""
    assert names(f"{word}, Inc.")[word.lower()] >= Doubt.SOME


@pytest.mark.parametrize("word", ["Next", "Progressive", "Near", "Stellar", "Chewy"])
def test_names_that_are_adjectives_need_more_evidence(word: str):
    """N3: an adjective can precede any noun, so it needs more evidence than a noun."""
    assert names(f"{word}, Inc.")[word.lower()] is Doubt.GREAT


@pytest.mark.parametrize(
    "full",
    ["SPDR Gold Shares", "iShares Core S&P 500 ETF", "Vanguard Total World Fund", "California Resources Corp",
     "American Airlines Group", "Deutsche Wohnen SE", "City Holding Company", "United States Steel Corporation"],
)  # fmt: skip
def test_names_of_a_family_or_a_place_are_not_short_forms(full: str):
    """N3: the first word of a fund's name is its family, and a place or a common word has too many other meanings."""
    kind = AssetKind.FUND if "Fund" in full or "SPDR" in full or "ETF" in full else None
    assert full.split(maxsplit=1)[0].lower() not in names(full, kind=kind)
    assert "united states" not in names(full)


@pytest.mark.parametrize(
    "full", ["日経225", "标普500", "五粮液A", "黄金ETF", "SK하이닉스", "JPモルガン", "ПАО Полюс 2"]
)
def test_names_in_another_script_do_not_leave_numbers_or_letters(full: str):
    """N3: the Latin rest of such a name, such as 225, is not a name, because it occurs in unrelated headlines."""
    assert names(full) == {}


def test_names_in_another_script_keep_a_name_in_latin_letters():
    """N4: a Latin word of at least three letters is also a name of its own."""
    assert list(names("SBIホールディングス")) == ["sbi"]
    assert list(names("株式会社SUMCO")) == ["sumco"]


def test_known_assets_have_valid_symbols_names_and_marks():
    """Each row of the table has names, valid words and listings, and no mark of the notation remains in a name."""
    table = known_assets()
    assert len(table) > 200
    for symbol, known in table.items():
        assert known.names, symbol
        assert all(name == name.strip() and not set(name) & set("!=~\t") for name in known.names), symbol
        assert all(word == word.lower() for word in (*known.own, *known.other, *known.unlike)), symbol
        assert all(listing.count(":") == 1 for listing in known.listings), symbol


def test_known_assets_are_listed_once():
    """A symbol occurs in one row only, because a second row would silently replace the first one."""
    text = resources.files("financehub_shared.market.links").joinpath("known_assets.tsv").read_text("utf-8")
    rows = [line.split("\t")[0].split() for line in text.splitlines() if not line.startswith(("#", "-"))]
    symbols = [symbol for row in rows for symbol in row]
    assert sorted(symbols) == sorted(set(symbols))
