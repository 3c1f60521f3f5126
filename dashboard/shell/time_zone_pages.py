"""``/zone``: a time zone's offsets for pages, which do not use the browser's own table."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse, JSONResponse, Response

from vigil.values import time_zones

if TYPE_CHECKING:
    from vigil.values.clock import Clock

SCRIPT = Path(__file__).parents[1] / "static" / "zone.js"
FRESH = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
Name = Annotated[str, Query(max_length=64, pattern=r"^[A-Za-z0-9_+/-]*$")]


def routes(clock: Clock) -> APIRouter:
    """The routes of the offsets and of the script that reads them."""
    router = APIRouter(include_in_schema=False)

    @router.get("/zone")
    async def offsets(name: Name = "") -> Response:
        """The offsets of a zone by its IANA name; those of UTC where it is unknown."""
        found = time_zones.offsets(name, clock())
        return JSONResponse(asdict(found), headers=FRESH)

    @router.get("/zone.js")
    async def script() -> Response:
        return FileResponse(SCRIPT, media_type="text/javascript", headers=FRESH)

    return router
