"""GitHub's own description of its packages API holds for every request of the driver and every answer of the fake.

The description is GitHub's OpenAPI document (MIT licence), of which the packages part is looked for at TAGSWEEP_SPECS
or beside the checkout; without it these tests are skipped.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from tagsweep.drivers.ghcr import GhcrDriver
from tagsweep.drivers.ghcr_access import GitHubCredentials
from tagsweep.drivers.moving import untag_by_moving
from tagsweep.http.transport import CurlTransport
from tagsweep.model.errors import AuthenticationFailed, Conflict, NotFound, PermissionDenied
from tagsweep.model.policy import RegistrySettings
from tagsweep.ports import Request, Response
from tagsweep.testing import images
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import InstantClock, Quiet
from tagsweep.testing.vendors.ghcr import GHCR, GitHubPackages

NAME = "github-packages.json"
PLACES = (Path(os.environ.get("TAGSWEEP_SPECS", "")), Path(__file__).parents[2].parent / "shared" / "specs")
UNDESCRIBED = re.compile(r"/users/[^/]+|/user")
"""Who an owner is, and whose a token, is described in another part of GitHub's document."""


@dataclass
class Recording:
    """A transport that keeps what goes over it."""

    inner: CurlTransport
    kept: list[tuple[Request, Response]] = field(default_factory=list)

    def send(self, request: Request) -> Response:
        """Send and keep."""
        response = self.inner.send(request)
        self.kept.append((request, response))
        return response

    def close(self) -> None:
        """Give back the connections."""
        self.inner.close()


class Description:
    """GitHub's description, and what it says of one exchange."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.registry: Registry[Any] = Registry().with_resource("packages:", DRAFT202012.create_resource(document))
        self.paths = [(re.compile(re.sub(r"\{[^}]+\}", "([^/]+)", path)), path) for path in document["paths"]]
        self.linked: set[str] = set()
        """Addresses of next pages: what is in them is the server's own."""

    def operation(self, method: str, path: str) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the operation and the values of its path parameters."""
        for pattern, template in self.paths:
            found = pattern.fullmatch(path)
            if found is not None and method.lower() in self.document["paths"][template]:
                names = re.findall(r"\{([^}]+)\}", template)
                return self.document["paths"][template][method.lower()], dict(zip(names, found.groups(), strict=True))
        raise AssertionError(f"{method} {path} is not described")

    def resolve(self, entry: dict[str, Any]) -> dict[str, Any]:
        """Follow a reference within the document."""
        while "$ref" in entry:
            target: Any = self.document
            for part in entry["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            entry = target
        return entry

    def check(self, value: Any, schema: dict[str, Any]) -> None:
        """Raise where a value is not as a schema wants it."""
        absolute = json.loads(json.dumps(schema).replace('"$ref": "#/', '"$ref": "packages:#/'))
        Draft202012Validator(absolute, registry=self.registry, format_checker=FormatChecker()).validate(value)

    def check_exchange(self, request: Request, response: Response) -> str:
        """Hold one request and its answer against the description; return the operation's name."""
        parts = urlsplit(request.url)
        path = parts.path.removeprefix("/api/v3")
        if UNDESCRIBED.fullmatch(path):
            return "owner"
        operation, values = self.operation(request.method, path)
        query = {} if request.url in self.linked else dict(parse_qsl(parts.query))
        self.linked.update(re.findall(r"<([^>]+)>", response.headers.get("link", "")))
        given = {**{name: unquote(value) for name, value in values.items()}, **query}
        described = {entry["name"]: entry for entry in map(self.resolve, operation["parameters"])}
        assert given.keys() <= described.keys(), f"{given.keys() - described.keys()} is not described"
        for name, entry in described.items():
            assert not entry.get("required") or name in given, f"{name} is missing"
            if name in given:
                number = entry["schema"].get("type") == "integer"
                self.check(int(given[name]) if number else given[name], entry["schema"])
        assert request.body is None
        self.check_answer(operation, response)
        return str(operation["operationId"])

    def check_answer(self, operation: dict[str, Any], response: Response) -> None:
        """Hold an answer against its operation.

        That 400 refuses a deletion is known from users; that anything may be 401, 403 or 404 goes without saying.
        """
        answers = operation["responses"]
        if response.status in (400, 401, 403, 404) and str(response.status) not in answers:
            self.check(json.loads(response.body), {"$ref": "#/components/schemas/basic-error"})
            return
        assert str(response.status) in answers, f"{response.status} is not described"
        content = self.resolve(answers[str(response.status)]).get("content")
        if content is None:
            assert not response.body
        else:
            assert response.headers["content-type"].startswith("application/json")
            self.check(json.loads(response.body), content["application/json"]["schema"])


