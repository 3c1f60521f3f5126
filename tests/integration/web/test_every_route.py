"""No parameter of any route ends in a 500, and none that could not be stored is taken.

The routes are found by walking the application that ``vigil run ingest dashboard`` serves, so one
that is added tomorrow is tested tomorrow.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

import psycopg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect as connect_websocket
from websockets.typing import Origin

from cli.services import web_app
from dashboard import service as dashboard
from ingest import service as ingest
from local.parts import free_port
from store.database.connections import connect
from tests.integration.dashboard.conftest import PASSWORD, submit_login
from tests.support.phone_house import link_for
from tests.support.routes import Found, every_route
from tests.support.running import serving
from tests.support.seed import Seed
from tests.support.timeouts import TIMEOUT
from vigil.composition.stage import WebPart
from vigil.service.settings import Settings
from vigil.values import text
from vigil.values.clock import utc_now
from vigil.web.refusal import FIELDS

SECRET = "hunter2hunter2"
"""Stands in everything that is sent, and in no refusal."""
LEAVING = frozenset({"/logout", "/phone/leave"})
FORM = "application/x-www-form-urlencoded"
NOT_TEXT = {
    "NUL": "%00", "escape": "%1b", "bell": "%07", "DEL": "%7f", "C1": "%C2%85", "C1 end": "%C2%9F",
    "half pair": "%ED%A0%BD", "not UTF-8": "%FF%FE", "overlong": "%C0%80", "cut": "%E2%82",
    "no hex": "%zz", "lone percent": "%",
}  # fmt: skip
"""As they stand in an address or a form."""
NOT_JSON_TEXT = {
    "NUL": rb"\u0000", "escape": rb"\u001b", "DEL": b"\x7f", "C1": b"\xc2\x85",
    "C1 escaped": rb"\u0085", "half pair": rb"\ud83d", "second half": rb"\udc00",
    "not UTF-8": b"\xff", "raw NUL": b"\x00",
}  # fmt: skip
ODD = {
    "empty": "", "spaces": "   ", "emoji": "\U0001f642" * 3, "right to left": "\u202e\u0627\u0628",
    "separators": "\u2028\u2029\ufeff", "last of the plane": "\uffff\ufffe", "dots": "../../etc",
    "quotes": "'\"<>&`;--", "huge number": "9" * 5000, "not a number": "NaN", "minus": "-1",
    "exponent": "1e999", "long": "x" * 6000, "digits": "\u0663\u0664", "percent": "100%25",
    "braces": "{{7*7}}{0}%s%n",
}  # fmt: skip
"""What can be stored: taken, or refused as the route refuses what it does not know."""


class Site(NamedTuple):
    """The running web process, and what a person and a phone of it carry."""

    url: str
    cookies: str
    csrf: str
    found: list[Found]

    def send(
        self, method: str, target: str, body: bytes | None = None, kind: str = FORM,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, bytes]:  # fmt: skip
        """A request as it stands, with nothing made right on its way."""
        line = HTTPConnection(urlsplit(self.url).netloc, timeout=TIMEOUT)
        line.putrequest(method, target, skip_accept_encoding=True)
        leaves = urlsplit(target).path in LEAVING  # as a stranger: others still need who is here
        given = {"Cookie": "a=1" if leaves else self.cookies, "Origin": self.url}
        given |= headers or {}
        if body is not None:
            given |= {"Content-Type": kind, "Content-Length": str(len(body))}
        for name, value in given.items():
            line.putheader(name, value.encode("latin-1"))
        line.endheaders(body)
        answer = line.getresponse()
        received = answer.read()
        line.close()
        return answer.status, received


@pytest.fixture(scope="module")
def site(postgres_url: str) -> Iterator[Site]:
    """Devices' door, board and phones; an administrator and a phone; no broker answers."""
    name = f"w_{secrets.token_hex(6)}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template")
    settings = Settings(
        demo=True, database_url=postgres_url.replace("/postgres", f"/{name}"),
        kafka_bootstrap=f"127.0.0.1:{free_port()}", log_level="ERROR",
    )  # fmt: skip
    with connect(settings) as connection:
        seed = Seed(connection, utc_now())
        seed.user("kim", PASSWORD)
        seed.patient("p1", "Ann Lee")
        seed.episode("p1", "heart_rate_high")
        seed.commit()
    parts: list[WebPart] = [ingest.build(settings), dashboard.build(settings)]
    found = list(every_route(web_app(parts, settings).routes))
    with serving([ingest.build(settings), dashboard.build(settings)], settings) as url:
        yield visited(url, settings, found)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def visited(url: str, settings: Settings, found: list[Found]) -> Site:
    import httpx

    with httpx.Client(base_url=url, timeout=TIMEOUT, headers={"Origin": url}) as client:
        assert submit_login(client, "kim", PASSWORD).status_code == 303
        page = client.get("/board/").text
        assert client.post(f"/phone/enrol/{link_for(settings)}").status_code == 303
        cookies = "; ".join(f"{one.name}={one.value}" for one in client.cookies.jar)
    return Site(url, cookies, page.split('data-csrf="')[1].split('"')[0], found)


