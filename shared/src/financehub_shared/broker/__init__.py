"""Dramatiq on Redis, with fixes: ADR 0006 lists what stock dramatiq loses and how this package prevents it.

The package imports none of its modules, because readers of queues and dead letters need no broker.
"""
