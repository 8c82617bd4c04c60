"""Frozen dataclasses of the model become plain JSON values and come back equal, led by their annotations.

A member of a union has its code under ``kind``; a field that has its default is left out; a field that the class does
not have is an error, because what it meant is unknown. Instants are ISO 8601 in UTC, durations are seconds.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Final, TypeVar

from tagsweep.model.errors import Malformed
from tagsweep.model.reference import Digest

T = TypeVar("T")
_KIND: Final = "kind"
_LONGEST_SHOWN: Final = 80
_Function = Callable[[Any], Any]


class Codec:
    """Turns values into JSON values and back. ``codes`` name every class that is a member of a union."""

    def __init__(self, codes: Mapping[type, str]) -> None:
        self._codes = dict(codes)
        self._encoders: dict[Any, _Function] = {}
        self._decoders: dict[Any, _Function] = {}

    def encode(self, kind: Any, value: Any) -> Any:
        """Return ``value``, of the annotated type ``kind``, as plain JSON values."""
        return self._encoder(kind)(value)

    def decode(self, kind: type[T], data: Any) -> T:
        """Return the ``kind`` that ``data`` says, or raise Malformed."""
        value: T = self._decoder(kind)(data)
        return value

    # --- encoding ---
    def _encoder(self, kind: Any) -> _Function:
        if kind not in self._encoders:
            self._encoders[kind] = self._make_encoder(kind)
        return self._encoders[kind]

    def _make_encoder(self, kind: Any) -> _Function:  # noqa: PLR0911  one return a kind of type
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if kind in _WRITERS:
            return _WRITERS[kind]
        if _is_class(kind, Enum):
            return _enum_value
        if dataclasses.is_dataclass(kind):
            return self._dataclass_encoder(kind)
        if origin in (typing.Union, types.UnionType):
            return self._union_encoder(arguments)
        if origin not in (tuple, frozenset) and not _is_class(origin, Mapping):
            raise TypeError(f"no rule to write a {kind}")
        one = self._encoder(arguments[-1] if origin not in (tuple, frozenset) else arguments[0])
        if origin is tuple:
            return lambda value: [one(entry) for entry in value]
        if origin is frozenset:
            return lambda value: sorted(one(entry) for entry in value)
        return lambda value: {str(key): one(value[key]) for key in sorted(value)}

    def _union_encoder(self, arguments: tuple[Any, ...]) -> _Function:
        members = [member for member in arguments if member is not type(None)]
        if len(members) == 1:
            one = self._encoder(members[0])
            return lambda value: None if value is None else one(value)
        codes = {member: self._codes[member] for member in members}
        encoders = {member: self._encoder(member) for member in members}

        def encode(value: Any) -> Any:
            if value is None:
                return None
            return {_KIND: codes[type(value)], **encoders[type(value)](value)}

        return encode

    def _dataclass_encoder(self, kind: Any) -> _Function:
        hints = typing.get_type_hints(kind)
        plan = [(one.name, self._encoder(hints[one.name]), _default(one)) for one in dataclasses.fields(kind)]

        def encode(value: Any) -> dict[str, Any]:
            found = {}
            for name, encoder, default in plan:
                part = getattr(value, name)
                if default is dataclasses.MISSING or part != default:
                    found[name] = encoder(part)
            return found

        return encode

    # --- decoding ---
    def _decoder(self, kind: Any) -> _Function:
        if kind not in self._decoders:
            self._decoders[kind] = self._make_decoder(kind)
        return self._decoders[kind]

    def _make_decoder(self, kind: Any) -> _Function:
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if kind in _READERS:
            return _READERS[kind]
        if _is_class(kind, Enum):
            return _enum_decoder(kind)
        if dataclasses.is_dataclass(kind):
            return self._dataclass_decoder(kind)
        if origin in (typing.Union, types.UnionType):
            return self._union_decoder(arguments)
        if _is_class(origin, Mapping):
            key, entry = self._decoder(arguments[0]), self._decoder(arguments[1])
            return lambda data: {key(name): entry(one) for name, one in _object(data).items()}
        if origin not in (tuple, frozenset):
            raise TypeError(f"no rule to read a {kind}")
        one = self._decoder(arguments[0])
        return lambda data: origin([one(entry) for entry in _list(data)])

    def _union_decoder(self, arguments: tuple[Any, ...]) -> _Function:
        members = [member for member in arguments if member is not type(None)]
        optional = len(members) < len(arguments)
        single = self._decoder(members[0]) if len(members) == 1 else None
        decoders = {} if single is not None else {self._codes[member]: self._decoder(member) for member in members}

        def decode(data: Any) -> Any:
            if data is None and optional:
                return None
            if single is not None:
                return single(data)
            rest = dict(_object(data))
            code = rest.pop(_KIND, None)
            decoder = decoders.get(code) if isinstance(code, str) else None
            if decoder is None:
                raise Malformed(f"the kind {_shown(code)} is not known")
            return decoder(rest)

        return decode

    def _dataclass_decoder(self, kind: Any) -> _Function:
        hints = typing.get_type_hints(kind)
        plan = {one.name: self._decoder(hints[one.name]) for one in dataclasses.fields(kind)}
        required = [one.name for one in dataclasses.fields(kind) if _default(one) is dataclasses.MISSING]

        def decode(data: Any) -> Any:
            values = {}
            for name, entry in _object(data).items():
                decoder = plan.get(name)
                if decoder is None:
                    raise Malformed(f"a {kind.__name__} has no {_shown(name)}")
                values[name] = decoder(entry)
            for name in required:
                if name not in values:
                    raise Malformed(f"a {kind.__name__} lacks its {name!r}")
            return kind(**values)

        return decode


def _is_class(kind: Any, parent: type) -> bool:
    return isinstance(kind, type) and issubclass(kind, parent)


def instant_text(value: datetime) -> str:
    """Return an instant as ISO 8601 in UTC with a Z. A time without a zone is a programming error."""
    if value.tzinfo is None:
        raise ValueError("an instant needs its time zone")
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_instant(data: Any) -> datetime:
    """Return the instant that ISO 8601 text says, or raise Malformed."""
    try:
        value = datetime.fromisoformat(_typed(data, str))
        if value.tzinfo is None:
            raise Malformed(f"{_shown(data)} has no time zone")
        return value.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Malformed(f"{_shown(data)} is not an instant") from error


def _same(value: Any) -> Any:
    return value


def writable(value: str) -> str:
    """Return the text as UTF-8 can hold it: half a surrogate pair, which a registry's JSON may give, becomes a ?."""
    return value if value.isascii() else value.encode(errors="replace").decode()


