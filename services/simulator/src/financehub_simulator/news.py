"""Stories as a pure function of seed and time: one every ten minutes, each told by some publishers."""

from dataclasses import dataclass
from hashlib import blake2b

from financehub_simulator.universe import COINS, STOCKS

#: Seconds from one story to the next.
INTERVAL = 600
_EVENTS = (
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
    """Something that happened.

    Args:
        number: consecutive.
        at: Unix seconds.
        symbol: canonical symbol of what it is about.
        told_by: bits, one per publisher.
    """

    number: int
    at: int
    title: str
    slug: str
    symbol: str
    told_by: int

    @property
    def crypto(self) -> bool:
        """Whether it is about a coin."""
        return self.symbol.endswith("-USD")


def story(seed: int, number: int) -> Story:
    """The story of a ten-minute slot."""
    digest = blake2b(b"story %d" % number, key=seed.to_bytes(8, "big"), digest_size=8).digest()
    symbol, name = _SUBJECTS[int.from_bytes(digest[:2]) % len(_SUBJECTS)]
    title = _EVENTS[digest[2] % len(_EVENTS)].format(name=name.removesuffix(" Inc."))
    ticker = symbol.split("-")[0]
    title = f"{title} ({ticker})" if digest[3] % 2 else title
    slug = "".join(letter if letter.isalnum() else "-" for letter in title.lower()).strip("-")
    return Story(number, number * INTERVAL + digest[4], title, f"{slug}-{number}", symbol, digest[5])


def latest(seed: int, now: float, count: int) -> list[Story]:
    """The newest `count` stories that are out at `now`, newest first."""
    newest = int(now // INTERVAL)
    candidates = (story(seed, number) for number in range(newest, newest - count - 1, -1))
    return [told for told in candidates if told.at <= now][:count]