def web(site: Site, *methods: str) -> list[Found]:
    """The routes of these methods."""
    return [one for one in site.found if one.method in methods]


ALL = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")
WRITING = ("DELETE", "PATCH", "POST", "PUT")


def refused(received: tuple[int, bytes], *about: object) -> None:
    """It is a 422, and repeats nothing."""
    status, body = received
    assert status == 422, (*about, received)
    assert SECRET.encode() not in body, about


def no_fault(received: tuple[int, bytes], *about: object) -> None:
    """It is no 500; 503 is what a broker that is away makes."""
    assert received[0] < 500 or received[0] == 503, (*about, received)


def test_the_walk_finds_them_all(site: Site) -> None:
    paths = {one.path for one in site.found}
    assert {
        "/login", "/logout", "/board/", "/board/patient/{patient_id}", "/board/actions",
        "/board/phrasebook/{phrase_id}", "/board/_dash-update-component",
        "/board/_dash-ws-callback", "/board/assets/{path:path}", "/static/{path:path}", "/phone",
        "/phone/replies", "/phone/questions", "/phone/enrol/{code}", "/v1/readings",
        "/health/ready", "/docs", "/openapi.json", "/phone/receipts/{delivery_id}",
    } <= paths  # fmt: skip
    declared = {name for one in site.found for name in one.body}
    assert {"user", "password", "comment", "phrase"} <= declared
    assert declared - {"wanted"} <= FIELDS  # a refusal names it


@pytest.mark.parametrize("bad", NOT_TEXT)
def test_text_that_cannot_be_stored_is_422_in_every_address(site: Site, bad: str) -> None:
    value = SECRET + NOT_TEXT[bad]
    for route in web(site, *ALL):
        for place in route.places:
            refused(site.send(route.method, route.address(value, place)), route, place)
        for name in (*route.query, "anything"):
            refused(site.send(route.method, f"{route.address()}?{name}={value}"), route, name)
            refused(site.send(route.method, f"{route.address()}?{value}={name}"), route, name)


@pytest.mark.parametrize("bad", NOT_TEXT)
def test_text_that_cannot_be_stored_is_422_in_every_form(site: Site, bad: str) -> None:
    value = SECRET + NOT_TEXT[bad]
    for route in web(site, *WRITING):
        if route.path.startswith("/v1/"):
            continue  # which takes no form, and asks for a key first: tests/ingest
        for name in (*route.body, "csrf", "anything"):
            for body in (f"{name}={value}", f"a=1&{name}={value}&b=2", f"{value}=1", value):
                refused(site.send(route.method, route.address(), body.encode()), route, body)


