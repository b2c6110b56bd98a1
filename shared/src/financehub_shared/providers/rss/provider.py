"""RSS and Atom feeds: read politely, refused when dangerous, reported when dead."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import ProviderError, ProviderTimeoutError, StaleError
from financehub_shared.core.models import NewsItem, Quarantined
from financehub_shared.providers.guard import Guard
from financehub_shared.providers.ports import NewsBatch
from financehub_shared.providers.rss.feed import parse_feed
from financehub_shared.providers.transport.conditional import Validators, ValidatorStore
from financehub_shared.providers.transport.http import HttpClient, Response

#: The largest of the known feeds has 0.4 MB; feedparser takes about a second per MB.
FEED_BYTES_MAX = 2_000_000
#: A financial feed that says nothing for two weeks is dead, though it answers.
SILENT_SECONDS = 14 * 86_400.0
ACCEPT = "application/rss+xml, application/atom+xml, application/xml;q=0.9, text/xml;q=0.8"


@dataclass(frozen=True, slots=True)
class _Answer:
    items: Sequence[NewsItem] = ()
    quarantined: Sequence[Quarantined] = ()
    stale: StaleError | None = None
    changed: bool = True
    validators: Validators = field(default_factory=Validators)


class Rss:
    """Articles of feeds, each with a breaker of its own: a dead feed says nothing about the others.

    Args:
        http: sends the requests.
        guard_for: feed label → its guard.
        feeds: URLs; one may hold a subscriber's token, so records use `feed_labels`.
        validators: ETags and dates of what was last read.
        clock: for fetch times.
        name: how records name this provider.
    """

    def __init__(
        self,
        http: HttpClient,
        guard_for: Callable[[str], Guard],
        feeds: Sequence[str],
        validators: ValidatorStore,
        clock: Clock,
        name: str = "rss",
    ) -> None:
        self.name = name
        self._http = http
        self._feeds = dict(zip(feed_labels(feeds), feeds, strict=True))
        self._guards = {label: guard_for(label) for label in self._feeds}
        self._validators = validators
        self._clock = clock

    def sources(self) -> list[str]:
        return list(self._feeds)

    async def fetch_news(self, sources: Sequence[str] | None, deadline: float) -> NewsBatch:
        """Read the feeds at once, one request each; see `NewsProvider`.

        Args:
            sources: feed labels, or parts of them (`coindesk`); None: all feeds.
            deadline: monotonic seconds.
        """
        chosen = [label for label in self._feeds if sources is None or any(part in label for part in sources)]
        answers = await asyncio.gather(*(self._read(label, deadline) for label in chosen), return_exceptions=True)
        items: list[NewsItem] = []
        quarantined: list[Quarantined] = []
        failed: dict[str, ProviderError] = {}
        unchanged: list[str] = []
        read: list[tuple[str, Validators]] = []
        for label, answer in zip(chosen, answers, strict=True):
            if isinstance(answer, ProviderError):
                failed[label] = answer
            elif isinstance(answer, BaseException):
                raise answer
            else:
                items += answer.items
                quarantined += answer.quarantined
                if answer.stale is not None:
                    failed[label] = answer.stale
                elif not answer.changed:
                    unchanged.append(label)
                elif answer.validators.headers():
                    read.append((label, answer.validators))
        return NewsBatch(items, failed, unchanged, quarantined, (lambda: self._remember(read),))

    async def _remember(self, read: Sequence[tuple[str, Validators]]) -> None:
        for label, validators in read:
            await self._validators.put(self._feeds[label], validators)

    async def _read(self, label: str, deadline: float) -> _Answer:
        url = self._feeds[label]
        known = await self._validators.get(url)

        async def send_and_parse() -> _Answer:
            response = await self._http.get(
                self.name,
                url,
                headers={"accept": ACCEPT, **known.headers()},
                deadline=deadline,
                follow_redirects=True,
                max_bytes=FEED_BYTES_MAX,
            )
            # Inside the guard: an answer that is no feed is a failure that the breaker counts.
            return _Answer(changed=False) if response.status == 304 else await self._parse(label, response, deadline)

        return await self._guards[label].call(send_and_parse)

    async def _parse(self, label: str, response: Response, deadline: float) -> _Answer:
        now = self._clock.now()
        content_type = response.headers.get("content-type", "")
        parsing = asyncio.to_thread(parse_feed, self.name, label, response.body, content_type, now)
        try:
            async with asyncio.timeout(max(deadline - self._clock.monotonic(), 0)):
                feed = await parsing
        except TimeoutError:
            raise ProviderTimeoutError(self.name, f"{label}: not parsed in time") from None
        stale = None
        if feed.newest_at is not None and now - feed.newest_at > SILENT_SECONDS:
            days = (now - feed.newest_at) / 86_400
            stale = StaleError(self.name, f"{label}: nothing new for {days:.0f} days; is the feed dead?")
        return _Answer(feed.items, feed.quarantined, stale, validators=Validators.of(response.headers))


def feed_labels(feeds: Sequence[str]) -> list[str]:
    """A readable, unique name per feed: host and path, without user, password and query.

    `https://www.coindesk.com/arc/outboundfeeds/rss/?token=x` → `coindesk.com/arc/outboundfeeds/rss`.
    """
    labels: list[str] = []
    for url in feeds:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        label = f"{(parts.hostname or '').removeprefix('www.')}{port}{parts.path.rstrip('/')}"
        twins = sum(known.split("#")[0] == label for known in labels)
        labels.append(f"{label}#{twins + 1}" if twins else label)
    return labels
