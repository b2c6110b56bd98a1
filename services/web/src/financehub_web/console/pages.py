"""The routes of all pages and of the static files."""

from fastapi import APIRouter

from financehub_web.console import (
    about,
    actions,
    assets,
    dead_letters,
    fleet,
    news,
    overview,
    providers,
    quarantine,
    quote,
    quotes,
    runs,
    schedules,
    tasks,
)
from financehub_web.console.static_files import serve_file

router = APIRouter(include_in_schema=False)
for subject in (
    *(overview, quotes, quote, news, assets, quarantine),
    *(schedules, runs, tasks, dead_letters, providers, fleet, about, actions),
):
    router.include_router(subject.router)
router.add_api_route("/static/{name:path}", serve_file, methods=["GET", "HEAD"], name="static", response_model=None)
