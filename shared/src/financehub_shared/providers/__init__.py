"""Providers of market data, one module or package each, and the code that they share.

`build` builds them from the table in `core/provider_specs.py`. `failover`, `bar_fetcher` and `news_fetcher` call
them for tasks, and every upstream call passes a `guard`. The interfaces are in `protocols`.
"""
