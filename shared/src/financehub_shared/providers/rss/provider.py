"""Reads RSS and Atom feeds. Each has its own budget and breaker. A feed without news for two weeks counts as failed."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from financehub_shared.core.clock import Clock
from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.errors import MalformedError, ProviderError, StaleError
from financehub_shared.core.models import NewsItem, Quarantined
from financehub_shared.core.url_secrets import mask_urls, public_place, without_user
from financehub_shared.logging import Redactor, known_secrets
from financehub_shared.providers.context import ProviderContext
from financehub_shared.providers.guard import UpstreamGuard
from financehub_shared.providers.protocols import NewsBatch
from financehub_shared.providers.rss.messages import FeedSource
from financehub_shared.providers.rss.parser_process import FeedParser
from financehub_shared.providers.transport.conditional import CacheValidators, CacheValidatorStore
from financehub_shared.providers.transport.http import HttpClient, Response

#: Largest size of a feed in bytes. The largest known feed has 0.4 MB.
FEED_BYTES_MAX = 2_000_000
#: A financial feed without a new entry for two weeks is dead, even if it responds.
DEAD_AFTER_SECONDS = 14.0 * DAY_SECONDS
ACCEPT = "application/rss+xml, application/atom+xml, application/xml;q=0.9, text/xml;q=0.8"


@dataclass(frozen=True, slots=True)
class _FeedAnswer:
    """The result of reading one feed."""

    items: Sequence[NewsItem] = ()
    quarantined: Sequence[Quarantined] = ()
    stale: StaleError | None = None
    changed: bool = True
    validators: CacheValidators = field(default_factory=CacheValidators)


def build(context: ProviderContext) -> "Rss":
    """Build the provider."""
    settings, parser = context.settings, FeedParser()
    return Rss(
        context.http,
        context.guard_for,
        settings.rss_feeds,
        context.cache_validators,
        context.clock,
        parser,
        context.name,
        secret_feeds=[url.get_secret_value() for url in settings.secret_rss_feeds],
        redact=Redactor(known_secrets(settings)),
    )


class Rss:
    """Delivers news items from feeds. Each feed has its own breaker, because a dead feed says nothing about the others.

    Args:
        http: Sends the requests.
        guard_for: Feed label → its guard.
        feeds: URLs. A URL may contain a subscriber's token, so records use `feed_labels` instead.
        validators: Cache validators of the last responses.
        clock: Clock for fetch times.
        parser: Parses the feeds.
        name: Name of this provider in records.
        secret_feeds: URLs from a Secret.
        redact: Masks secrets in the entries that go to quarantine, whose links may contain the token of the feed.
    """

    def __init__(
        self,
        http: HttpClient,
        guard_for: Callable[[str], UpstreamGuard],
        feeds: Sequence[str],
        validators: CacheValidatorStore,
        clock: Clock,
        parser: FeedParser,
        name: str = "rss",
        *,
        secret_feeds: Sequence[str] = (),
        redact: Callable[[str], str] = mask_urls,
    ) -> None:
        self.name = name
        self._http = http
        self._feeds = dict(zip(feed_labels(feeds, secret_feeds), [*feeds, *secret_feeds], strict=True))
        self._redact = redact
        self._guards = {label: guard_for(label) for label in self._feeds}
        self._validators = validators
        self._clock = clock
        self._parser = parser

    def sources(self) -> list[str]:
        return list(self._feeds)

    async def fetch_news(self, sources: Sequence[str] | None, deadline: float) -> NewsBatch:
        """Read all feeds in parallel, with one request each; see `NewsProvider`.

        Args:
            sources: Feed labels, or parts of them (`coindesk`). None for all feeds.
            deadline: Monotonic time in seconds by which the fetch must end.
        """
        chosen = [label for label in self._feeds if sources is None or any(part in label for part in sources)]
        answers = await asyncio.gather(*(self._read(label, deadline) for label in chosen), return_exceptions=True)
        items: list[NewsItem] = []
        quarantined: list[Quarantined] = []
        failed: dict[str, ProviderError] = {}
        unchanged: list[str] = []
        read: list[tuple[str, CacheValidators]] = []
        for label, answer in zip(chosen, answers, strict=True):
            if isinstance(answer, ProviderError):
                failed[label] = answer
            elif isinstance(answer, BaseException):
                raise answer
            else:
                items += answer.items
                quarantined += map(self._masked, answer.quarantined)
                if answer.stale is not None:
                    failed[label] = answer.stale
                elif not answer.changed:
                    unchanged.append(label)
                elif answer.validators.headers():
                    read.append((label, answer.validators))
        return NewsBatch(items, failed, unchanged, quarantined, (lambda: self._store_validators(read),))

    async def aclose(self) -> None:
        """End the parser process."""
        await self._parser.aclose()

    def _masked(self, record: Quarantined) -> Quarantined:
        return replace(record, reason=self._redact(record.reason), payload=self._redact(record.payload))

    async def _store_validators(self, read: Sequence[tuple[str, CacheValidators]]) -> None:
        for label, validators in read:
            await self._validators.put(self._feeds[label], validators)

    async def _read(self, label: str, deadline: float) -> _FeedAnswer:
        url = self._feeds[label]
        known = await self._validators.get(url)

        async def send_and_parse() -> _FeedAnswer:
            response = await self._http.get(
                self.name,
                url,
                headers={"accept": ACCEPT, **known.headers()},
                deadline=deadline,
                follow_redirects=True,
                max_bytes=FEED_BYTES_MAX,
            )
            if response.status == 304:
                if not known.headers():
                    raise MalformedError(self.name, "HTTP 304 'not modified' for a request without a condition")
                return _FeedAnswer(changed=False)
            # The feed is parsed inside the guard, so that the breaker counts an unreadable feed as a failure.
            return await self._parse(label, response, deadline)

        return await self._guards[label].call(send_and_parse)

    async def _parse(self, label: str, response: Response, deadline: float) -> _FeedAnswer:
        now = self._clock.now()
        base = without_user(response.url)
        source = FeedSource(self.name, label, base, response.headers.get("content-type", ""), now)
        feed = await self._parser.parse(source, response.body, deadline - self._clock.monotonic())
        stale = None
        if feed.newest_at is not None and now - feed.newest_at > DEAD_AFTER_SECONDS:
            days = (now - feed.newest_at) / DAY_SECONDS
            stale = StaleError(self.name, f"no new entry for {days:.0f} days; replace the feed if it is dead")
        return _FeedAnswer(feed.items, feed.quarantined, stale, validators=CacheValidators.of(response.headers))


def feed_labels(feeds: Sequence[str], secret_feeds: Sequence[str] = ()) -> list[str]:
    """Return a readable, unique name for each feed: host and path, without anything that is or may be secret.

    Args:
        feeds: URLs from the settings. A part that looks like a token is masked.
        secret_feeds: URLs from a Secret, whose paths are masked.
    """
    places = [*map(public_place, feeds), *(public_place(url, is_secret=True) for url in secret_feeds)]
    labels: list[str] = []
    for label in places:
        duplicates = sum(known.split("#")[0] == label for known in labels)
        labels.append(f"{label}#{duplicates + 1}" if duplicates else label)
    return labels
