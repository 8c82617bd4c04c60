"""The names of things: which texts are references, repositories, tags and digests; Docker's short forms."""

from __future__ import annotations

import pytest

from tagsweep.model.errors import ConfigurationError, InvalidReference
from tagsweep.model.reference import Digest, Reference, Repository, canonical_registry, is_tag, parse_tag

HEX = "0123456789abcdef" * 4
DIGEST = f"sha256:{HEX}"

good_references = [
    # text, registry, path, tag, digest
    ("ubuntu", "docker.io", "library/ubuntu", None, None),
    ("ubuntu:22.04", "docker.io", "library/ubuntu", "22.04", None),
    ("acme/app", "docker.io", "acme/app", None, None),
    ("acme/team/app:v1", "docker.io", "acme/team/app", "v1", None),
    ("docker.io/ubuntu", "docker.io", "library/ubuntu", None, None),
    ("docker.io/library/ubuntu:1", "docker.io", "library/ubuntu", "1", None),
    ("index.docker.io/acme/app", "docker.io", "acme/app", None, None),
    ("registry-1.docker.io/ubuntu", "docker.io", "library/ubuntu", None, None),
    ("ghcr.io/acme/app:latest", "ghcr.io", "acme/app", "latest", None),
    ("ghcr.io/app", "ghcr.io", "app", None, None),
    ("localhost/app", "localhost", "app", None, None),
    ("localhost:5000/app:v1", "localhost:5000", "app", "v1", None),
    ("127.0.0.1:5000/a/b", "127.0.0.1:5000", "a/b", None, None),
    ("[::1]:5000/app", "[::1]:5000", "app", None, None),
    ("REGISTRY/app", "REGISTRY", "app", None, None),
    ("GHCR.io/acme/app:latest", "ghcr.io", "acme/app", "latest", None),
    ("ghcr.io:443/acme/app", "ghcr.io", "acme/app", None, None),
    ("Docker.IO/ubuntu", "docker.io", "library/ubuntu", None, None),
    ("registry:443/app", "registry:443", "app", None, None),
    ("127.0.0.1:443/app", "127.0.0.1:443", "app", None, None),
    (f"acme/app@{DIGEST}", "docker.io", "acme/app", None, DIGEST),
    (f"acme/app:v1@{DIGEST}", "docker.io", "acme/app", "v1", DIGEST),
    ("acme/a_b:_x", "docker.io", "acme/a_b", "_x", None),
    ("acme/a__b.c---d", "docker.io", "acme/a__b.c---d", None, None),
    ("acme/app:" + "a" * 128, "docker.io", "acme/app", "a" * 128, None),
    ("acme/app:V1.0-RC_2", "docker.io", "acme/app", "V1.0-RC_2", None),
]
bad_references = [
    "",
    " acme/app",
    "acme/app ",
    "acme/app\n",
    HEX,
    "acme/App",
    "Acme/app:v1/x",
    "acme//app",
    "/acme/app",
    "acme/app/",
    "acme/-app",
    "acme/app_",
    "acme/a___b",
    "acme/a..b",
    "acme/app:",
    "acme/app:.x",
    "acme/app:-x",
    "acme/app:a+b",
    "acme/app:" + "a" * 129,
    "acme/app:ä",
    "acme/app@",
    "acme/app@sha256",
    "acme/app@sha256:abc",
    f"acme/app@sha256:{HEX.upper()}",
    f"acme/app@sha256:{HEX}0",
    "https://ghcr.io/acme/app",
    "ghcr.io:port/acme/app",
    "-host.example/app",
    "acme/" + "a" * 250,
    "app:v1:v2",
    "acme/app:${TAG}",
]


@pytest.mark.parametrize(("text", "registry", "path", "tag", "digest"), good_references)
def test_good_references_are_read_as_docker_reads_them(
    text: str, registry: str, path: str, tag: str | None, digest: str | None
) -> None:
    """Docker's short forms become full names, and what is written comes out of the parts again."""
    reference = Reference.parse(text)
    assert (reference.repository.registry, reference.repository.path) == (registry, path)
    assert (reference.tag, reference.digest) == (tag, digest)
    assert Reference.parse(str(reference)) == reference


