"""Every request that the driver sends to Docker Hub's API, and every answer of the fake, against Docker's description.

The description is Docker's OpenAPI file, or an excerpt of it: a file ``dockerhub.yaml`` in the directory that
TAGSWEEP_SPECS names. What the driver uses beyond it is listed here, and nothing else may be.
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

from tagsweep.drivers.dockerhub import HubDriver
from tagsweep.http.auth import Credentials
from tagsweep.http.transport import CurlTransport
from tagsweep.model.errors import AuthenticationFailed, NotFound, RateLimited
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import RegistrySettings
from tagsweep.ports import Request, Response
from tagsweep.testing import images
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.faults import RateLimit, RetryForm
from tagsweep.testing.harness import InstantClock, Quiet
from tagsweep.testing.vendors.dockerhub import DOCKER_HUB, HubApi, HubLogin, Right
from tests.unit.drivers.vendors import Recorder

SPECS = Path(os.environ.get("TAGSWEEP_SPECS") or Path(__file__).parents[3].parent / "shared" / "specs")
SPEC = SPECS / "dockerhub.yaml"
REPOSITORY = "team/app"
REPOSITORY_PATH = "/v2/namespaces/{namespace}/repositories/{repository}"
BEYOND = {
    # The settings of a repository: documented, but not in every excerpt; its schema is.
    ("GET", REPOSITORY_PATH),
    # The removal of a tag: undocumented.
    ("DELETE", "/v2/repositories/{namespace}/{repository}/tags/{tag}/"),
}

pytestmark = pytest.mark.skipif(not SPEC.is_file(), reason="Docker's description of its API is not here")


def record(login: HubLogin, secret: str, **more: Any) -> list[tuple[Request, Response]]:
    """Use everything that the driver can do and return what was said."""
    clock = InstantClock()
    api = HubApi(logins=[login], clock=clock, tells_digests=False, status_field="status", **more)
    with FakeRegistry(DOCKER_HUB, apis=[api]) as registry:
        names = [f"sha-{number}" for number in range(120)]
        registry.push(REPOSITORY, images.multi_platform("one"), "v1", *names)
        api.record(REPOSITORY, "v1", dict.fromkeys(TimeOrigin, clock.now()))
        api.make_immutable(REPOSITORY, "v[[:digit:]]")
        recorder = Recorder(registry.host)
        driver = HubDriver(
            RegistrySettings(host=registry.host, options={"api": f"http://{registry.host}"}),
            transport=CurlTransport(place=registry.host),
            api_transport=lambda _: recorder,
            lookup=lambda _: Credentials(username="team", password=secret, found_in="a test"),
            clock=clock,
            progress=Quiet(),
            environ={},
        )
        try:
            driver.list_tags(REPOSITORY)
            list(driver.list_namespace("team"))
            if driver.probe(REPOSITORY).delete_tag.usable:
                driver.delete_tag(REPOSITORY, "sha-1")
            with pytest.raises(NotFound):
                driver.list_tags("team/absent")
        except (AuthenticationFailed, RateLimited):
            pass  # it is what was to be recorded
        driver.close()
        return recorder.exchanges


def recorded() -> list[tuple[Request, Response]]:
    """Return conversations of an administrator, of others, with an older API, and with one that refuses."""
    admin = HubLogin(name="team", secret="good")
    far = RateLimit(allowed=0, rejections=9, retry_after=2_000_000_000, form=RetryForm.X_RETRY_AFTER)
    return [
        *record(admin, "good"),
        *record(admin, "bad"),
        *record(HubLogin(name="team", secret="good", scope=Right.WRITE), "good"),
        *record(HubLogin(name="team", secret="good", second_factor=True), "good", has_token_call=False),
        *record(admin, "good", limit=far),
    ]


class Description:
    """Docker's description, with its schemas in the form that a validator of JSON Schema reads."""

    def __init__(self, path: Path) -> None:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        # Docker's own hub-tool reads a list of images where the description has one, and no text in v2.
        fields = document["components"]["schemas"]["tag"]["properties"]
        fields["images"] = {"type": "array", "items": {"$ref": "#/components/schemas/image"}}
        fields["v2"] = {"type": "boolean"}
        self.document: dict[str, Any] = _translated(document)
        resource = Resource.from_contents(self.document, default_specification=DRAFT202012)
        self._registry: Registry[Any] = Registry().with_resource("hub:", resource)

    def template(self, request: Request) -> str | None:
        """Return the path of the description that a request is for."""
        path = urlsplit(request.url).path
        fitting = [known for known in self.document["paths"] if re.fullmatch(re.sub(r"{\w+}", "[^/]+", known), path)]
        return min(fitting, key=lambda known: known.count("{"), default=None)

    def resolve(self, thing: Mapping[str, Any]) -> dict[str, Any]:
        """Follow a reference."""
        while "$ref" in thing:
            name = thing["$ref"].removeprefix("hub:#/").split("/")
            found: Any = self.document
            for part in name:
                found = found[part]
            thing = found
        return dict(thing)

    def check(self, value: Any, schema: Mapping[str, Any]) -> list[str]:
        """Return what is wrong with a value."""
        validator = Draft202012Validator(dict(schema), registry=self._registry)
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def _translated(node: Any) -> Any:
    if isinstance(node, list):
        return [_translated(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    found = {str(key): _translated(value) for key, value in node.items()}
    if found.get("nullable") is True and isinstance(found.get("type"), str):
        found["type"] = [found["type"], "null"]
    if isinstance(found.get("$ref"), str) and found["$ref"].startswith("#"):
        found["$ref"] = f"hub:{found['$ref']}"
    return found


@pytest.fixture(scope="module")
def description() -> Description:
    """Read the description once."""
    return Description(SPEC)


@pytest.fixture(scope="module")
def exchanges() -> list[tuple[Request, Response]]:
    """Hold the conversations once."""
    return recorded()


def test_every_request_is_one_that_is_described(
    description: Description, exchanges: list[tuple[Request, Response]]
) -> None:
    """Path, method, parameters and body fit the description; what is beyond it is exactly what is listed."""
    beyond: set[tuple[str, str]] = set()
    used: set[tuple[str, str]] = set()
    for request, _ in exchanges:
        template = description.template(request)
        operations = description.document["paths"].get(template, {})
        operation = operations.get(request.method.lower())
        if operation is None:
            beyond.add((request.method, _generic(request)))
            continue
        used.add((request.method, str(template)))
        parameters = [description.resolve(each) for each in operation.get("parameters", [])]
        known = {each["name"]: each["schema"] for each in parameters if each["in"] == "query"}
        for name, text in parse_qsl(urlsplit(request.url).query):
            assert name in known, f"{request.method} {template}: {name}"
            value = int(text) if known[name]["type"] == "integer" else text
            assert description.check(value, known[name]) == []
        schema = _schema(operation.get("requestBody", {}))
        assert (request.body is not None) == (schema is not None), template
        if schema is not None:
            assert description.check(json.loads(request.body or b""), schema) == []
    assert beyond == BEYOND
    assert len(used) == 6, sorted(used)


def test_every_answer_of_the_fake_is_as_described(
    description: Description, exchanges: list[tuple[Request, Response]]
) -> None:
    """Status and body fit the description, errors too; repositories are described where their settings are changed."""
    statuses: set[int] = set()
    for request, response in exchanges:
        statuses.add(response.status)
        template = description.template(request)
        operation = description.document["paths"].get(template, {}).get(request.method.lower())
        if operation is None and response.status == 200:
            schema: Any = {"$ref": "hub:#/components/schemas/repository_info"}
        elif operation is None or str(response.status) not in operation["responses"]:
            # A 404 of a call that an older API does not have, 429, 204: bodies of errors have one form everywhere.
            schema = {"$ref": "hub:#/components/schemas/Error"}
        else:
            schema = _schema(description.resolve(operation["responses"][str(response.status)]))
        if response.body and schema is not None:
            assert description.check(json.loads(response.body), schema) == [], f"{request.method} {template}"
        if response.status >= 400 and response.body:
            assert {"detail", "message"} & json.loads(response.body).keys()
    assert statuses == {200, 204, 401, 403, 404, 429}


def _schema(thing: Mapping[str, Any]) -> Any:
    return thing.get("content", {}).get("application/json", {}).get("schema")


def _generic(request: Request) -> str:
    path = urlsplit(request.url).path
    for pattern, name in (
        (r"/v2/namespaces/[^/]+/repositories/[^/]+", REPOSITORY_PATH),
        (r"/v2/repositories/[^/]+/[^/]+/tags/[^/]+/", "/v2/repositories/{namespace}/{repository}/tags/{tag}/"),
    ):
        if re.fullmatch(pattern, path):
            return name
    return path
