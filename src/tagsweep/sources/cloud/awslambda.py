"""AWS Lambda: the image of every version of every function that is made of an image.

Lambda keeps a copy of its own of an image in use, but needs the one in the registry to optimise it again after weeks
without a call, to publish a version and to roll back. Shapes: botocore's model of Lambda.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tagsweep.model.errors import NotFound, TagsweepError
from tagsweep.sources.cloud.awsapi import AwsApi
from tagsweep.sources.cloud.gathering import Gathering
from tagsweep.sources.cloud.images import image_in_use
from tagsweep.sources.jsonapi import dig, text_at
from tagsweep.sources.syntaxes.findings import Finding

_UNPUBLISHED: Final = "$LATEST"


def in_function(function: Mapping[str, Any], *, note: str) -> Iterator[Finding]:
    """Yield the image of what ``GetFunction`` answers, with the digest that Lambda resolved."""
    return image_in_use(
        text_at(function, "Code", "ImageUri"), digest=text_at(function, "Code", "ResolvedImageUri"), note=note
    )


def read(api: AwsApi, found: Gathering) -> None:
    """Add what Lambda in one region uses; what cannot be seen is a gap."""
    versions: list[tuple[str, str, str]] = []
    with found.trying():
        for listed in api.many("ListFunctions", "Functions", FunctionVersion="ALL"):
            if text_at(listed, "PackageType") == "Image":
                entry = text_at(listed, "FunctionName"), text_at(listed, "Version"), text_at(listed, "FunctionArn")
                versions.append(entry)
    aliases = _aliases(api, found, sorted({name for name, _, _ in versions}))

    def describe(version: tuple[str, str, str]) -> Mapping[str, Any] | None:
        name, number, _ = version
        try:
            return api.call("GetFunction", FunctionName=name, Qualifier=number)
        except NotFound:
            return None  # deleted since it was listed

    for (name, number, _), function in found.each(describe, versions):
        if function is None:
            continue
        found.add(
            in_function(function, note=_note(number, aliases.get((name, number), ()))),
            where=f"{api.place} function {name} version {number}",
            path=f"{api.region}/lambda/{name}",
        )


def _aliases(api: AwsApi, found: Gathering, functions: list[str]) -> dict[tuple[str, str], list[str]]:
    """Return the aliases on each version of each function."""
    aliases: dict[tuple[str, str], list[str]] = {}

    def list_them(function: str) -> list[Any]:
        try:
            return list(api.many("ListAliases", "Aliases", FunctionName=function))
        except TagsweepError:
            return []  # every version is read in any case: an alias only says what it is for

    for function, listed in found.each(list_them, functions):
        for alias in listed:
            weights = dig(alias, "RoutingConfig", "AdditionalVersionWeights")
            for number in (text_at(alias, "FunctionVersion"), *(weights if isinstance(weights, dict) else ())):
                aliases.setdefault((function, number), []).append(text_at(alias, "Name"))
    return aliases


def _note(number: str, aliases: list[str] | tuple[()]) -> str:
    if aliases:
        return f"alias {', '.join(sorted(aliases))}"
    return "" if number == _UNPUBLISHED else "published version"
