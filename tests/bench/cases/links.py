"""Measures how long the linker takes for 10,000 headlines against 1,000 assets with aliases.

Linking only computes, in one thread. The CPU time is measured, because other processes do not change it.
"""

import itertools
import statistics
import time
from collections.abc import Iterator
from random import Random

from bench.rows import Row
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.market.assets_file import load_assets
from financehub_shared.market.links.linker import AssetLinker
from support.headlines import FOLDER, labeled_headlines

ASSETS, HEADLINES = 1_000, 10_000
ROUNDS = 3
GOAL = 2.0
_SYLLABLES = ("kol", "va", "tek", "ran", "dor", "mi", "sel", "quo", "bru", "xen", "tal", "fi")


def run() -> list[Row]:
    """Build the linker, and link the labeled headlines in many variations."""
    assets = [*load_assets(FOLDER / "assets.yaml"), *_companies()][:ASSETS]
    started = time.process_time()
    linker = AssetLinker(assets)
    built = time.process_time() - started
    titles = list(itertools.islice(_titles(), HEADLINES))
    durations, linked = [], 0
    for _ in range(ROUNDS):
        started = time.process_time()
        linked = sum(bool(linker.link(title)) for title in titles)
        durations.append(time.process_time() - started)
    seconds = statistics.median(durations)
    return [
        Row("links.build_1000_assets", built, "CPU s"),
        Row("links.10000_headlines", seconds, "CPU s", goal=f"< {GOAL:.0f} s", ok=seconds < GOAL),
        Row("links.10000_headlines.linked", linked, "titles"),
    ]


def _companies() -> Iterator[Asset]:
    """Yield assets with two aliases each. Their names begin alike, as the names of real companies do."""
    endings = ("Group plc", "Technologies Inc.", "Energy Corporation", "Bank AG")
    for number, parts in enumerate(itertools.product(_SYLLABLES, repeat=3)):
        name = "".join(parts).title()
        aliases = (f"{name} {endings[number % 4].split()[0]}", f"{name} Labs")
        yield Asset(f"Q{number:04d}", AssetType.STOCK, f"{name} {endings[number % 4]}", aliases=aliases)


def _titles() -> Iterator[str]:
    """Yield titles of 6 to 30 words: labeled headlines, alone and joined with a second headline."""
    random = Random(7)
    titles = [each.title for name in ("headlines.yaml", "headlines_held_out.yaml") for each in labeled_headlines(name)]
    while True:
        title = random.choice(titles)
        yield title if random.random() < 0.8 else f"{title}; {random.choice(titles)}"
