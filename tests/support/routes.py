"""Every route of an application, found by walking it, with the parameters that it declares."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from starlette.routing import Mount, Route, WebSocketRoute

_PLACE = re.compile(r"{([a-z_]+)(?::[a-z]+)?}")


class Found(NamedTuple):
    """A method of a path, or a websocket."""

    method: str
    """``WEBSOCKET`` for one."""
    path: str
    """With places in braces."""
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    cookies: tuple[str, ...] = ()
    body: tuple[str, ...] = ()

    @property
    def places(self) -> list[str]:
        """The names of its path's parameters."""
        return _PLACE.findall(self.path)

    def address(self, value: str = "p1", at: str = "") -> str:
        """The path with ``value`` in one place (in all where ``at`` is empty), else ``p1``."""
        return _PLACE.sub(lambda one: value if at in {"", one[1]} else "p1", self.path)


def every_route(routes: Iterable[Any], prefix: str = "") -> Iterator[Found]:
    """All of them: of included routers and mounted applications too.

    Raises:
        TypeError: a kind of route that this does not know, and so would not test.
    """
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from every_route(inner.routes, prefix)
        elif isinstance(route, Mount):
            below = list(every_route(route.routes or (), prefix + route.path))
            yield from below or [Found("GET", f"{prefix}{route.path}/{{path:path}}")]
        elif isinstance(route, WebSocketRoute):
            yield Found("WEBSOCKET", prefix + route.path)
        elif isinstance(route, Route):
            for method in sorted(route.methods or ()):
                yield Found(method, prefix + route.path, **_declared(route))
        else:
            raise TypeError(f"{route!r} is a kind of route that no test knows")


def _declared(route: Route) -> dict[str, tuple[str, ...]]:
    declared = getattr(route, "dependant", None)
    if declared is None:
        return {}
    body = []
    for field in declared.body_params:
        model = getattr(field.field_info.annotation, "model_fields", None)
        body += list(model) if model else [field.alias]
    return {
        "query": tuple(field.alias for field in declared.query_params),
        "headers": tuple(field.alias for field in declared.header_params),
        "cookies": tuple(field.alias for field in declared.cookie_params),
        "body": tuple(body),
    }
