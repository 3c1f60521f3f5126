"""The services: how each is built, and running one or several of them in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from vigil.composition.stage import WebPart, run_worker, tune_garbage_collection

if TYPE_CHECKING:
    from fastapi import FastAPI

    from vigil.service.settings import Settings

SERVICES: MappingProxyType[str, str] = MappingProxyType(
    {
        "ingest": "web",
        "dashboard": "web",
        "detectors": "worker",
        "explain": "worker",
        "store": "worker",
        "notify": "worker",
    }
)
"""Service → how it runs: ``worker``: alone in its process; ``web``: also with other web parts."""


def _ingest(settings: Settings) -> Any:
    from ingest.service import build

    return build(settings)


def _dashboard(settings: Settings) -> Any:
    from dashboard.service import build

    return build(settings)


def _detectors(settings: Settings) -> Any:
    from detectors.service import build

    return build(settings)


def _explain(settings: Settings) -> Any:
    from explain.service import build

    return build(settings)


def _store(settings: Settings) -> Any:
    from store.service import build

    return build(settings)


def _notify(settings: Settings) -> Any:
    from notify.service import build

    return build(settings)


BUILDERS: MappingProxyType[str, Callable[[Settings], Any]] = MappingProxyType(
    {
        "ingest": _ingest,
        "dashboard": _dashboard,
        "detectors": _detectors,
        "explain": _explain,
        "store": _store,
        "notify": _notify,
    }
)
"""Service → its builder, which imports it: no process loads all services."""


def build(name: str, settings: Settings) -> Any:
    """Build a service with these settings."""
    return BUILDERS[name](settings)


def run(names: Sequence[str], settings: Settings) -> None:
    """Run services in this process until SIGTERM or Ctrl-C.

    Args:
        names: one worker, or one or more web parts.
    """
    if len(names) == 1 and SERVICES[names[0]] == "worker":
        run_worker(build(names[0], settings), settings)
    else:
        serve(names, settings)


def web_app(parts: Sequence[WebPart], settings: Settings) -> FastAPI:
    """Build one ASGI application of these parts."""
    from fastapi.exceptions import RequestValidationError
    from fastapi_offline import FastAPIOffline

    from vigil import __version__
    from vigil.web import refusal
    from vigil.web.gate import Gate

    @asynccontextmanager
    async def lifespan(_api: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for part in parts:
                await stack.enter_async_context(part.lifespan())
            yield

    api = FastAPIOffline(  # /docs with scripts of its own: a ward's network is often closed
        redoc_url=None,
        title="Vigil",
        version=__version__,
        summary="The door for devices" + (" (demonstration)" if settings.demo else ""),
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=lifespan,
    )

    _add_health(api, parts)
    for part in parts:
        part.install(api)
    api.add_exception_handler(RequestValidationError, refusal.refuse_invalid)
    api.add_middleware(Gate, settings=settings)  # last, and so around everything
    return api


def _add_health(api: FastAPI, parts: Sequence[WebPart]) -> None:
    """Add the paths that container health checks ask."""
    from fastapi.responses import JSONResponse

    @api.get("/health/live", include_in_schema=False)
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @api.get("/health/ready", include_in_schema=False)
    async def ready() -> JSONResponse:
        trouble = {k: v for part in parts for k, v in part.trouble().items()}
        status = "not ready" if trouble else "ready"
        return JSONResponse({"status": status, "trouble": trouble}, 503 if trouble else 200)


def serve(names: Sequence[str], settings: Settings) -> None:
    """Serve web parts with uvicorn until SIGTERM or Ctrl-C."""
    import uvicorn

    from vigil.service import logs
    from vigil.web.server import options

    logs.configure(settings, "+".join(names))
    parts = [build(name, settings) for name in sorted(names, reverse=True)]  # ingest's routes first
    app = web_app(parts, settings)
    tune_garbage_collection()
    uvicorn.run(app, **options(settings))