@pytest.fixture(scope="module")
def description() -> Description:
    """Return GitHub's description, or skip."""
    for place in PLACES:
        if (place / NAME).is_file():
            return Description(json.loads((place / NAME).read_text(encoding="utf-8")))
    pytest.skip(f"{NAME} is not here; set TAGSWEEP_SPECS to the directory that has it")


@pytest.mark.parametrize(
    ("kind", "login", "of"),
    [
        ("Organization", "jane", ("for-organization", "owned-by-org", "for-organization", "for-org")),
        ("User", "team", ("for-authenticated-user", "owned-by-authenticated-user", *["for-authenticated-user"] * 2)),
        ("User", "jane", ("for-user", "owned-by-user", "for-user", "for-user")),
    ],
    ids=["organization", "own user", "other user"],
)
def test_everything_said_is_as_github_describes_it(
    description: Description, monkeypatch: pytest.MonkeyPatch, kind: str, login: str, of: tuple[str, ...]
) -> None:
    """Listing, probing, deleting, moving, restoring and every refusal use described operations with such answers."""
    api = GitHubPackages(owners={"team": kind}, login=login)
    for name in ("GH_TOKEN", "GITHUB_ACTOR", "TAGSWEEP_USERNAME", "TAGSWEEP_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    with FakeRegistry(GHCR, access=api.access, apis=[api]) as registry:
        url = f"http://{registry.host}/api/v3"
        monkeypatch.setenv("GITHUB_API_URL", url)
        monkeypatch.setenv("GITHUB_TOKEN", api.token)
        recording = Recording(CurlTransport(place=registry.host))
        clock = InstantClock()
        driver = GhcrDriver(
            RegistrySettings(host=registry.host),
            transport=CurlTransport(place=registry.host),
            api_transport=recording,
            api=url,
            owners=["team"],
            lookup=GitHubCredentials(registry.host, url).find,
            clock=clock,
            progress=Quiet(),
        )
        exercise(driver, registry, api, clock)
        driver.close()
    used = {description.check_exchange(request, response) for request, response in recording.kept}
    listed, owned, one, changed = of
    others = listed == "for-user"  # nothing of a user who is not oneself is listed that was deleted
    assert used == {
        "owner",
        f"packages/list-packages-{listed}",
        f"packages/get-package-{one}",
        f"packages/get-all-package-versions-for-package-{owned}",
        f"packages/get-package-version-{one}",
        f"packages/delete-package-version-{changed}",
        *([f"packages/restore-package-version-{changed}"] if not others else []),
    }
    assert {response.status for _, response in recording.kept} == {200, 204, 400, 401, 403, 404}


def exercise(driver: GhcrDriver, registry: FakeRegistry, api: GitHubPackages, clock: InstantClock) -> None:
    """Do with the driver everything that it can do."""
    repository = "team/tools/app"
    one, two = images.multi_platform("one"), images.image("two")
    registry.push(repository, one, "v1", "latest", "sha-1")
    registry.push(repository, two, "v2")
    for number in range(120):
        registry.push(repository, images.image(f"build {number}"))
    moving = untag_by_moving(driver, clock=clock)
    assert list(driver.list_repositories()) == [repository]
    moving.probe(repository)
    assert len(driver.list_tags(repository)) == 4
    assert moving.delete_tag(repository, "sha-1")
    assert driver.delete_manifest(repository, one.top)
    with pytest.raises(Conflict):
        driver.delete_manifest(repository, two.top)
    if not driver.take_back(repository, one.top, ["v1", "latest"]):
        registry.push(repository, one, "v1", "latest")
    for _ in range(2):  # the second time its number is known
        assert driver.tags_on(repository, one.top) == frozenset({"v1", "latest"})
    with pytest.raises(NotFound):
        driver.list_tags("team/absent")
    api.permissions, api.scopes = frozenset({"read"}), None
    with pytest.raises(PermissionDenied):
        driver.delete_manifest(repository, one.top)
    api.token = "another"
    with pytest.raises(AuthenticationFailed):
        driver.list_tags(repository)
