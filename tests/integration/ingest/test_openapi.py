"""The API keeps what its OpenAPI document promises, and takes what the document shows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings

from ingest import validate
from ingest.http import schemas
from tests.integration.ingest.conftest import HUB, WATCH, Door
from vigil.domain.signals import SIGNALS
from vigil.service.errors import CODES, InputError

pytestmark = [  # what is promised does not depend on the broker: one of them is enough
    pytest.mark.kafka,
    pytest.mark.parametrize("broker", ["tansu"], indirect=True, scope="module"),
]


@pytest.fixture(scope="module")
def document(door: Door) -> dict[str, Any]:
    """What the running server says of itself."""
    found: dict[str, Any] = door.client.get("/openapi.json").json()
    return found


def kind_of(status: str) -> str:
    """The content type of the answers with a status."""
    return "application/json" if status < "400" else "application/problem+json"


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "components": document["components"]}


def test_the_document_is_whole(document: dict[str, Any]) -> None:
    operation = document["paths"]["/v1/readings"]["post"]
    assert set(operation["responses"]) == {
        "200", "207", "400", "401", "403", "413", "415", "422", "503",
    }  # fmt: skip
    assert {"deviceKey", "deviceKeyHeader"} == set(document["components"]["securitySchemes"])
    values = document["components"]["schemas"]["Reading"]["properties"]["values"]
    assert set(values["properties"]) == set(SIGNALS)
    for status, response in operation["responses"].items():
        assert response["description"]
        assert set(response["content"]) == {kind_of(status)}


@pytest.mark.parametrize(
    ("values", "taken"),
    [
        ({"systolic": 74}, True), ({"diastolic": 74}, False),
        ({"systolic": 120, "diastolic": 74}, True), ({"heart_rate": 74}, True),
    ],
)  # fmt: skip
def test_the_document_asks_for_the_pressures_that_are_asked_for(
    document: dict[str, Any], values: dict[str, float], taken: bool
) -> None:
    schema = document["components"]["schemas"]["Reading"]["properties"]["values"]
    assert jsonschema.Draft202012Validator(schema).is_valid(values) == taken
    words = {"time": "2026-11-21T06:02:00Z", "values": values}
    latest = datetime(2026, 11, 22, tzinfo=UTC)
    if taken:
        validate.reading(words, device_id="d1", patient_id="p1", latest=latest)
    else:
        with pytest.raises(InputError):
            validate.reading(words, device_id="d1", patient_id="p1", latest=latest)


@pytest.mark.parametrize("name", schemas.REQUEST_EXAMPLES)
def test_each_example_fits_the_schema_and_is_taken(
    name: str, document: dict[str, Any], door: Door
) -> None:
    body = schemas.REQUEST_EXAMPLES[name]["value"]
    content = document["paths"]["/v1/readings"]["post"]["requestBody"]["content"]
    schema = resolved(document, content["application/json"]["schema"])
    jsonschema.Draft202012Validator(schema).validate(body)
    response = door.post(body, key=WATCH if name == "assigned" else HUB)
    assert response.status_code == 200
    answer = document["components"]["schemas"]["Answer"]
    jsonschema.Draft202012Validator(resolved(document, answer)).validate(response.json())


def test_each_answer_that_is_shown_fits_its_schema(document: dict[str, Any]) -> None:
    for response in document["paths"]["/v1/readings"]["post"]["responses"].values():
        [content] = response["content"].values()
        validator = jsonschema.Draft202012Validator(resolved(document, content["schema"]))
        for example in content.get("examples", {}).values():
            validator.validate(example["value"])
            code = example["value"].get("code")
            assert code is None or code in CODES


def test_the_page_of_the_document_needs_no_other_server(door: Door) -> None:
    page = door.client.get("/docs").text
    assert "https://" not in page
    script = page.split('<script src="')[1].split('"')[0]
    assert len(door.client.get(script).content) > 100_000


@pytest.mark.parametrize(
    ("path", "mode", "statuses"),
    [
        ("/v1/readings", "positive", {200, 207, 403, 422}),
        ("/v1/readings", "negative", {200, 207, 400, 403, 413, 415, 422}),
        ("/v1/signals", "positive", {200}),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # in schemathesis' own dependencies
def test_schemathesis_finds_no_broken_promise(
    door: Door, path: str, mode: str, statuses: set[int]
) -> None:
    import schemathesis
    from schemathesis import GenerationMode
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks

    promises = [
        not_a_server_error, checks.status_code_conformance, checks.content_type_conformance,
        checks.response_schema_conformance, checks.response_headers_conformance,
    ]  # fmt: skip
    api = schemathesis.openapi.from_url(f"{door.url}/openapi.json")
    operation = api[path]["POST" if path == "/v1/readings" else "GET"]
    answered = set()

    @given(operation.as_strategy(generation_mode=GenerationMode(mode)))
    @hypothesis_settings(
        max_examples=120, deadline=None, derandomize=True,
        suppress_health_check=list(HealthCheck), phases=[Phase.generate],
    )  # fmt: skip
    def holds(case: schemathesis.Case[Any]) -> None:
        response = case.call(headers={"Authorization": f"Bearer {WATCH}"})
        case.validate_response(response, checks=promises)
        answered.add(response.status_code)
        if response.status_code >= 400:
            problem = response.json()
            assert problem["code"] in CODES
            assert problem["how_to_fix"]

    holds()
    assert {200 if mode == "positive" else 422} <= answered <= statuses
