"""Addresses of repositories: which are accepted, how relative ones are read, and what is never shown."""

from __future__ import annotations

import pytest

from tagsweep.model.errors import ConfigurationError
from tagsweep.sources.git import GitSource
from tagsweep.sources.repository.address import Address, resolve
from tagsweep.sources.repository.program import Git, failed, said
from tagsweep.testing.source_suite import source_context, source_settings


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/acme/deploy",
        "https://acme@dev.azure.com/acme/_git/deploy",
        "ssh://git@example.org:2222/acme/deploy.git",
        "git://example.org/deploy",
        "file:///srv/git/deploy.git",
        "git@github.com:acme/deploy.git",
        "example.org:deploy",
        "git@[::1]:deploy",
    ],
)
def test_good_addresses(url: str) -> None:
    """https, ssh, git and file addresses and the short form of ssh are accepted as they are."""
    assert Address.parse(url).text == url


@pytest.mark.parametrize(
    "url",
    [
        "--upload-pack=x",
        "-h:x",
        "ext::sh -c x",
        "https://",
        "https:///x",
        "file://",
        "ftp://example.org/x",
        "ssh://-oProxyCommand=x/y",
        "-oProxyCommand=x:y",
        "host:-x",
        "relative/path",
        "/absolute/path",
        "https://example.org/a b",
        "https://example.org/a\nb",
        "https://user:canary@example.org/x",
        "https://ghp_canarycanarycanary@github.com/x",
        "https://" + "canary" * 6 + "@github.com/x",
        "https://[::1/x",
        "fd::17",
        "ext::program",
        "ext::https://example.org/x",
        "file::ext://x",
        "http::https://example.org/x",
    ],
)
def test_bad_addresses_are_refused_and_not_repeated(url: str) -> None:
    """Options, programs, unknown schemes, paths and addresses with a password are refused, and not repeated."""
    with pytest.raises(ConfigurationError, match="git/test") as refused:
        GitSource.configure(source_settings("git", url=url), context=source_context())
    assert "canary" not in str(refused.value) + refused.value.remedy
    assert refused.value.remedy


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"url": "https://example.org/x", "path": "x"},
        {"path": "x", "refs": ["--all"]},
        {"path": "x", "tags": ["a\nb"]},
        {"path": "x", "refs": []},
        {"path": "x", "submodules": "maybe"},
        {"path": "x", "timeout": 5},
        {"path": "x", "largest_mib": 0},
        {"path": "x", "exclude": ["/etc"]},
        {"path": "x", "include": ["[z-a]"]},
        {"path": "x", "branches": ["main"]},
    ],
)
def test_wrong_options_are_told(options: dict[str, object]) -> None:
    """A missing, contradicting, unknown or malformed option is a configuration error with a remedy."""
    with pytest.raises(ConfigurationError, match="git/test") as refused:
        GitSource.configure(source_settings("git", **options), context=source_context())
    assert refused.value.remedy


@pytest.mark.parametrize(
    ("url", "base", "expected"),
    [
        ("../lib.git", "https://example.org/acme/deploy.git", "https://example.org/acme/lib.git"),
        ("../../other/lib", "https://example.org/acme/deploy.git/", "https://example.org/other/lib"),
        ("./lib", "https://example.org/deploy", "https://example.org/deploy/lib"),
        ("../lib", "git@example.org:acme/deploy", "git@example.org:acme/lib"),
        ("../lib", "git@example.org:deploy", "git@example.org:lib"),
        ("../lib", "/srv/git/deploy", "/srv/git/lib"),
        ("https://other.example/x", "https://example.org/deploy", "https://other.example/x"),
        ("../../x", "https://example.org/deploy", None),
        ("../../../x", "/srv/x", None),
        ("../../x", "host:deploy", None),
    ],
)
def test_relative_addresses_are_read_as_git_does(url: str, base: str, expected: str | None) -> None:
    """``../`` takes away one part of the address of the repository around it, and cannot leave its server."""
    if expected is None:
        with pytest.raises(ValueError, match="leads out"):
            resolve(url, base)
    else:
        assert resolve(url, base) == expected


def test_what_git_says_is_shown_without_secrets() -> None:
    """Passwords in addresses of any scheme and tokens are taken out of git's messages."""
    message = b"noise\nfatal: unable to access 'https://user:canary@example.org/x?token=canary': ssh://u:canary@h/x\n"
    assert "canary" not in said(message)
    assert "unable to access" in str(failed("fetch", message))


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        (b"fatal: Authentication failed for 'https://x'", "credential helper"),
        (b"fatal: could not read Username for 'https://x': terminal prompts disabled", "credential helper"),
        (b"git@x: Permission denied (publickey).\nfatal: Could not read from remote repository.", "SSH agent"),
        (b"Host key verification failed.", "known_hosts"),
        (b"fatal: unable to access 'https://x': SSL certificate problem", "sslCAInfo"),
        (b"fatal: unable to access 'https://x': Could not resolve host: x", "network"),
        (b"fatal: detected dubious ownership in repository at '/x'", "safe.directory"),
        (b"remote: Repository not found.", "right to read"),
        (b"fatal: something new", "with git itself"),
    ],
)
def test_each_failure_has_its_remedy(message: bytes, remedy: str) -> None:
    """What git says leads to what a person can do about it."""
    assert remedy in failed("fetch from x", message).remedy


def test_git_gets_the_users_credentials_and_nothing_that_leads_it_astray() -> None:
    """Askpass programs, agents and settings of CI systems stay in the environment; places of repositories do not."""
    kept = {"HOME": "/h", "GIT_ASKPASS": "/a", "SSH_AUTH_SOCK": "/s", "GIT_CONFIG_COUNT": "1", "GIT_SSH_COMMAND": "ssh"}
    dropped = {"GIT_DIR": "/d", "GIT_INDEX_FILE": "/i", "GIT_TRACE": "1", "GIT_TRACE_CURL": "1", "GIT_WORK_TREE": "/w"}
    environment = Git(timeout=1).environment({**kept, **dropped})
    assert kept.items() <= environment.items()
    assert not dropped.keys() & environment.keys()
    assert environment["GIT_TERMINAL_PROMPT"] == "0"
    assert Git(timeout=1, local=True).environment({})["GIT_NO_LAZY_FETCH"] == "1"
