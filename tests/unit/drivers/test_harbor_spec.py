"""Every request that the driver sends to Harbor's API, and every answer of the fake, against Harbor's description.

The description is Harbor's own swagger file: ``harbor-swagger.yaml`` in the directory that TAGSWEEP_SPECS names. What
the fake answers beyond it is listed here, and nothing else may be.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from tagsweep.drivers.harbor import HarborDriver
from tagsweep.http.auth import Credentials
from tagsweep.model.errors import AuthenticationFailed, Conflict, NotFound
from tagsweep.ports import Request, Response
from tagsweep.testing import images
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.vendors.harbor import EVERY_RIGHT, HARBOR, READ, HarborAccount, HarborApi
from tests.unit.drivers.vendors import Recorder, connected

SPECS = Path(os.environ.get("TAGSWEEP_SPECS") or Path(__file__).parents[3].parent / "shared" / "specs")
SPEC = SPECS / "harbor-swagger.yaml"
REPOSITORY = "team/deep/app"
TAG = "/projects/{project_name}/repositories/{repository_name}/artifacts/{reference}/tags/{tag_name}"
BEYOND = {
    # The removal of an immutable tag: by Harbor's source 412 with its usual body, which the description leaves out.
    (TAG, 412),
}

pytestmark = pytest.mark.skipif(not SPEC.is_file(), reason="Harbor's description of its API is not here")


def record(rights: frozenset[str], secret: str) -> list[tuple[Request, Response]]:
    """Use everything that the driver can do and return what was said."""
    api = HarborApi(accounts=[HarborAccount(name="robot$a", secret="good", rights=rights)])
    with FakeRegistry(HARBOR, apis=[api]) as registry:
        names = [f"sha-{number}" for number in range(120)]
        for number, name in enumerate(names):
            registry.push(REPOSITORY, images.image(f"{number}"), name)
        registry.push(REPOSITORY, images.multi_platform("one"), "v1", "latest")
        api.make_immutable("team", "v*", "late*")
        api.retain("team", cron="0 0 0 * * *")
        recorder = Recorder(registry.host)
        found = Credentials(username="robot$a", password=secret, found_in="a test")
        driver = HarborDriver(connected(registry.host, api=recorder), lookup=lambda _: found)
        if driver.probe(REPOSITORY).delete_tag.usable:
            driver.delete_tag(REPOSITORY, "sha-1")
            driver.delete_tag(REPOSITORY, "never")
            with pytest.raises(Conflict):
                driver.delete_tag(REPOSITORY, "v1")
        try:
            driver.list_tags(REPOSITORY)
            list(driver.list_namespace("team"))
            list(driver.list_repositories())
            with pytest.raises(NotFound):
                driver.list_tags("team/absent")
        except AuthenticationFailed:
            pass  # it is what was to be recorded
        driver.close()
        return recorder.exchanges


class Description:
    """Harbor's description, with its schemas in the form that a validator of JSON Schema reads."""

    def __init__(self, path: Path) -> None:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        self.base: str = document["basePath"]
        self.document: dict[str, Any] = _translated(document)
        resource = Resource.from_contents(self.document, default_specification=DRAFT202012)
        self._registry: Registry[Any] = Registry().with_resource("harbor:", resource)

    def operation(self, request: Request) -> tuple[str, dict[str, Any]]:
        """Return the path of the description that a request is for, and what it says of the method."""
        path = urlsplit(request.url).path
        assert path.startswith(f"{self.base}/")
        path = path.removeprefix(self.base)
        fitting = [known for known in self.document["paths"] if re.fullmatch(re.sub(r"{\w+}", "[^/]+", known), path)]
        template = min(fitting, key=lambda known: known.count("{"))
        found = self.document["paths"][template][request.method.lower()]
        assert isinstance(found, dict)
        return template, found

    def resolve(self, thing: Mapping[str, Any]) -> dict[str, Any]:
        """Follow a reference."""
        while "$ref" in thing:
            found: Any = self.document
            for part in thing["$ref"].removeprefix("harbor:#/").split("/"):
                found = found[part]
            thing = found
        return dict(thing)

    def check(self, value: Any, schema: Mapping[str, Any]) -> list[str]:
        """Return what is wrong with a value."""
        validator = Draft202012Validator(dict(schema), registry=self._registry)
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def _translated(node: Any) -> Any:
    """Return the schemas with nothing allowed that they do not name, and null where Harbor's extension allows it."""
    if isinstance(node, list):
        return [_translated(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    found = {str(key): _translated(value) for key, value in node.items()}
    if isinstance(found.get("properties"), dict) and found.get("type") == "object":
        found.setdefault("additionalProperties", False)
    if found.get("x-nullable") is True and isinstance(found.get("type"), str):
        found["type"] = [found["type"], "null"]
    if isinstance(found.get("$ref"), str):
        found["$ref"] = f"harbor:{found['$ref']}"
    return found


@pytest.fixture(scope="module")
def description() -> Description:
    """Read the description once."""
    return Description(SPEC)


@pytest.fixture(scope="module")
def exchanges() -> list[tuple[Request, Response]]:
    """Hold the conversations of an account with every right, of one that only reads, and of a wrong one, once."""
    return [*record(EVERY_RIGHT, "good"), *record(frozenset({READ}), "good"), *record(EVERY_RIGHT, "bad")]


def test_every_request_is_one_that_is_described(
    description: Description, exchanges: list[tuple[Request, Response]]
) -> None:
    """Path, method, parameters and their types fit the description, and no request has a body."""
    used: set[tuple[str, str]] = set()
    for request, _ in exchanges:
        template, operation = description.operation(request)
        used.add((request.method, template))
        shared = description.document["paths"][template].get("parameters", [])
        parameters = [description.resolve(each) for each in [*shared, *operation.get("parameters", [])]]
        known = {each["name"]: each for each in parameters if each["in"] == "query"}
        for name, text in parse_qsl(urlsplit(request.url).query, strict_parsing=True):
            assert name in known, f"{request.method} {template}: {name}"
            schema = {key: value for key, value in known[name].items() if key in ("type", "minimum", "maximum")}
            value = json.loads(text) if schema["type"] in ("integer", "boolean") else text
            assert description.check(value, schema) == []
        headers = {each["name"] for each in parameters if each["in"] == "header"}
        assert "X-Is-Resource-Name" not in request.headers or "X-Is-Resource-Name" in headers
        assert request.body is None
        assert request.headers["Authorization"].startswith("Basic ")
    assert used == {
        ("GET", "/projects/{project_name_or_id}"),
        ("GET", "/projects/{project_name_or_id}/immutabletagrules"),
        ("GET", "/projects/{project_name}/repositories"),
        ("GET", "/projects/{project_name}/repositories/{repository_name}/artifacts"),
        ("GET", "/repositories"),
        ("GET", "/retentions/{id}"),
        ("DELETE", TAG),
    }


def test_every_answer_of_the_fake_is_as_described(
    description: Description, exchanges: list[tuple[Request, Response]]
) -> None:
    """Status, headers and body fit the description, errors too; what is beyond it is exactly what is listed."""
    beyond: set[tuple[str, int]] = set()
    statuses: set[int] = set()
    for request, response in exchanges:
        statuses.add(response.status)
        template, operation = description.operation(request)
        described = operation["responses"].get(str(response.status))
        if described is None:
            beyond.add((template, response.status))
            described = {"schema": {"$ref": "harbor:#/definitions/Errors"}}
        answer = description.resolve(described)
        if response.body and "schema" in answer:
            assert description.check(json.loads(response.body), answer["schema"]) == [], f"{request.method} {template}"
        if response.status == 200 and "X-Total-Count" in answer.get("headers", {}):
            assert response.headers["x-total-count"].isdigit()
    assert beyond == BEYOND
    assert statuses == {200, 401, 403, 404, 412}
