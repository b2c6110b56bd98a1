"""Adds the API to the application: its routes, their errors and what they share."""

from functools import partial

from fastapi import FastAPI

from financehub_web.api import (
    assets,
    bars,
    dead_letters,
    docs_page,
    fleet,
    health,
    history,
    indicators,
    news,
    openapi,
    quarantine,
    quotes,
    runs,
    schedules,
    stream,
)
from financehub_web.api.bodies import BodyCache
from financehub_web.api.problems import add_error_handlers
from financehub_web.api.quote_feed import QuoteFeed

_SUBJECTS = (
    *(assets, quotes, history, bars, indicators, stream, news, quarantine),
    *(schedules, runs, dead_letters, fleet, health, openapi, docs_page),
)


def add_api(app: FastAPI, feed: QuoteFeed) -> None:
    """Add the API to an application whose `state.fleet` reads the state of the fleet.

    Args:
        app: The application.
        feed: The source of the event streams.
    """
    app.state.bodies = BodyCache()
    app.state.feed = feed
    app.openapi = partial(openapi.document_of, app)  # type: ignore[method-assign]  # as FastAPI documents it
    for subject in _SUBJECTS:
        app.include_router(subject.router, generate_unique_id_function=openapi.operation_id)
    add_error_handlers(app)
