"""Every page of a web process, found by its routes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import httpx
from fastapi import FastAPI
from fastapi.routing import APIRoute

LEFT_OUT = re.compile(r"/(docs|openapi\.json|health|v1|static|board/_|board/assets)")
"""No pages of ours: the API's documentation, health, the devices' door, files, Dash's own."""


def flat(routes: Iterable[Any]) -> Iterator[Any]:
    """The routes of an application, those of included routers too."""
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is None:
            yield route
        else:
            yield from flat(inner.routes)


def addresses(api: FastAPI, values: Mapping[str, str]) -> list[str]:
    """The address of each route that answers GET, its parameters filled in.

    Raises:
        KeyError: a route has a parameter without a value: give it one.
    """
    found = []
    for route in flat(api.routes):
        if not isinstance(route, APIRoute) or "GET" not in (route.methods or ()):
            continue
        if not LEFT_OUT.match(route.path):
            found.append(re.sub(r"\{(\w+)(?::\w+)?\}", lambda m: values[m[1]], route.path))
    return sorted(set(found))


def pages(client: httpx.Client, wanted: list[str]) -> Iterator[tuple[str, httpx.Response]]:
    """Those of them that are HTML, as they are answered."""
    for address in wanted:
        answer = client.get(address)
        if answer.headers.get("content-type", "").startswith("text/html"):
            yield address, answer
