"""Values of the model for the stores' tests: a few by hand, and any plan at all by Hypothesis."""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import types
import typing
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from tagsweep.model.manifest import RawManifest
from tagsweep.model.plan import Plan
from tagsweep.model.reference import Digest, Repository

NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
GATEWAY = Repository("docker.io", "tensorzero/gateway")
UI = Repository("docker.io", "tensorzero/ui")


def digest_of(data: bytes) -> Digest:
    """Return the sha256 digest of ``data``."""
    return Digest(f"sha256:{hashlib.sha256(data).hexdigest()}")


def raw(text: str) -> RawManifest:
    """Return a manifest whose bytes are ``text``."""
    data = text.encode()
    return RawManifest(digest=digest_of(data), media_type="application/vnd.oci.image.manifest.v1+json", data=data)


_TEXT = st.text(st.characters(codec="utf-8"), max_size=6)
_LEAVES: dict[Any, st.SearchStrategy[Any]] = {
    str: _TEXT,
    int: st.integers(0, 2**53),
    float: st.floats(0, 100),
    bool: st.booleans(),
    Digest: st.binary(max_size=2).map(digest_of),
    datetime: st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001  the zone is given
    timedelta: st.timedeltas(timedelta(0), timedelta(days=36_500)),
    Any: st.recursive(
        st.none() | st.booleans() | st.integers(-5, 5) | _TEXT,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_TEXT, inner, max_size=2),
        max_leaves=3,
    ),
}


def of_type(kind: Any) -> st.SearchStrategy[Any]:  # noqa: PLR0911  one return a kind of type
    """Return a strategy for any value of an annotated type of the model."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind in _LEAVES:
        return _LEAVES[kind]
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return st.sampled_from(kind)
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        fields = {one.name: of_type(hints[one.name]) for one in dataclasses.fields(kind)}
        return st.builds(typing.cast("Any", kind), **fields)
    if origin in (typing.Union, types.UnionType):
        return st.one_of([st.none() if one is type(None) else of_type(one) for one in arguments])
    if origin is tuple:
        return st.lists(of_type(arguments[0]), max_size=2).map(tuple)
    if origin is frozenset:
        return st.frozensets(of_type(arguments[0]), max_size=2)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return st.dictionaries(of_type(arguments[0]), of_type(arguments[1]), max_size=2)
    raise TypeError(f"no values of {kind}")


def plans() -> st.SearchStrategy[Plan]:
    """Return a strategy for plans of every shape."""
    return of_type(Plan)
