"""Deliberate mistakes in the core, each with the law that it breaks and the tests that have to notice.

A mutant whose tests still pass is a hole in the tests. The snippets are exact; when the code changes, the test that
applies them says which one has to be written anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_LAWS: Final = "tests/properties/test_laws_planning.py"
_DECIDING: Final = "tests/properties/test_laws_deciding.py"
_UNIT: Final = "tests/unit/core/test_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """In ``file`` (below ``src/tagsweep/core``), ``original`` occurs once and becomes ``replacement``."""

    name: str
    file: str
    original: str
    replacement: str
    law: str
    tests: tuple[str, ...]


def _mutant(name: str, file: str, original: str, replacement: str, law: str, *tests: str) -> Mutant:
    return Mutant(name=name, file=file, original=original, replacement=replacement, law=law, tests=tests)


_GRAPH: Final = (
    _mutant(
        "first-parent-only",
        "graph.py",
        "self._parents[child.digest].add(digest)",
        "self._parents[child.digest] = self._parents[child.digest] or {digest}",
        "4: a shared child has all its parents",
        _UNIT + "graph.py",
    ),
    _mutant(
        "children-one-level-deep",
        "graph.py",
        "                seen.add(target)\n                todo.append(target)",
        "                seen.add(target)",
        "4: reach at any depth",
        _LAWS,
    ),
    _mutant(
        "subject-not-reached",
        "graph.py",
        "        yield from self._edges_down(digest)\n        yield from self._subjects.get(digest, ())",
        "        yield from self._edges_down(digest)",
        "4: the subject of something kept stays",
        _LAWS,
    ),
    _mutant(
        "referrers-not-reached",
        "graph.py",
        "        yield from self._referrers.get(digest, ())\n\n    def _all_edges",
        "\n    def _all_edges",
        "6: referrers follow their subject",
        _UNIT + "graph.py",
        _UNIT + "planning.py",
    ),
    _mutant(
        "members-of-a-listing-are-no-referrers",
        "graph.py",
        "                    self._refer(member, subject)",
        "                    del member",
        "6: a fallback listing names referrers",
        _UNIT + "graph.py",
    ),
    _mutant(
        "unreadable-is-a-leaf",
        "graph.py",
        "        return isinstance(manifest, Unreadable)",
        "        return False",
        "2: unreadable is unknown",
        _LAWS,
    ),
    _mutant(
        "unread-is-a-leaf",
        "graph.py",
        "            return not self._described.get(digest, False)",
        "            return not self._described.get(digest, True)",
        "2: unread is unknown",
        _UNIT + "graph.py",
    ),
    _mutant(
        "last-descriptor-decides",
        "graph.py",
        "image and self._described.get(descriptor.digest, True)",
        "image",
        "2: one doubtful descriptor is a doubt",
        _UNIT + "graph.py",
    ),
)

_PLANNING: Final = (
    _mutant(
        "digest-deleted-with-its-siblings",
        "planning.py",
        "        if digest not in self.kept:\n            return ()",
        "        if digest in self.kept or digest not in self.kept:\n            return ()",
        "5: every tag on a digest has to go",
        _LAWS,
    ),
    _mutant(
        "kept-closure-deleted",
        "planning.py",
        "return self.graph.below(roots) - self.kept",
        "return self.graph.below(roots)",
        "4: nothing reachable from a kept tag goes",
        _LAWS,
    ),
    _mutant(
        "used-digests-forgotten",
        "planning.py",
        "        self.graph.extend(self.kept, self.used)\n",
        "",
        "3: in use wins",
        _LAWS,
    ),
    _mutant(
        "undecided-keeps-nothing",
        "planning.py",
        "            if decision.verdict is not Verdict.REMOVE:\n                self._let_stay(decision)",
        "            if decision.verdict is Verdict.KEEP:\n                self._let_stay(decision)",
        "2: unknown is keep",
        _LAWS,
    ),
    _mutant(
        "no-fixpoint",
        "planning.py",
        "                self._let_stay(decision)\n                changed = True",
        "                changed = True",
        "4: a turned tag keeps its own closure",
        _LAWS,
    ),
    _mutant(
        "one-pass",
        "planning.py",
        "        while changed:\n            changed = self._pass()",
        "        for _ in range(1):\n            changed = self._pass()",
        "4: turning goes on to the fixpoint",
        _UNIT + "planning.py",
        _LAWS,
    ),
    _mutant(
        "unknown-below-ignored",
        "planning.py",
        "        if unknown:\n",
        "        if unknown and not unknown:\n",
        "2: unknown is keep",
        _UNIT + "planning.py",
    ),
    _mutant(
        "unreadable-kept-things-block-nothing",
        "planning.py",
        "return (*self.unresolved, *(self._name_of(digest) for digest in opaque))",
        "return self.unresolved",
        "10: less coverage never removes more",
        _LAWS,
    ),
    _mutant(
        "unresolved-tags-block-nothing",
        "planning.py",
        "return (*self.unresolved, *(self._name_of(digest) for digest in opaque))",
        "return tuple(self._name_of(digest) for digest in opaque)",
        "5: an unresolved tag may be on the digest",
        _LAWS,
    ),
    _mutant(
        "derived-tags-go-alone",
        "planning.py",
        "        if subjects:\n",
        "        if subjects and not subjects:\n",
        "6: derived tags follow their subject",
        _LAWS,
    ),
    _mutant(
        "stray-children-deleted",
        "planning.py",
        "            changed |= self._keep_strays()\n",
        "",
        "4: a child whose subject stays is kept",
        _UNIT + "planning.py",
    ),
    _mutant(
        "an-index-takes-along-what-stays",
        "planning.py",
        "if not self._stays_tagged(digest) and self.graph.parents(digest) <= victims",
        "if self.graph.tags_on(digest) and self.graph.parents(digest) <= victims",
        "4: reach, where deleting an index takes along what it lists",
        _UNIT + "planning.py",
    ),
    _mutant(
        "manifests-before-tags",
        "planning.py",
        "return (*untags, *(replace(step, tags=()) for step in deletes))",
        "return (*(replace(step, tags=()) for step in deletes), *untags)",
        "5: untag and delete are different steps",
        _LAWS,
    ),
    _mutant(
        "untag-where-only-digests-go",
        "planning.py",
        "    untagging = capabilities.delete_tag.usable\n",
        "    untagging = True\n",
        "5: chosen by what the registry can do",
        _UNIT + "planning.py",
    ),
    _mutant(
        "signature-untagged-first",
        "planning.py",
        "key=lambda item: bool(graph.derived_subjects(item[0]))",
        "key=lambda item: not graph.derived_subjects(item[0])",
        "9: referrers after their subject",
        _UNIT + "planning.py",
    ),
    _mutant(
        "keeps-lists-removed-tags",
        "planning.py",
        "if d.verdict is not Verdict.REMOVE and d.digest is not None},",
        "if d.digest is not None},",
        "7: the plan says what stays",
        _UNIT + "planning.py",
    ),
    _mutant(
        "children-first",
        "ordering.py",
        "key=lambda step: (step.depth, _ROLES[step.role], step.digest)",
        "key=lambda step: (-step.depth, _ROLES[step.role], step.digest)",
        "9: indexes before their children",
        _LAWS,
    ),
    _mutant(
        "one-level-of-depth",
        "ordering.py",
        "1 + max((depth[bond] for bond in kept[digest]), default=-1)",
        "min(1, 1 + max((depth[bond] for bond in kept[digest]), default=-1))",
        "9: a barrier between depths",
        _LAWS,
    ),
    _mutant(
        "referrers-wait-for-nothing",
        "ordering.py",
        "    loose = {digest: _subjects(digest, graph, tags.get(digest, ())) & there for digest in there}",
        "    loose = {digest: frozenset[Digest]() for digest in there}",
        "9: referrers after their subject",
        _UNIT + "planning.py",
        _LAWS,
    ),
)

_RUNNING: Final = (
    _mutant(
        "failed-steps-are-forgotten",
        "resume.py",
        "    return kind is not None and kind.absent",
        "    return kind is not None",
        "9: resume ends where the whole run ends",
        _UNIT + "resume.py",
    ),
    _mutant(
        "unfinished-parents-do-not-matter",
        "resume.py",
        "        if not _absent(key, outcomes):",
        "        if key in outcomes and not _absent(key, outcomes):",
        "9: a step waits for what it comes after",
        _UNIT + "resume.py",
    ),
    _mutant(
        "refused-tag-taken-by-its-digest",
        "resume.py",
        "first = (*_deletions_before(step), *untags.get(step.digest, ()))",
        "first = _deletions_before(step)",
        "5: never silently swapped",
        _UNIT + "resume.py",
    ),
    _mutant(
        "no-barrier-between-depths",
        "resume.py",
        "            return (1, step.depth)",
        "            return (1, 0)",
        "9: a barrier between depths",
        _LAWS,
    ),
    _mutant(
        "first-wave-is-everything",
        "resume.py",
        "any(done < end < done + inside + count for end in ends)",
        "any(done < end < done for end in ends)",
        "9: waves end where the settings say",
        _UNIT + "resume.py",
    ),
    _mutant(
        "new-tags-unnoticed",
        "recheck.py",
        "if now is not None and now != seen.get(tag)}",
        "if now is not None and tag in seen and now != seen.get(tag)}",
        "7: checked immediately before",
        _UNIT + "recheck.py",
    ),
    _mutant(
        "unread-new-tags-need-nothing",
        "recheck.py",
        "        if any(graph.is_opaque(each) for each in reached - stays):",
        "        if any(graph.is_opaque(each) for each in reached & stays):",
        "2: unknown is keep",
        _UNIT + "recheck.py",
    ),
    _mutant(
        "children-of-a-blocked-index-go",
        "recheck.py",
        "    todo = list(stopped)\n",
        "    todo = list[Digest]()\n",
        "4: what an index needs stays with it",
        _UNIT + "recheck.py",
    ),
    _mutant(
        "zero-removals-is-no-limit",
        "guards.py",
        "    if limit is not None and removed > limit:",
        "    if limit and removed > limit:",
        "11: zero is a value",
        _LAWS,
    ),
    _mutant(
        "zero-percent-is-no-limit",
        "guards.py",
        "    if percent is not None and removed * 100 > Fraction(str(percent)) * total:",
        "    if percent and removed * 100 > Fraction(str(percent)) * total:",
        "11: zero is a value",
        _LAWS,
    ),
    _mutant(
        "floor-off-by-one",
        "guards.py",
        "    if part.removed_tags and left < least:",
        "    if part.removed_tags and left < least - 1:",
        "11: floors are exact",
        _LAWS,
    ),
    _mutant(
        "void-protection-accepted",
        "guards.py",
        "        void = matched[label] == 0",
        "        void = label in matched and matched[label] == 0",
        "11: a guard that guards nothing is misspelt",
        _UNIT + "guards.py",
    ),
    _mutant(
        "equal-times-accepted",
        "guards.py",
        "if count >= _CLUSTER and count * 2 > looked_at else None",
        "if count > _CLUSTER and count * 2 > looked_at else None",
        "11: suspicious clusters of equal times",
        _UNIT + "guards.py",
    ),
    _mutant(
        "shared-blobs-reclaimed",
        "storage.py",
        "size > 0 and mark == _USED_BY_REMOVED",
        "size > 0 and mark & _USED_BY_REMOVED",
        "12: say truthfully what would be reclaimed",
        _UNIT + "storage.py",
    ),
    _mutant(
        "unreadable-uses-no-blob",
        "storage.py",
        "        if any(digest not in going for digest in self._opaque):",
        "        if any(digest in going for digest in self._opaque):",
        "2: unknown is keep",
        _UNIT + "storage.py",
    ),
)

_DECISIONS: Final = (
    _mutant(
        "unmatched-tags-go",
        "draft.py",
        "        return bool(self.rules) or self.derived is not None",
        "        return True",
        "1: default keep",
        _DECIDING,
        _UNIT + "decide.py",
    ),
    _mutant(
        "doubt-beats-keep-and-loses-to-removal",
        "draft.py",
        "        return Verdict.UNDECIDED if self.undecided else Verdict.REMOVE",
        "        return Verdict.REMOVE",
        "2: unknown is keep",
        _DECIDING,
        _UNIT + "decide.py",
    ),
    _mutant(
        "stale-evidence-believed",
        "protect.py",
        "        if abs(age) > evidence.max_age:",
        "        if abs(age) > evidence.max_age * 1000:",
        "2: stale evidence is missing evidence",
        _UNIT + "protect.py",
        _UNIT + "decide.py",
        _DECIDING,
    ),
    _mutant(
        "silent-source-believed",
        "protect.py",
        '        yield "it was not asked or did not answer"',
        "        return",
        "2: an absent source is not 'not used'",
        _DECIDING,
        _UNIT + "protect.py",
    ),
    _mutant(
        "use-of-a-child-forgets-its-index",
        "protect.py",
        "    for above in graph.ancestors(digest):",
        "    for above in ():",
        "3: through indexes in both directions",
        _UNIT + "protect.py",
        _DECIDING,
    ),
    _mutant(
        "use-of-an-index-forgets-its-children",
        "protect.py",
        "    for below in _descendants(digest, graph):",
        "    for below in ():",
        "3: through indexes in both directions",
        _UNIT + "protect.py",
        _DECIDING,
    ),
    _mutant(
        "patterns-match-the-beginning",
        "patterns.py",
        "            return compile_regex(pattern.pattern).fullmatch(tag) is not None",
        "            return compile_regex(pattern.pattern).match(tag) is not None",
        "14: patterns match in full",
        _UNIT + "patterns.py",
    ),
    _mutant(
        "user-patterns-match-derived-tags",
        "classify.py",
        "        if naming_class == DIGEST_DERIVED:\n            return False\n",
        "",
        "6: no pattern of a user's matches them",
        _DECIDING,
        _UNIT + "classify.py",
    ),
    _mutant(
        "ties-are-torn",
        "keeps/newest.py",
        "        rank = len(times) - bisect_right(times, time) + 1",
        "        rank = len(times) - times.index(time)",
        "hazard 16: ties are kept together",
        _UNIT + "keeps_by_time.py",
    ),
    _mutant(
        "the-last-day-is-out",
        "keeps/within.py",
        "        if context.now - time <= clause.age:",
        "        if context.now - time < clause.age:",
        "13: the boundary is kept",
        _UNIT + "keeps_by_time.py",
    ),
    _mutant(
        "oldest-of-each-period",
        "keeps/every.py",
        "        newest = max(time for time, _ in buckets[key])",
        "        newest = min(time for time, _ in buckets[key])",
        "hazard 23: newest deleted",
        _UNIT + "keeps_by_time.py",
    ),
    _mutant(
        "epoch-is-an-age",
        "keeps/times.py",
        "    if time is None or time.tzinfo is None or time < FIRST_CONTAINERS:",
        "    if time is None or time.tzinfo is None:",
        "13: 1970 is no age",
        _UNIT + "keeps_by_time.py",
    ),
    _mutant(
        "unread-labels-are-absent",
        "keeps/labelled.py",
        "        elif not complete:",
        "        elif complete and not complete:",
        "2: unknown is keep",
        _UNIT + "keeps_by_content.py",
    ),
    _mutant(
        "unreadable-versions-go",
        "keeps/versions.py",
        "            verdicts[tag.name] = unreadable",
        "            continue",
        "2: unknown is keep",
        _UNIT + "keeps_by_content.py",
    ),
)

MUTANTS: Final = (*_GRAPH, *_PLANNING, *_RUNNING, *_DECISIONS)
