"""Which registry is behind a host: by its name, by its challenge, and never by a guess."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tagsweep.drivers.detect import by_host, detect
from tagsweep.model.errors import Unreachable
from tagsweep.model.policy import RegistrySettings
from tagsweep.ports import Request, Response


@pytest.mark.parametrize(
    ("host", "driver"),
    [
        ("docker.io", "dockerhub"),
        ("registry-1.docker.io", "dockerhub"),
        ("ghcr.io", "ghcr"),
        ("containers.octo.ghe.com", "ghcr"),
        ("123456789012.dkr.ecr.eu-central-1.amazonaws.com", "ecr"),
        ("123456789012.dkr.ecr-fips.us-east-1.amazonaws.com", "ecr"),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "ecr"),
        ("public.ecr.aws", "ecr-public"),
        ("europe-west3-docker.pkg.dev", "gar"),
        ("eu.gcr.io", "gar"),
        ("gcr.io", "gar"),
        ("acme.azurecr.io", "acr"),
        ("quay.io", "quay"),
        ("registry.gitlab.com", "gitlab"),
        ("codeberg.org", "gitea"),
        ("registry.digitalocean.com", "digitalocean"),
        ("rg.fr-par.scw.cloud", "scaleway"),
        ("acme.jfrog.io", "artifactory"),
        ("docker.io.example.com", None),
        ("azurecr.io.example.com", None),
        ("notghcr.io", None),
        ("registry.example.com", None),
        ("127.0.0.1:5000", None),
    ],
)
def test_vendors_are_known_by_their_hosts(host: str, driver: str | None) -> None:
    """A vendor's own host names its driver; a host that only looks like it names none."""
    assert by_host(host) == driver


class _Answers:
    """A transport with one answer for the root and one for everything else."""

    def __init__(self, headers: Mapping[str, str], discover: bytes = b"") -> None:
        self.headers = headers
        self.discover = discover
        self.sent: list[Request] = []

    def send(self, request: Request) -> Response:
        self.sent.append(request)
        if request.url.endswith("/v2/"):
            return Response(status=401, url=request.url, headers=self.headers)
        return Response(status=200 if self.discover else 404, url=request.url, body=self.discover)

    def close(self) -> None:
        """Have nothing to give back."""


@pytest.mark.parametrize(
    ("headers", "driver"),
    [
        ({"www-authenticate": 'Bearer realm="https://h.example/service/token",service="harbor-registry"'}, "harbor"),
        ({"www-authenticate": 'Bearer realm="https://g.example/jwt/auth",service="container_registry"'}, "gitlab"),
        ({"gitlab-container-registry-version": "4.2.0"}, "gitlab"),
        ({"www-authenticate": 'Bearer realm="https://t.example/v2/token",service="container_registry"'}, "gitea"),
        ({"www-authenticate": 'Bearer realm="https://q.example/v2/auth",service="q.example"'}, "quay"),
        ({"www-authenticate": 'Bearer realm="https://a.azurecr.io/oauth2/token",service="a.azurecr.io"'}, "acr"),
        (
            {"www-authenticate": 'Bearer realm="https://j.example/artifactory/api/docker/x/v2/token",service="j"'},
            "artifactory",
        ),
        ({"x-jfrog-version": "Artifactory/7"}, "artifactory"),
        ({"www-authenticate": 'BASIC realm="Sonatype Nexus Repository Manager"'}, "nexus"),
        ({"server": "Nexus/3.70.0 (OSS)"}, "nexus"),
        ({"www-authenticate": 'Basic realm="Registry Realm"'}, "oci"),
        ({"www-authenticate": 'Bearer realm="https://auth.example/token",service="registry"'}, "oci"),
        ({"www-authenticate": 'Bearer realm="https://a.example/oauth2/token",service="a.example"'}, "oci"),
        ({"www-authenticate": 'Bearer realm="https://a.example/oauth2/token",service="a.azurecr.io"'}, "oci"),
        ({"www-authenticate": 'Bearer realm="https://auth.example/v2/auth",service="registry"'}, "oci"),
        ({"www-authenticate": "rubbish"}, "oci"),
        ({}, "oci"),
    ],
)
def test_others_are_known_by_their_challenge(headers: Mapping[str, str], driver: str) -> None:
    """Realm, service and a vendor's own headers tell; anything else is used by the OCI API alone. Somebody's token
    server at the same path as a vendor's is not the vendor.
    """
    answers = _Answers(headers)
    assert detect(RegistrySettings(host="registry.example.com"), transport=answers) == driver
    assert len(answers.sent) == (2 if driver == "oci" else 1)
    assert all("authorization" not in {name.lower() for name in request.headers} for request in answers.sent)


@pytest.mark.parametrize("lacking", ["", "x-registry-supports-signatures", "correlation-id"])
def test_pulp_tells_by_its_headers_together(lacking: str) -> None:
    """Pulp sends three headers with every answer; one of them alone other programs send as well."""
    names = {"docker-distribution-api-version", "x-registry-supports-signatures", "correlation-id"} - {lacking}
    answers = _Answers(dict.fromkeys(names, "1"))
    found = detect(RegistrySettings(host="pulp.example.com"), transport=answers)
    assert found == ("oci" if lacking else "pulp")


def test_zot_tells_by_its_extensions() -> None:
    """A registry without a telling challenge is asked once more, for the extensions that only zot has."""
    answers = _Answers({}, discover=b'{"extensions":[{"name":"_zot","url":""}]}')
    assert detect(RegistrySettings(host="zot.example.com"), transport=answers) == "zot"


def test_a_registry_that_does_not_answer_is_left_to_who_uses_it() -> None:
    """An unreachable registry is no error here."""

    class Dead(_Answers):
        def send(self, request: Request) -> Response:
            raise Unreachable(f"{request.url}: no route")

    assert detect(RegistrySettings(host="dead.example.com"), transport=Dead({})) == "oci"


def test_a_known_host_is_not_asked() -> None:
    """Where the name tells it, no request is sent."""
    answers = _Answers({})
    assert detect(RegistrySettings(host="ghcr.io"), transport=answers) == "ghcr"
    assert answers.sent == []