@pytest.mark.parametrize("text", bad_references)
def test_bad_references_are_refused(text: str) -> None:
    """What is no reference raises InvalidReference that shows the text, and is never repaired."""
    with pytest.raises(InvalidReference) as caught:
        Reference.parse(text)
    assert isinstance(caught.value, ConfigurationError)
    assert str(caught.value)


def test_a_client_adds_latest_only_where_nothing_is_written() -> None:
    """Neither tag nor digest means latest; a digest alone does not."""
    assert Reference.parse("acme/app").with_default_tag().tag == "latest"
    assert Reference.parse("acme/app:v1").with_default_tag().tag == "v1"
    assert Reference.parse(f"acme/app@{DIGEST}").with_default_tag().tag is None


def test_a_repository_has_neither_tag_nor_digest() -> None:
    """A repository is a name alone; with a tag or a digest it is refused."""
    assert str(Repository.parse("app")) == "docker.io/library/app"
    for text in ("acme/app:v1", f"acme/app@{DIGEST}"):
        with pytest.raises(InvalidReference):
            Repository.parse(text)


good_digests = [
    DIGEST,
    f"sha512:{HEX * 2}",
    f"sha384:{'ab' * 48}",
    f"sha256+b64u:{HEX}",
    "other:" + "A" * 32,
]
bad_digests = [
    "",
    HEX,
    "sha256:",
    f"sha256:{HEX[:-1]}",
    f"sha256:{HEX}00",
    f"sha256:{HEX.upper()}",
    f"sha256-{HEX}",
    f":{HEX}",
    f"sha512:{HEX}",
    "other:" + "a" * 31,
    "other:" + "g" * 32,
    f"{DIGEST}\n",
    f"9sha:{HEX}",
]


@pytest.mark.parametrize("text", good_digests)
def test_good_digests_are_kept_as_they_are(text: str) -> None:
    """A digest is its text, with its two parts."""
    digest = Digest.parse(text)
    assert digest == text
    assert f"{digest.algorithm}:{digest.hex}" == text


@pytest.mark.parametrize("text", bad_digests)
def test_bad_digests_are_refused(text: str) -> None:
    """A registered algorithm has its exact length in lower case; nothing is cut or folded."""
    with pytest.raises(InvalidReference):
        Digest.parse(text)


def test_the_fallback_tag_is_cut_as_the_specification_says() -> None:
    """The algorithm is cut to 32 characters, the hex digits to 64, and odd characters become dashes."""
    assert Digest.parse(DIGEST).fallback_tag() == f"sha256-{HEX}"
    assert Digest.parse(f"sha512:{HEX * 2}").fallback_tag() == f"sha512-{HEX}"
    assert Digest.parse(f"sha256+b64u:{HEX}").fallback_tag() == f"sha256-b64u-{HEX}"


@pytest.mark.parametrize("text", ["v1", "_", "A.b-c_d", "0" * 128])
def test_good_tags_are_accepted(text: str) -> None:
    """Letters, digits, underscore, dot and dash, up to 128, are a tag."""
    assert is_tag(text)
    assert parse_tag(text) == text


@pytest.mark.parametrize("text", ["", ".a", "-a", "a b", "a/b", "a:b", "a\n", "0" * 129, "é"])
def test_bad_tags_are_refused(text: str) -> None:
    """Anything else is no tag, and the error says what one looks like."""
    assert not is_tag(text)
    with pytest.raises(InvalidReference) as caught:
        parse_tag(text)
    assert "1 to 128" in caught.value.remedy


def test_a_layout_directory_keeps_its_capitals() -> None:
    """Only hosts have one spelling; a directory of OCI layouts is where its name says."""
    assert canonical_registry("oci-layout:/srv/Images.d") == "oci-layout:/srv/Images.d"
