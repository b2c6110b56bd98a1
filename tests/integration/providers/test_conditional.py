"""Tests of cache validators in Redis, which the fleet shares, which expire after a week, and which are optional."""

from collections.abc import Callable

import pytest
import redis

from financehub_shared.core.loop_local import LoopLocal
from financehub_shared.providers.transport.conditional import TTL_SECONDS, CacheValidators, RedisCacheValidators
from financehub_shared.redis.client import connect_async
from support.redis_server import RedisServer

URL = "https://news.test/feed?token=subscriber-SECRET"
KNOWN = CacheValidators('"v1"', "Fri, 31 Jan 2025 12:00:00 GMT")


async def test_validators_of_one_process_are_read_by_another(redis_url: str, redis_client: redis.Redis):
    """Cache validators are stored for a week under a key that does not contain the URL."""
    one, two = (LoopLocal(lambda: connect_async(redis_url)) for _ in range(2))
    await RedisCacheValidators(one).put(URL, KNOWN)
    assert await RedisCacheValidators(two).get(URL) == KNOWN
    assert await RedisCacheValidators(two).get("https://other.test") == CacheValidators()
    (key,) = redis_client.keys("*")
    assert b"SECRET" not in key
    assert TTL_SECONDS - 5 < redis_client.ttl(key) <= TTL_SECONDS
    redis_client.set(key, "not json")
    assert await RedisCacheValidators(two).get(URL) == CacheValidators()
    for client in (one, two):
        taken = client.pop()
        assert taken is not None
        await taken.aclose()


async def test_validators_without_redis_are_empty(redis_server: Callable[[], RedisServer]):
    """While Redis is unavailable, the full document is read, and nothing fails."""
    server = redis_server()
    client = LoopLocal(lambda: connect_async(server.url, retries=0))
    server.kill()
    await RedisCacheValidators(client).put(URL, KNOWN)
    assert await RedisCacheValidators(client).get(URL) == CacheValidators()


@pytest.mark.parametrize(
    ("stored", "sent"),
    [
        ('{"etag": "v1", "last_modified": "x", "vary": 1}', {"if-none-match": "v1", "if-modified-since": "x"}),
        ('{"etag": 5, "last_modified": ""}', {}),
        ('{"etag": null}', {}),
        ('{"etag": "a\\r\\nb", "last_modified": "é"}', {}),
        ('["v1"]', {}),
        ("5", {}),
        ("", {}),
        (b"\xff\xfe", {}),
        ("[" * 100_000, {}),
    ],
)
async def test_damaged_validators_lead_to_an_unconditional_request(
    redis_url: str, redis_client: redis.Redis, stored: str | bytes, sent: dict[str, str]
):
    """The request can be sent no matter what is stored, and unknown fields of a newer release are ignored (D13)."""
    client = LoopLocal(lambda: connect_async(redis_url))
    await RedisCacheValidators(client).put(URL, KNOWN)
    (key,) = redis_client.keys("*")
    redis_client.set(key, stored)
    assert (await RedisCacheValidators(client).get(URL)).headers() == sent
    taken = client.pop()
    assert taken is not None
    await taken.aclose()
