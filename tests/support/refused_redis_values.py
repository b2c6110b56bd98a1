"""Values of an external Redis that the chart refuses: they contradict each other or would have no effect."""

from typing import Any

from support.refused_values import Case, Values


def _external(**values: Any) -> Values:
    return {"redis": {"enabled": False}, "externalRedis": values}


def _without(*names: str) -> Values:
    """Return the change that removes values of `externalRedis`. A dot separates the names of a path."""
    removed: Values = {}
    for name in names:
        *path, last = name.split(".")
        place = removed
        for part in path:
            place = place.setdefault(part, {})
        place[last] = None
    return {"externalRedis": removed}


_HOST: dict[str, Any] = {"host": "cache.example.com"}
_NODES: dict[str, Any] = {"sentinel": {"nodes": ["a.example.com", "b.example.com"], "master": "mymaster"}}
_URL: dict[str, Any] = {"url": "redis://cache.example.com/0"}
_IN_SECRET: dict[str, Any] = {"existingSecret": "mine", "urlKey": "url"}


def _nodes(*nodes: str) -> dict[str, Any]:
    return {"sentinel": {"nodes": list(nodes), "master": "mymaster"}}


_EMBEDDED: Values = {"redis": {"enabled": True}, "externalRedis": {"host": None}}
_HPA: Values = {"autoscaling": {"mode": "hpa"}}

#: Values that a URL states itself, with the name of each.
_PARTS: dict[str, dict[str, Any]] = {
    "username": {"username": "reader"},
    "database": {"database": 2},
    "port": {"port": 6380},
    "sentinel.master": {"sentinel": {"master": "mymaster"}},
    "sentinel.username": {"sentinel": {"username": "reader"}},
    "tls.enabled": {"tls": {"enabled": True}},
    "tls.checkHostname": {"tls": {"checkHostname": False}},
}