@pytest.mark.parametrize("bad", NOT_JSON_TEXT)
def test_text_that_cannot_be_stored_is_422_in_every_json_body(site: Site, bad: str) -> None:
    value = b'"' + SECRET.encode() + NOT_JSON_TEXT[bad] + b'"'
    for route in web(site, *WRITING):
        if route.path.startswith("/v1/"):
            continue
        names = [name.encode() for name in (*route.body, "episode_id", "anything")]
        bodies = [b'{"%s": %s}' % (name, value) for name in names]
        bodies += [b"{%s: 1}" % value, b'{"a": [{"b": [%s]}]}' % value, value]
        for body in bodies:
            received = site.send(route.method, route.address(), body, "application/json")
            refused(received, route, body)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b"1", b'"x"', b"[" * 100_000, b'{"a":' * 50_000, b"1" * 10_000,
        b"NaN", b'{"a": Infinity}', b'{"a": 1e999}', b"\xef\xbb\xbf{}", '{"a": 1}'.encode("utf-16"),
        b'{"output": "panel.children"}', b'{"output": ["a"], "inputs": {}}', b'{"output": null}',
        b'{"output": "panel.children", "inputs": [{"id": "client", "property": "data"}]}',
        b'{"output": "panel.children", "inputs": "x", "state": 7, "changedPropIds": {}}',
    ],
)  # fmt: skip
def test_json_of_any_form_is_no_fault(site: Site, body: bytes) -> None:
    for route in web(site, *WRITING):
        for kind in ("application/json", "text/plain", "", "application/json; charset=utf-16", "/"):
            no_fault(site.send(route.method, route.address(), body, kind), route, kind)


@pytest.mark.parametrize("odd", ODD)
def test_odd_values_are_no_fault(site: Site, odd: str) -> None:
    value = ODD[odd]
    inside = quote(value, safe="")[:7000]
    inside = inside[: inside.rfind("%")] if inside[-2:].startswith("%") else inside
    for route in web(site, *ALL):
        for place in route.places:
            no_fault(site.send(route.method, route.address(inside or "%20", place)), route, place)
        for name in route.query:
            twice = f"{name}={inside}&{name}=1&{name}"
            no_fault(site.send(route.method, f"{route.address()}?{twice}"), route, name)
    for route in web(site, *WRITING):
        for name in (*route.body, "anything"):
            given = dict.fromkeys(route.body, "1") | {"csrf": site.csrf, name: value}
            form = urlencode(given).encode()[:16_000]
            no_fault(site.send(route.method, route.address(), form), route, name)
            no_fault(site.send(route.method, route.address(), form + b"&" + form[:99]), route, name)
            sent_body = json.dumps(given).encode()
            headers = {"X-Vigil-Csrf": site.csrf}
            no_fault(
                site.send(route.method, route.address(), sent_body, "application/json", headers),
                route,
            )


@pytest.mark.parametrize(
    "value", ["\x80\x9f\xff", "\u00e9" * 500, '"\\000\\777"', "a=b; c", ";;=", ""]
)
def test_headers_and_cookies_are_no_fault(site: Site, value: str) -> None:
    names = {
        "Origin", "Accept-Language", "Accept", "Content-Type", "Authorization", "X-API-Key",
        "Host", "If-None-Match", "If-Modified-Since", "Range", "X-Vigil-Csrf", "Cookie",
        "X-Forwarded-For", "Referer",
    }  # fmt: skip
    cookies = {"vigil_session", "vigil_login", "vigil_phone", "vigil_known_a"}
    for route in web(site, "GET", "POST"):
        declared = {name for name in route.headers if not name.startswith("_")}
        for name in sorted(names | declared):
            received = site.send(route.method, route.address(), b"", headers={name: value})
            no_fault(received, route, name)
        for name in sorted(cookies | set(route.cookies)):
            if route.path in LEAVING:
                continue
            cookie = {"Cookie": f"{site.cookies}; {name}={value}"}
            no_fault(site.send(route.method, route.address(), b"a=1", headers=cookie), route, name)


