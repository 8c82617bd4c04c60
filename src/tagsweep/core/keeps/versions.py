"""The keep clause ``versions``: the N highest versions, in all or for each major or minor line."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence

from tagsweep.core.keeps.context import Context, Says, Verdicts
from tagsweep.core.versions import Version, parse_version
from tagsweep.model.decision import KeptByClause, VersionUnreadable
from tagsweep.model.inventory import TagState
from tagsweep.model.policy import KeepNewestVersions


def keep_versions(clause: KeepNewestVersions, candidates: Sequence[TagState], context: Context) -> Verdicts:
    """Keep the tags of the ``count`` highest versions of each line; versions that compare equal share a place.

    A pre-release takes no place from a release: with ``count`` 1, ``1.3.0-rc.1`` stays and so does ``1.2.0``.
    """
    verdicts: dict[str, Says] = {}
    unreadable = VersionUnreadable(rule=context.rule, scheme=clause.version.scheme.value)
    lines: defaultdict[tuple[int, ...], list[tuple[Version, str]]] = defaultdict(list)
    for tag in candidates:
        version = parse_version(clause.version, tag.name)
        if version is None:
            verdicts[tag.name] = unreadable
        else:
            lines[_line(clause, version)].append((version, tag.name))
    for line, members in lines.items():
        verdicts.update(_highest_of(clause, line, members, context))
    return verdicts


def _line(clause: KeepNewestVersions, version: Version) -> tuple[int, ...]:
    if clause.per is None:
        return ()
    return version.major if clause.per == "major" else version.minor


def _highest_of(
    clause: KeepNewestVersions, line: tuple[int, ...], members: list[tuple[Version, str]], context: Context
) -> dict[str, Says]:
    every = sorted({version for version, _ in members})
    releases = [version for version in every if not version.prerelease]
    kept: dict[str, Says] = {}
    for version, name in members:
        rivals = every if version.prerelease else releases
        rank = len(rivals) - bisect_right(rivals, version) + 1
        if rank <= clause.count:
            where = f" of line {'.'.join(str(part) for part in line)}" if line else ""
            detail = f"version rank {rank} of {len(rivals)}{where}"
            kept[name] = KeptByClause(rule=context.rule, clause=clause, detail=detail)
    return kept
