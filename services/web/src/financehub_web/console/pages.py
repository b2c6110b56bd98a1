"""The routes of all pages and of the static files."""

from fastapi import APIRouter

from financehub_web.console import overview, quote, quotes
from financehub_web.console.static_files import serve_file

router = APIRouter(include_in_schema=False)
for page in (overview, quotes, quote):
    router.include_router(page.router)
router.add_api_route("/static/{name:path}", serve_file, methods=["GET", "HEAD"], name="static", response_model=None)