@pytest.mark.parametrize("origin", ["http://[", "http://]/", "//", "http://a:b", "null"])
def test_an_origin_that_is_none_is_another_sites(site: Site, origin: str) -> None:
    for path in ("/board/actions", "/phone/replies", "/phone/leave", "/board/patient/p1/phone"):
        assert site.send("POST", path, b"a=1", headers={"Origin": origin})[0] == 403


def test_what_is_too_long_is_said_so_and_not_repeated(site: Site) -> None:
    for route in web(site, *ALL):
        received = site.send(route.method, f"{route.address()}?a={SECRET}{'x' * 9000}")
        assert received[0] == 414
        assert SECRET.encode() not in received[1]
    for path in ("/login", "/logout", "/phone/replies", "/phone/questions", "/nothing"):
        assert site.send("POST", path, b"password=" + b"x" * 20_000)[0] == 413
        assert site.send("POST", path, b"a=1&" * 300)[0] == 422


@pytest.mark.parametrize("accept", ["text/html", "*/*"])
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (urlencode({"user": "kim", "password": SECRET * 100}), FORM),
        (urlencode({"user": SECRET * 100, "password": "x"}), FORM),
        (json.dumps({"user": "kim", "password": SECRET}), "application/json"),
        (f'--b\r\nContent-Disposition: form-data; name="password"\r\n\r\n{SECRET}\r\n--b--\r\n',
         "multipart/form-data; boundary=b"),
        (f"{SECRET}\0", FORM),
        (SECRET, "text/plain"),
    ],
)  # fmt: skip
def test_a_password_never_comes_back(site: Site, body: str, kind: str, accept: str) -> None:
    for path in (
        "/login",
        "/logout",
        "/board/actions",
        "/board/phrasebook/review",
        "/phone/replies",
    ):
        for query in ("", f"?verb={SECRET}"):
            status, received = site.send(
                "POST", path + query, body.encode(), kind, {"Accept": accept}
            )
            assert 300 <= status < 500
            assert SECRET.encode() not in received


def test_a_field_that_is_not_known_is_not_named(site: Site) -> None:
    headers = {"X-Vigil-Csrf": site.csrf}
    body = json.dumps({"episode_id": "e", "verb": "useful", SECRET: 1}).encode()
    status, received = site.send("POST", "/board/actions", body, "application/json", headers)
    assert status == 422
    assert SECRET.encode() not in received
    assert json.loads(received) == {"error": "body: It is a field that is not known here."}


def test_a_comment_that_cannot_be_stored_is_not_sent(site: Site) -> None:
    headers = {"X-Vigil-Csrf": site.csrf}
    for comment in ("a\x00b", "\x1b[2J", "\x85", "\ud83d"):
        body = json.dumps({"episode_id": "e", "verb": "comment", "comment": comment}).encode()
        status, received = site.send("POST", "/board/actions", body, "application/json", headers)
        assert status == 422
        assert json.loads(received)["error"].startswith("comment: It contains ")
    body = json.dumps({"episode_id": "e", "verb": "comment", "comment": "two\n\tlines"}).encode()
    assert site.send("POST", "/board/actions", body, "application/json", headers)[0] == 404


@given(
    value=st.text(max_size=40), other=st.text(max_size=10),
    where=st.sampled_from(["path", "query", "form", "json"]), number=st.integers(0, 10_000),
)  # fmt: skip
@hypothesis_settings(max_examples=300, derandomize=True, suppress_health_check=list(HealthCheck))
def test_any_text_is_stored_whole_or_refused(
    site: Site, value: str, other: str, where: str, number: int
) -> None:
    routes = [one for one in web(site, *ALL) if not one.path.startswith("/v1/")]
    if where == "path":
        routes = [one for one in routes if one.places]
    if where in {"form", "json"}:
        routes = [one for one in web(site, *WRITING) if not one.path.startswith("/v1/")]
    route = routes[number % len(routes)]
    raw = quote(value.encode("utf-8", "surrogatepass"), safe="")
    sent = value + (other if where == "json" else "")
    odd = text.find_flaw(sent, lines=where in {"form", "json"})
    match where:
        case "path":
            received = site.send(route.method, route.address(raw or "x"))
        case "query":
            received = site.send(route.method, f"{route.address()}?intent={raw}")
        case "form":
            received = site.send(route.method, route.address(), f"question={raw}".encode())
        case _:
            body = json.dumps({"comment": value, other: [value]}).encode()
            received = site.send(route.method, route.address(), body, "application/json")
    if odd:
        assert received[0] == 422
    no_fault(received, route, where)


