"""Scores deduplication with labeled pairs of headlines, and changes single words of their headlines."""

import re
from collections import Counter
from itertools import combinations, product
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.market.dedupe.publishers import bare_headline
from financehub_shared.market.dedupe.titles import read_headline
from financehub_shared.market.dedupe.words import BASE_FORM, HARMLESS, LEGAL_FORMS
from financehub_shared.market.links.linker import AssetLinker
from support.headlines import FOLDER
from support.title_pairs import Link, link_nothing, title_pairs, verdict

SETS = ("title_pairs.yaml", "title_pairs_held_out.yaml")
PAIRS = {name: title_pairs(name) for name in SETS}
TITLES = sorted({title for pairs in PAIRS.values() for pair in pairs for title in (pair.a, pair.b)})
#: The share of duplicates that must be found. Precision must be 1, because no other story may be lost.
RECALL = 0.8


def _linker() -> AssetLinker:
    entries = yaml.load(Path(FOLDER / "assets.yaml").read_text("utf-8"), Loader=yaml.CSafeLoader)["assets"]
    return AssetLinker(
        Asset(entry["symbol"], AssetType(entry["type"]), entry["name"], aliases=tuple(entry.get("aliases", ())))
        for entry in entries
    )


@pytest.fixture(scope="module")
def linkers() -> dict[str, Link]:
    """Return two linkers: one links nothing, as if no company were tracked, and one links the assets of the fixture."""
    return {"nothing": link_nothing, "assets": _linker().link}


@pytest.mark.parametrize("linked", ["nothing", "assets"])
@pytest.mark.parametrize("name", SETS)
def test_title_pairs_are_judged_as_labeled(linkers: dict[str, Link], name: str, linked: str) -> None:
    """N5, N6: no pair of different stories is merged, in either order, and most duplicates are found."""
    link, found = linkers[linked], Counter()
    for pair in PAIRS[name]:
        merged = [verdict(one, two, link) is not None for one, two in ((pair.a, pair.b), (pair.b, pair.a))]
        assert merged[0] == merged[1], pair
        assert pair.same or not merged[0], pair
        found[pair.same, merged[0]] += 1
    assert found[True, True] / (found[True, True] + found[True, False]) >= RECALL


def test_title_pairs_are_complete_and_unique() -> None:
    """The sets have enough pairs of both labels, no pair twice, and no pair in both of them."""
    pairs = [frozenset((pair.a, pair.b, pair.pattern)) for name in SETS for pair in PAIRS[name]]
    assert [pair for pair, count in Counter(pairs).items() if count > 1] == []
    for name, size in zip(SETS, (150, 100), strict=True):
        labels = Counter(pair.same for pair in PAIRS[name])
        assert labels.total() >= size
        assert min(labels.values()) >= 0.3 * size


@pytest.mark.parametrize("later", [1, 3_600, 18 * 3_600])
def test_title_of_itself_is_the_same_story_within_the_window(later: float) -> None:
    """A title with a story equals itself, even with the name of a publisher, and is dropped."""
    told = [title for title in TITLES if read_headline(bare_headline(title, frozenset())).story]
    assert len(told) > 0.85 * len(TITLES)
    assert [title for title in told if verdict(title, f"{title} - Reuters", later=later) is None] == []


#: Pairs of words that reverse the meaning of a story.
OPPOSITES = [
    *(("raises", "cuts"), ("raised", "lowered"), ("lifts", "trims"), ("up", "down"), ("higher", "lower")),
    *(("beats", "misses"), ("gains", "losses"), ("gain", "fall"), ("rises", "falls"), ("rose", "fell")),
    *(("jumps", "drops"), ("soars", "plunges"), ("rallies", "slumps"), ("climbs", "slides"), ("surges", "sinks")),
    *(("buy", "sell"), ("buys", "sells"), ("bull", "bear"), ("bulls", "bears"), ("bullish", "bearish")),
    *(("upgrade", "downgrade"), ("upgrades", "downgrades"), ("long", "short"), ("profit", "loss")),
    *(("above", "below"), ("over", "under"), ("before", "after"), ("in", "out"), ("on", "off"), ("with", "without")),
    *(("for", "against"), ("to", "from"), ("into", "from"), ("more", "less"), ("more", "fewer"), ("most", "least")),
    *(("best", "worst"), ("first", "last"), ("top", "bottom"), ("strong", "weak"), ("widens", "narrows")),
    *(("opens", "closes"), ("starts", "ends"), ("begins", "stops"), ("wins", "loses"), ("expands", "shrinks")),
    *(("accepts", "rejects"), ("approves", "blocks"), ("confirms", "denies"), ("hires", "fires"), ("adds", "removes")),
    *(("sues", "sued"), ("acquires", "acquired"), ("accuses", "accused"), ("fines", "fined"), ("names", "named")),
    *(("is", "not"), ("will", "won't"), ("can", "cannot"), ("has", "hasn't"), ("does", "doesn't"), ("are", "aren't")),
    *(("will", "may"), ("will", "could"), ("to", "could"), ("all", "no"), ("always", "never"), ("some", "none")),
    *(("confirmed", "unconfirmed"), ("legal", "illegal"), ("possible", "impossible"), ("likely", "unlikely")),
    *(("surplus", "deficit"), ("hawkish", "dovish"), ("call", "put"), ("discount", "premium"), ("import", "export")),
]