REDIS_CASES: dict[str, Case] = {
    **{
        f"{name} beside a URL": Case(
            _external(**_URL, **values),
            (f"externalRedis.{name}", "url is set", "write it into the URL"),
            (_without(name),),
        )
        for name, values in _PARTS.items()
    },
    **{
        f"{name} beside a URL in a Secret": Case(
            _external(**_IN_SECRET, **values) | _HPA,
            (f"externalRedis.{name}", "urlKey is set", "write it into the URL"),
            (_without(name),),
        )
        for name, values in _PARTS.items()
    },
    **{
        f"{name} of Sentinels that are not named": Case(
            _external(**_HOST, sentinel={name: "mine"}),
            (f"externalRedis.sentinel.{name}", "set sentinel.nodes"),
            (_without(f"sentinel.{name}"), {"externalRedis": {"host": None, **_NODES}}),
        )
        for name in ("master", "username", "existingSecret")
    },
    **{
        f"{name} of a host without TLS": Case(
            _external(**_HOST, tls={name: value}),
            (f"externalRedis.tls.{name}", "externalRedis.tls.enabled=true"),
            (_without(f"tls.{name}"), {"externalRedis": {"tls": {"enabled": True}}}),
        )
        for name, value in (("caSecret", "authority"), ("checkHostname", False))
    },
    **{
        f"{way} with {what} as its address": Case(
            _external(**values), (f"externalRedis.{way}", "write a host name or an IP address"), (fix,)
        )
        for way, what, values, fix in (
            ("host", "a URL", {"host": "redis://cache.example.com"}, {"externalRedis": _HOST}),
            ("host", "a port", {"host": "cache.example.com:6380"}, {"externalRedis": _HOST | {"port": 6380}}),
            ("host", "a user", {"host": "me@cache.example.com"}, {"externalRedis": _HOST | {"username": "me"}}),
            ("sentinel.nodes", "a URL", _nodes("redis://a"), {"externalRedis": _NODES}),
            ("sentinel.nodes", "a list", _nodes("a.example.com,b.example.com"), {"externalRedis": _NODES}),
        )
    },
    "a Secret for Sentinels beside the URL of a server": Case(
        _external(**_URL, sentinel={"existingSecret": "mine"}),
        ("externalRedis.sentinel.existingSecret", "no Sentinels are named"),
        (_without("sentinel.existingSecret"), {"externalRedis": {"url": "redis+sentinel://a.example.com/m"}}),
    ),
    "a host and Sentinels": Case(
        _external(**_HOST, **_NODES),
        ("externalRedis", "host, sentinel.nodes are all set", "set only one of them"),
        (_without("host"), {"externalRedis": {"sentinel": None}}),
    ),
    "a host and a URL": Case(
        _external(**_HOST, **_URL),
        ("externalRedis", "host, url are all set", "set only one of them"),
        (_without("host"), _without("url")),
    ),
    "a host next to the embedded Redis": Case(
        {"externalRedis": _HOST},
        ("externalRedis", "redis.enabled=false", "leave externalRedis empty"),
        ({"redis": {"enabled": False}}, _without("host")),
    ),
    "Sentinels without a master": Case(
        _external(sentinel={"nodes": ["a.example.com"]}),
        ("externalRedis.sentinel.master", "missing", "mymaster"),
        ({"externalRedis": {"sentinel": {"master": "mymaster"}}},),
    ),
    "a port beside Sentinels": Case(
        _external(**_NODES, port=26380),
        ("externalRedis.port", "host:26379"),
        (_without("port"),),
    ),
    "a Sentinel that is named twice": Case(
        _external(sentinel={"nodes": ["a.example.com", "a.example.com"], "master": "m"}),
        ("externalRedis.sentinel.nodes", "twice", "remove one"),
        ({"externalRedis": _NODES},),
    ),
    **{
        f"a Sentinel that is named twice, as {second}": Case(
            _external(**_nodes(first, second)),
            ("externalRedis.sentinel.nodes", "twice", "remove one"),
            ({"externalRedis": _NODES}, {"externalRedis": _nodes(first)}),
        )
        for first, second in (
            ("a.example.com", "a.example.com:26379"),
            ("a.example.com", "A.example.com."),
            ("2001:db8::1", "[2001:DB8::1]:26379"),
        )
    },
    **{
        f"{host} as a host": Case(
            _external(host=host), ("externalRedis.host", host, *parts), ({"externalRedis": _HOST}, _EMBEDDED)
        )
        for host, *parts in (
            ("clustercfg.prices.abc123.use1.cache.amazonaws.com", "is always a Redis Cluster", "a single master"),
            ("clustercfg.prices.abc123.memorydb.us-east-1.amazonaws.com", "is always a Redis Cluster"),
            ("prices-0001-001.prices.abc123.memorydb.us-east-1.amazonaws.com", "is always a Redis Cluster"),
            ("prices-abc123.serverless.use1.cache.amazonaws.com", "is always a Redis Cluster"),
            ("prices-ro.abc123.ng.0001.use1.cache.amazonaws.com", "only leads to replicas", "the primary endpoint"),
            ("replica.prices.abc123.use1.cache.amazonaws.com.cn", "only leads to replicas"),
        )
    },
    "a cluster in a URL": Case(
        _external(url="rediss://me@CLUSTERCFG.prices.abc123.memorydb.us-east-1.amazonaws.com:6379"),
        ("externalRedis.url", "is always a Redis Cluster"),
        ({"externalRedis": {"url": "rediss://master.prices.abc123.use1.cache.amazonaws.com:6379"}},),
    ),
    **{
        f"{repository} as the image of {server}": Case(
            {"redis": {"server": server, "image": {"repository": repository}}},
            ("redis.image.repository", f"{repository} is the image of {other}", f"redis.server={other}", "to use"),
            ({"redis": {"server": other}}, {"redis": {"image": {"repository": ""}}}),
        )
        for server, repository, other in (
            ("valkey", "redis", "redis"),
            ("valkey", "bitnami/redis", "redis"),
            ("redis", "valkey/valkey", "valkey"),
        )
    },
    "a short host name with KEDA": Case(
        _external(host="my-redis") | {"autoscaling": {"mode": "keda"}},
        ("externalRedis.host", "my-redis.NAMESPACE.svc"),
        ({"externalRedis": {"host": "my-redis.market.svc"}}, _HPA),
    ),
    "a short name of a Sentinel with KEDA": Case(
        _external(sentinel={"nodes": ["a.market.svc", "b"], "master": "m"}) | {"autoscaling": {"mode": "keda"}},
        ("externalRedis.sentinel.nodes", "b.NAMESPACE.svc"),
        ({"externalRedis": _NODES}, _HPA),
    ),
}