# Dash's websocket -------------------------------------------------------------------------------


def line_to(site: Site) -> Any:
    path = next(one.path for one in site.found if one.method == "WEBSOCKET")
    return connect_websocket(
        site.url.replace("http", "ws") + path, origin=Origin(site.url),
        additional_headers={"Cookie": site.cookies},
    )  # fmt: skip


CALL: dict[str, Any] = {
    "output": "panel.children", "outputs": {"id": "panel", "property": "children"},
    "inputs": [{"id": "client", "property": "data", "value": {"page": "patient", "patient": "p1"}}],
    "changedPropIds": ["client.data"], "state": [],
}  # fmt: skip


def message(payload: Any, **changes: Any) -> str:
    return json.dumps(
        {"type": "callback_request", "requestId": "1", "rendererId": "r", "payload": payload}
        | changes
    )


@pytest.mark.parametrize(
    "received",
    [
        "", "[]", "1", "null", '"x"', "{}", '{"type": []}', '{"type": {"a": 1}}', "[" * 50_000,
        '{"type": "heartbeat", "requestId": {}}', message(None), message([]), message({}),
        message(CALL, requestId=[1]), message(CALL, rendererId={}), message(CALL | {"output": "x"}),
        message(CALL | {"output": None}), message(CALL | {"outputs": []}),
        message(CALL | {"inputs": []}), message(CALL | {"inputs": None}),
        message(CALL | {"inputs": [[CALL["inputs"][0]]]}), message(CALL | {"changedPropIds": [1]}),
        message(CALL | {"inputs": [CALL["inputs"][0] | {"value": {"page": ["patient"]}}]}),
        message(CALL | {"inputs": [CALL["inputs"][0] | {"value": {"page": "a\0"}}]}),
        message(CALL | {"inputs": [CALL["inputs"][0] | {"value": "x"}]}), "\x85",
    ],
)  # fmt: skip
def test_a_message_that_no_page_of_ours_sends_ends_the_line(site: Site, received: str) -> None:
    with line_to(site) as line:
        line.send(received)
        with pytest.raises(ConnectionClosed) as ending:
            line.recv(10)
        assert ending.value.rcvd is not None
        assert ending.value.rcvd.code == 1007
    with line_to(site) as line:
        line.send(message(CALL))
        assert "chart" in str(line.recv(10))


def test_dashs_calls_over_http_are_held_to_the_same(site: Site) -> None:
    path, kind = "/board/_dash-update-component", "application/json"
    status, received = site.send("POST", path, json.dumps(CALL).encode(), kind)
    assert (status, b"chart" in received) == (200, True)
    changes: list[dict[str, Any]] = [
        {"output": "x"},
        {"inputs": []},
        {"outputs": []},
        {"state": [1]},
    ]
    for change in changes:
        assert site.send("POST", path, json.dumps(CALL | change).encode(), kind)[0] == 422
    for name in ("dash/nothing.js", "nothing/x.js", "os/path.py", "dash/../x", "dash/", "x/"):
        assert site.send("GET", f"/board/_dash-component-suites/{name}")[0] == 404


def test_a_websocket_of_a_bad_address_is_refused(site: Site) -> None:
    for route in (one for one in site.found if one.method == "WEBSOCKET"):
        for bad in NOT_TEXT.values():
            with pytest.raises(InvalidStatus) as refusal:
                connect_websocket(f"{site.url.replace('http', 'ws')}{route.path}?a={bad}")
            assert refusal.value.response.status_code == 422