@pytest.mark.parametrize(("one", "other"), OPPOSITES)
def test_opposite_words_make_different_stories(one: str, other: str) -> None:
    """N5: a changed direction, negation or role makes another story, in any capitalization."""
    for template in ("Acme board {} Zenith plan in Texas", "Analysts see copper {} as miners strike"):
        for style in (str, str.title, str.upper):
            assert verdict(style(template.format(one)), style(template.format(other))) is None


NAMES = ["Apple", "Nvidia", "Target", "Gap", "Visa", "Block", "On Holding", "ARE", "BE", "ON", "A", "IT", "V", "Arm"]
NAMES += ["Arms", "Bitcoin", "Bitcoin Cash", "OPEC", "OPEC+", "S&P 500", "Vodafone", "Nestlé", "Берег", "ソニー"]
TEMPLATES = [
    "Is It Too Late to Buy {0} Stock Now After {1} Gain?",
    "{0} (NYSE: ABC) Shares Gap Up to {1} This Morning",
    "Rosen Law Firm Reminds Investors of {0} About the Deadline of May {1}",
    "{0} Reports Second Quarter Results With Revenue of {1}",
    "Jefferies lifts {0} price target to {1} on cloud demand",
    "Final Results for the Year - {0} sees {1} more stores",
    "FOUR REASONS TO SELL {0} STOCK BEFORE IT FALLS {1}",
]
NUMBERS = ["3%", "3.2%", "-3%", "32", "$3", "€3", "$3bn", "$3 million", "25bp", "3,200"]


@pytest.mark.parametrize("template", TEMPLATES)
def test_template_with_another_name_or_number_is_another_story(template: str) -> None:
    """N5: two headlines of one template are the same story only if they have the same name and the same number."""
    stories = {
        (name, number): read_headline(template.format(name, number)).story for name, number in product(NAMES, NUMBERS)
    }
    told = [story for story in stories.values() if story]
    assert len(told) > 0.6 * len(stories)
    assert len(set(told)) == len(told)


def _is_harmless(old: str, new: str) -> bool:
    # A/S is a legal form only after a name
    words = [read_headline(f"Novo {word}").words.removeprefix("novo").strip() for word in (old, new)]
    return words[0] == words[1] or all(BASE_FORM.get(word, word) in HARMLESS | LEGAL_FORMS | {""} for word in words)


STATEMENTS = [
    "the AI bubble {}about to burst",
    "Apple {}to buy Perplexity for $14 billion",
    "Bitcoin {}over its cycle peak",
]


@pytest.mark.parametrize("mark", ["?", "??", " ?", "?”", "？", "?!", "? - Reuters", "? (Updated)"])
@pytest.mark.parametrize("statement", STATEMENTS)
def test_question_is_another_story_than_the_statement(statement: str, mark: str) -> None:
    """N5: a question is not the story that the statement reports, even if its words have another order."""
    said = statement.format("is ")
    for asked in (f"Is {statement.format('')}{mark}", said + mark, statement.format("") + mark):
        for style in (str, str.title, str.upper):
            assert verdict(style(said), style(asked)) is None, asked
    assert verdict(f"{said}?", f"{said.upper()}{mark}") is not None


