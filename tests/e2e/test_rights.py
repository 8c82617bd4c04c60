"""Rights and places that are missing, or go missing between plan and apply: said early, and nothing half done."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from tagsweep.model.reference import Digest
from tagsweep.testing.access import Access, BasicAccess, BearerAccess, Gate
from tagsweep.testing.dialects import DISTRIBUTION_2_8, DISTRIBUTION_3
from tagsweep.testing.fake import FakeRegistry, LoggedRequest
from tests.e2e.kit import GATEWAY, Place, both_sizes, codes, decisions, fill, gateway, policy, removed, size

PASSWORD = "open-sesame-7"
_BASIC = BasicAccess(password=PASSWORD)
_READABLE = BearerAccess(password=PASSWORD)
_OPAQUE = BearerAccess(password=PASSWORD, readable=False)
_LESS = frozenset({"pull", "push"})
# What grants everything, and the same without the right to delete.
ACCESSES: dict[str, tuple[Access, Access]] = {
    "basic": (_BASIC, replace(_BASIC, granted=_LESS)),
    "token that can be read": (_READABLE, replace(_READABLE, granted=_LESS)),
    "token that cannot": (_OPAQUE, replace(_OPAQUE, granted=_LESS)),
}


@pytest.fixture(autouse=True)
def credentials(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the right credentials, once the environment of the tests is clean."""
    assert place.directory.is_dir()
    monkeypatch.setenv("TAGSWEEP_USERNAME", "user")
    monkeypatch.setenv("TAGSWEEP_PASSWORD", PASSWORD)


def seeded(place: Place, registry: FakeRegistry, more: str = "") -> dict[str, Digest]:
    """Fill the registry and write the policy; return the tags."""
    place.write(policy(f"{registry.host}/{GATEWAY}", more=more))
    return fill(registry, gateway())


@pytest.mark.parametrize("name", ACCESSES)
def test_a_missing_right_to_delete_is_known_to_plan_and_doctor(place: Place, name: str) -> None:
    """Whether the registry says 403 or grants a lesser token, every build stays and both commands say why."""
    with FakeRegistry(DISTRIBUTION_3, access=ACCESSES[name][1]) as registry:
        tags = seeded(place, registry)
        planned = place.make_plan("--json")
        assert removed(planned) == set()
        assert {frozenset(codes(one)) for one in decisions(planned).values() if one["class"] == "ci-build"} == {
            frozenset({"cannot-delete"})
        }
        findings = {
            one["subject"]: one for one in place.run("doctor", "-c", str(place.policy), "--json").document["findings"]
        }
        assert findings["removing one tag"]["health"] == "warn"
        assert findings["deleting manifests"]["health"] == "warn"
        place.apply()
        assert registry.tags(GATEWAY) == tags


@both_sizes
@pytest.mark.parametrize("name", ACCESSES)
def test_with_all_rights_the_same_credentials_sweep(place: Place, name: str) -> None:
    """The counter-proof: where deletion is granted the builds go, and the password is in no file that is left."""
    with FakeRegistry(DISTRIBUTION_3, access=ACCESSES[name][0]) as registry:
        seeded(place, registry)
        place.make_plan()
        place.apply()
        assert len(registry.tags(GATEWAY)) == size().tags - size().builds
    secrets = (PASSWORD.encode(), base64.b64encode(f"user:{PASSWORD}".encode()))
    for path in place.directory.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert not any(secret in content for secret in secrets), path


@both_sizes
@pytest.mark.parametrize("name", ACCESSES)
def test_a_right_that_was_withdrawn_after_the_plan_stops_apply_first(place: Place, name: str) -> None:
    """Exit 1 before the first deletion; when the right is back, the same plan is applied."""
    full, lesser = ACCESSES[name]
    with FakeRegistry(DISTRIBUTION_3, access=full) as registry:
        tags = seeded(place, registry)
        place.make_plan()
        registry._gate = Gate(lesser, base=f"http://{registry.host}")
        result = place.apply("--json", expect=1)
        assert result.document["exit_code"] == 1
        assert "nothing was deleted" in result.document["remedy"]
        assert registry.tags(GATEWAY) == tags
        registry._gate = Gate(full, base=f"http://{registry.host}")
        place.apply()
        assert place.last_run()["status"] == "done"


def test_refusals_in_the_middle_stop_the_run_before_they_burn_a_quota(place: Place) -> None:
    """403 for every deletion from the tenth on: the run stops after a few, with 1, and can be taken up later."""
    with FakeRegistry(DISTRIBUTION_2_8) as registry:
        tags = seeded(place, registry)
        place.make_plan()
        own = 0

        def refuse(request: LoggedRequest) -> None:
            nonlocal own
            if request.method == "DELETE" and any(digest in request.target for digest in tags.values()):
                own += 1
                if own == 10:
                    registry.fail_next(10_000, status=403, code="DENIED", method="DELETE")

        registry.on_request = refuse
        place.apply(expect=1)
        assert own < 50
        registry.on_request = None
        registry.faults.clear()
        place.apply()
        assert place.last_run()["status"] == "done"
        assert len(registry.tags(GATEWAY)) == size().tags - size().builds + size().shared


@pytest.mark.parametrize("record", ["record: {changelog: file/CHANGELOG.md}\n", "record: {reports: file/reports}\n"])
def test_a_record_that_could_not_be_written_is_known_before_the_first_deletion(place: Place, record: str) -> None:
    """Exit 6, the path is named, and nothing is deleted without a trace."""
    (place.directory / "file").write_text("no directory", encoding="utf-8")
    with FakeRegistry(DISTRIBUTION_2_8) as registry:
        tags = seeded(place, registry)
        text = place.policy.read_text(encoding="utf-8")
        place.write(text.replace("record: {changelog: CHANGELOG.md}\n", record))
        place.make_plan()
        result = place.apply("--json", expect=6)
        assert str(place.directory / "file") in result.document["message"]
        assert registry.tags(GATEWAY) == tags