def _enum_value(value: Enum) -> Any:
    return value.value


def _seconds(value: timedelta) -> int | float:
    seconds = value.total_seconds()
    return int(seconds) if seconds.is_integer() else seconds


def _default(one: dataclasses.Field[Any]) -> Any:
    if one.default is not dataclasses.MISSING:
        return one.default
    if one.default_factory is not dataclasses.MISSING:
        return one.default_factory()
    return dataclasses.MISSING


def _shown(data: Any) -> str:
    """Return the data for an error message: its beginning says enough, and a whole plan would fill the terminal."""
    text = repr(data)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _typed(data: Any, kind: type[T]) -> T:
    if type(data) is not kind:
        raise Malformed(f"{_shown(data)} is no {kind.__name__}")
    return data


def _list(data: Any) -> list[Any]:
    return _typed(data, list)


def _object(data: Any) -> dict[str, Any]:
    return _typed(data, dict)


def _float(data: Any) -> float:
    if type(data) is int:
        return float(data)
    return _typed(data, float)


def _duration(data: Any) -> timedelta:
    try:
        return timedelta(seconds=_float(data))
    except (OverflowError, ValueError) as error:
        raise Malformed(f"{_shown(data)} is no duration") from error


def _enum_decoder(kind: type[Enum]) -> _Function:
    members = {member.value: member for member in kind}

    def decode(data: Any) -> Enum:
        if not isinstance(data, str) or data not in members:
            raise Malformed(f"{_shown(data)} is no {kind.__name__}")
        return members[data]

    return decode


def _digest(data: Any) -> Digest:
    return Digest.parse(_typed(data, str))


_WRITERS: Final[Mapping[Any, _Function]] = {
    **dict.fromkeys((Any, int, float, bool), _same),
    str: writable,
    Digest: str,
    datetime: instant_text,
    timedelta: _seconds,
}
_READERS: Final[Mapping[Any, _Function]] = {
    Any: _same,
    str: lambda data: _typed(data, str),
    int: lambda data: _typed(data, int),
    bool: lambda data: _typed(data, bool),
    float: _float,
    Digest: _digest,
    datetime: parse_instant,
    timedelta: _duration,
}
