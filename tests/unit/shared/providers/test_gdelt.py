"""The GDELT provider."""

import json
from typing import Any

import httpx
import pytest

from financehub_shared.core.errors import MalformedError, NotFoundError, RateLimitedError
from financehub_shared.providers.gdelt import Gdelt
from support.mutations import value_mutations
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


BROKEN_TITLES = [
    r"\u p",
    r"a\ b",
    "\\",
    r"\x41",
    'say "hi" twice',
    'one " quote',
    "ends with a backslash \\",
]


@pytest.mark.parametrize("title", BROKEN_TITLES)
@pytest.mark.parametrize("place", [0, 1, 2])
async def test_title_that_is_not_json_costs_only_its_article(title: str, place: int):
    """One bad escape costs one of 250 articles, and the breaker does not count it (N9, gdelt-doc-api #26)."""
    articles = [json.dumps(article(url=f"https://paper.test/{number}")) for number in range(3)]
    articles[place] = articles[place].replace("Bitcoin  rises , again", title)
    text = f'{{"articles": [{", ".join(articles)}]}}'
    gdelt, upstream = adapter(lambda _: httpx.Response(200, text=text))
    batch = await gdelt.fetch_news(None, upstream.deadline)
    assert [item.url[-1] for item in batch.items] == [str(number) for number in range(3) if number != place]
    (record,) = batch.quarantined
    assert record.reason.startswith("unusable: the article is not JSON (")
    assert f"https://paper.test/{place}" in record.payload
    assert upstream.breaker.outcomes == ["ok"]


@pytest.mark.parametrize(
    ("raw", "title"),
    [(b"a\tb\nc", "a b c"), (b"a\x01b", "ab"), (b"caf\xe9", "caf\ufffd"), (b"\\ud83d up", "up"), (b"\\u0000x", "x")],
)
async def test_title_with_odd_characters_is_kept_without_them(raw: bytes, title: str):
    """Raw control characters, bytes that are not UTF-8 and lone surrogates cost only themselves (N9, I5)."""
    body = json.dumps({"articles": [article(title="@"), article(url="https://paper.test/b")]}).encode()
    gdelt, upstream = adapter(lambda _: httpx.Response(200, content=body.replace(b"@", raw)))
    batch = await gdelt.fetch_news(None, upstream.deadline)
    assert [item.title for item in batch.items] == [title, "Bitcoin rises , again"]
    assert batch.items[0].title.encode()


@pytest.mark.parametrize("length", [1, 30, -1, -2, -30])
async def test_truncated_answer_is_malformed(length: int):
    """The articles behind a cut end are unknown, so the answer is refused and counted. The next run fetches again."""
    body = json.dumps({"articles": [article(), article(url="https://paper.test/b")]}).encode()
    gdelt, upstream = adapter(lambda _: httpx.Response(200, content=body[:length]))
    with pytest.raises(MalformedError):
        await gdelt.fetch_news(None, upstream.deadline)
    assert upstream.breaker.outcomes == ["malformed"]


@pytest.mark.parametrize("name", ["url", "title", "seendate", "domain", "language"])
async def test_damaged_value_costs_only_its_own_article(name: str):
    """Any value in any field of an article costs at most that article, which is then quarantined (N9)."""
    document = {"articles": [article(url=f"https://paper.test/{number}", language="English") for number in range(3)]}
    body = b""
    gdelt, upstream = adapter(lambda _: httpx.Response(200, content=body))
    for mutation in value_mutations(document, ("articles", 1, name)):
        body = mutation.body
        batch = await gdelt.fetch_news(None, upstream.deadline)
        assert {"https://paper.test/0", "https://paper.test/2"} <= {item.url for item in batch.items}, mutation.name
        assert len(batch.items) + len(batch.quarantined) == 3, mutation.name
        for record in batch.quarantined:
            assert record.reason.startswith("unusable: "), mutation.name
            assert record.reason.isprintable(), mutation.name
            assert (record.reason + record.payload).encode(), mutation.name
        assert all((item.title + item.source + item.url).encode() for item in batch.items), mutation.name
    assert set(upstream.breaker.outcomes) == {"ok"}


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (httpx.Response(429, text="Please limit requests to one every 5 seconds"), RateLimitedError),
        (httpx.Response(200, json={}), NotFoundError),
        (httpx.Response(200, text="Your query was too short or too long."), MalformedError),
        (httpx.Response(200, json=[]), MalformedError),
        (httpx.Response(200, json={"articles": None}), MalformedError),
    ],
    ids=["429", "no articles", "a complaint at 200", "a list", "null instead of articles"],
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