@pytest.mark.parametrize("statement", ["{}Bitcoin {}bottomed as ETFs buy", "{}the AI bubble {}about to burst"])
def test_question_without_a_mark_is_another_story(statement: str) -> None:
    """N5: an auxiliary verb at the start makes a question."""
    for verb in ("is", "has", "was"):
        assert verdict(statement.format(f"{verb.title()} ", ""), statement.format("", f"{verb} ")) is None


#: Headlines whose word in braces is harmless in English only.
FOREIGN = [
    *("Carlyle verkauft {an} Siemens", "Bank of America verkauft {an} Carlyle Immobilien", "Eni vende {a} Shell"),
    *("Petrobras vende refinaria {a} Shell", "Renault vend Alpine {as} Geely", "Siemens steigt {in} Alstom ein"),
    *("ASML {was} koper Philips Medical", "Repsol {has} comprado Cepsa", "CARLYLE VERKAUFT {AN} SIEMENS"),
    *("Marks and Spencer vende {a} Carrefour", "Adobe rose Figma {on} Canva", "Novo køber {at} Lundbeck"),
]


@pytest.mark.parametrize("headline", FOREIGN)
def test_harmless_word_of_another_language_makes_another_story(headline: str) -> None:
    """N5: a word that is harmless in English may distinguish buyer and seller in another language."""
    before, word, behind = re.split("[{}]", headline)
    assert verdict(before + word + behind, before.strip() + behind) is None


#: Groups of headlines with the same story words.
SPELLINGS = [
    ("Bavarian Nordic A/S to open lab in Ohio", "Bavarian Nordic to open lab in Ohio"),
    (
        "Fluor Corp. wins rail contract in Egypt",
        "Fluor wins rail contract in Egypt",
        "Fluor Corp wins rail contract in Egypt",
    ),
    ("Halma plc raises outlook for labs", "Halma raises outlook for labs"),
    ("Airbus SE wins jet order from Gulf", "Airbus wins jet order from Gulf"),
    (
        "Chip-maker Arm denies defence rumors in London",
        "Chip maker Arm denies defense rumors in London",
        "Chipmaker Arm denies defense {} in London".format("rumors".replace("or", "our")),
    ),
    ("Worries over zinc supplies in Peru", "Worry over zinc supplies in Peru"),
]
#: Groups of headlines that are all different stories, although their words may look like spellings or legal forms.
OTHER_FORMS = [
    (
        "Siemens AG wins rail contract in Egypt",
        "Siemens Ltd wins rail contract in Egypt",
        "Siemens wins rail contract in Egypt",
    ),
    ("Floods Hit Ports In SE Asia", "Floods Hit Ports In Asia", "Floods Hit Ports in NE Asia"),
    ("US Corp. bonds rally on rate hopes", "US bonds rally on rate hopes"),
    ("Labour wins seats in northern towns", "Labor wins seats in northern towns"),
    ("Vodafone Group Plc - Profit Warning for Spain", "Vodafone Group Plc - Final Results for Spain"),
]


@pytest.mark.parametrize("spellings", SPELLINGS, ids=lambda titles: titles[0])
def test_spelling_or_legal_form_makes_no_other_story(spellings: tuple[str, ...]) -> None:
    """N5: British spelling, compounds and the legal form of a company do not make a difference."""
    assert len({read_headline(title).story for title in spellings}) == 1
    assert read_headline(spellings[0]).story


@pytest.mark.parametrize("titles", OTHER_FORMS, ids=lambda titles: titles[0])
def test_form_that_means_something_else_makes_another_story(titles: tuple[str, ...]) -> None:
    """N5: a word that only looks like a legal form or another spelling makes a difference."""
    assert [pair for pair in combinations(titles, 2) if verdict(*pair) is not None] == []


VOCABULARY = sorted({word for title in TITLES for word in title.split()})


@given(st.sampled_from(TITLES), st.data())
def test_replaced_word_makes_another_story(title: str, data: st.DataObject) -> None:
    """N5: a replaced word makes another story unless both words are harmless or are forms of one word."""
    words = title.split()
    index = data.draw(st.integers(0, len(words) - 1))
    new = data.draw(st.sampled_from(VOCABULARY))
    changed = " ".join([*words[:index], new, *words[index + 1 :]])
    base = [[BASE_FORM.get(word, word) for word in read_headline(text).words.split()] for text in (words[index], new)]
    if base[0] != base[1] and not _is_harmless(words[index], new):
        story = read_headline(title).story
        assert not story or story != read_headline(changed).story
