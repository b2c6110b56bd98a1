"""The GDELT provider."""

from typing import Any

import httpx
import pytest

from financehub_shared.core.errors import MalformedError, NotFoundError, RateLimitedError
from financehub_shared.providers.gdelt import Gdelt
from support.upstream import FakeUpstream, Respond


def adapter(answer: Respond) -> tuple[Gdelt, FakeUpstream]:
    upstream = FakeUpstream(answer)
    return Gdelt(upstream.http, upstream.guard, "https://gdelt.test", upstream.clock), upstream


def article(**changed: Any) -> dict[str, Any]:
    return {
        "url": "https://Paper.test/story?utm_medium=x",
        "title": "Bitcoin  rises , again",
        "seendate": "20270115T070000Z",
        "domain": "paper.test",
        **changed,
    }


async def test_record_becomes_an_article():
    """The URL is canonical, the title is one line, the source is the domain, and `seendate` is UTC."""
    gdelt, upstream = adapter(lambda _: httpx.Response(200, json={"articles": [article()]}))
    (item,) = (await gdelt.fetch_news(None, upstream.deadline)).items
    assert (item.url, item.title, item.source) == ("https://paper.test/story", "Bitcoin rises , again", "paper.test")
    assert item.published_at == 1_799_996_400
    assert upstream.requests[0].url.params["maxrecords"] == "250"


async def test_record_without_url_or_title_is_quarantined():
    """An unusable record is kept with the reason."""
    articles = [article(url=None), article(title=""), "text", article()]
    gdelt, upstream = adapter(lambda _: httpx.Response(200, json={"articles": articles}))
    batch = await gdelt.fetch_news(None, upstream.deadline)
    assert (len(batch.items), len(batch.quarantined)) == (1, 3)


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (httpx.Response(429, text="Please limit requests to one every 5 seconds"), RateLimitedError),
        (httpx.Response(200, json={}), NotFoundError),
        (httpx.Response(200, text="Your query was too short or too long."), MalformedError),
        (httpx.Response(200, json=[]), MalformedError),
    ],
    ids=["429", "no articles", "a complaint at 200", "a list"],
)
async def test_failed_answer_raises_its_error(response: httpx.Response, error: type[Exception]):
    """A 429 on the first request, a complaint in plain text and a response without articles are errors."""
    gdelt, upstream = adapter(lambda _: response)
    with pytest.raises(error):
        await gdelt.fetch_news(None, upstream.deadline)


async def test_news_of_other_sources_send_nothing():
    """If another source is requested, GDELT is not called."""
    gdelt, upstream = adapter(lambda _: httpx.Response(500))
    assert (await gdelt.fetch_news(["coindesk"], upstream.deadline)).items == ()
    assert upstream.requests == []
