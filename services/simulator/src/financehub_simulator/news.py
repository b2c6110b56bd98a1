"""News stories as a pure function of seed and time: one every ten minutes, reported by some of the publishers."""

from dataclasses import dataclass
from hashlib import blake2b

from financehub_simulator.universe import COINS, STOCKS

#: Seconds between two stories.
STORY_INTERVAL_SECONDS = 600
_TITLES = (
    "{name} rises after quarterly results",
    "{name} falls as traders weigh outlook",
    "Analysts lift target for {name}",
    "{name} announces new product line",
    "Regulators look into {name}",
    "Why {name} is moving today",
    "{name} trades sideways in thin volume",
    "Investors return to {name}",
)
_SUBJECTS = tuple(sorted((symbol, name) for symbol, (name, _) in STOCKS.items() if not symbol.startswith("^"))) + tuple(
    sorted((f"{coin}-USD", name) for coin, (_, name, _) in COINS.items())
)


@dataclass(frozen=True, slots=True)
class Story:
    """An event that publishers report.

    Args:
        number: Consecutive number.
        at: Publication time in Unix seconds.
        title: Headline.
        slug: Path segment in the addresses of its articles.
        symbol: Canonical symbol of the asset that it is about.
        publishers: Bit mask of the publishers that report it.
    """

    number: int
    at: int
    title: str
    slug: str
    symbol: str
    publishers: int

    @property
    def is_crypto(self) -> bool:
        """Whether the story is about a coin."""
        return self.symbol.endswith("-USD")


def make_story(seed: int, number: int) -> Story:
    """Return the story of one ten-minute slot."""
    digest = blake2b(b"story %d" % number, key=seed.to_bytes(8, "big"), digest_size=8).digest()
    symbol, name = _SUBJECTS[int.from_bytes(digest[:2]) % len(_SUBJECTS)]
    title = _TITLES[digest[2] % len(_TITLES)].format(name=name.removesuffix(" Inc."))
    ticker = symbol.split("-")[0]
    title = f"{title} ({ticker})" if digest[3] % 2 else title
    slug = "".join(letter if letter.isalnum() else "-" for letter in title.lower()).strip("-")
    return Story(number, number * STORY_INTERVAL_SECONDS + digest[4], title, f"{slug}-{number}", symbol, digest[5])


def latest_stories(seed: int, now: float, count: int) -> list[Story]:
    """Return up to `count` stories that are published at `now`, newest first."""
    newest = int(now // STORY_INTERVAL_SECONDS)
    candidates = (make_story(seed, number) for number in range(newest, newest - count - 1, -1))
    return [story for story in candidates if story.at <= now][:count]
