"""The manifest of a state says what it holds, and nothing in it leads out of the state directory."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tagsweep.model.errors import StateError
from tagsweep.model.manifest import OCI_MANIFEST, RawManifest
from tagsweep.model.reference import Digest
from tagsweep.stores.stateartifact import Layer, StateArtifact, pack, unpack
from tests.unit.stores.values import digest_of

STATE = StateArtifact(
    generation=3,
    writer="0a1b2c3d",
    covers={"state-000002-ffffffff": digest_of(b"before")},
    layers={
        "ledger/runs": Layer(digest=digest_of(b"rows"), size=4),
        "runs/run-1/journal.jsonl": Layer(digest=digest_of(b"journal"), size=7),
    },
)


def changed(**parts: Any) -> RawManifest:
    """Return the manifest with parts of its document replaced."""
    data = json.dumps({**json.loads(STATE.encode().data), **parts}).encode()
    return RawManifest(digest=Digest.parse("sha256:" + "0" * 64), media_type=OCI_MANIFEST, data=data)


def test_a_state_comes_back_as_it_was() -> None:
    """Encoded and decoded it is equal, and the same state always has the same digest."""
    assert StateArtifact.decode(STATE.encode(), name="x") == STATE
    assert STATE.encode() == STATE.encode()


def test_two_writers_never_share_a_digest() -> None:
    """Deleting one writer's state by its digest cannot take another's tag."""
    other = StateArtifact(generation=3, writer="ffffffff", covers=STATE.covers, layers=STATE.layers)
    assert other.encode().digest != STATE.encode().digest


def test_an_image_is_no_state() -> None:
    """Other things in the repository are passed over."""
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest_of(b""), "size": 0}
    assert StateArtifact.decode(changed(config=config), name="x") is None


@pytest.mark.parametrize(
    "title",
    ["../../etc/passwd", "runs/../ledger.sqlite", "runs/r/plan.json/x", "/etc/passwd", "runs/r/x.py", "ledger/A"],
)
def test_a_file_that_is_none_of_ours_is_refused(title: str) -> None:
    """Whoever can write to the repository cannot write anywhere else on the runner."""
    layer = {
        "mediaType": "x",
        "digest": digest_of(b"x"),
        "size": 1,
        "annotations": {"org.opencontainers.image.title": title},
    }
    with pytest.raises(StateError, match=r"^here is no state"):
        StateArtifact.decode(changed(layers=[layer]), name="here")


def test_a_newer_form_is_refused() -> None:
    """What a newer tagsweep wrote is not read halfway."""
    notes = {**json.loads(STATE.encode().data)["annotations"], "dev.tagsweep.state.format": "2"}
    with pytest.raises(StateError, match="newer tagsweep"):
        StateArtifact.decode(changed(annotations=notes), name="here")


@pytest.mark.parametrize("annotations", [None, {}, {"dev.tagsweep.state.format": "x"}])
def test_a_broken_state_is_told(annotations: Any) -> None:
    """A head that cannot be read is never taken for an empty one."""
    with pytest.raises(StateError, match=r"^here is no state"):
        StateArtifact.decode(changed(annotations=annotations), name="here")


def test_a_layer_comes_back_as_it_was_and_damage_is_told() -> None:
    """Compression is the same each time; bytes that are cut off or are none of ours are an error."""
    data = b"line\n" * 1000
    assert unpack(pack(data), name="x") == data
    assert pack(data) == pack(data)
    for broken in (pack(data)[:-9], b"no gzip", b""):
        with pytest.raises(StateError, match=r"^here is damaged"):
            unpack(broken, name="here")
