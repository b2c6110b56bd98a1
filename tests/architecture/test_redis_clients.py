"""Tests that every client of Redis is built in one place, so that each one follows a failover."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = [
    *ROOT.glob("shared/src/**/*.py"),
    *ROOT.glob("cli/src/**/*.py"),
    *ROOT.glob("services/*/src/**/*.py"),
]
#: The modules that may build a client, relative to the package of the connection layer.
LAYER = ROOT / "shared/src/financehub_shared/redis"
BUILDERS = {"client.py", "sentinel.py"}
NAMES = {"Redis", "StrictRedis", "RedisCluster", "Sentinel", "ConnectionPool", "BlockingConnectionPool", "from_url"}


def built_clients(source: str) -> Iterator[int]:
    """Yield the line of each call that builds a client or a pool of redis-py."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rpartition(".")[2]
            if name in NAMES:
                yield node.lineno


def test_only_the_connection_layer_builds_clients() -> None:
    """No other module of the product builds a client, because its connections would not notice a failover."""
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in SOURCES
        if not (path.parent == LAYER and path.name in BUILDERS)
        for line in built_clients(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_built_client_is_found() -> None:
    """The search finds each way to build a client."""
    source = "import redis\nredis.Redis()\nredis.asyncio.Redis.from_url('')\nConnectionPool()\nclient.get('Redis')\n"
    assert sorted(built_clients(source)) == [2, 3, 4]
