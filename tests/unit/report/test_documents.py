"""The Markdown and HTML reports: complete, escaped, self-contained."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsweep.model.decision import InUse, NotKept, Verdict
from tagsweep.model.reference import Repository
from tagsweep.model.run import Finding, SweepReport
from tagsweep.report import changelog, html, markdown
from tagsweep.report.markdown_text import code, escape
from tagsweep.report.timeline import nice_step, timeline
from tests.unit.report import samples

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=y> @everyone `x` | **b** [a](javascript:x)"
_VOID = {"meta", "br", "line"}


class _Checker(HTMLParser):
    """Keeps the open elements, and everything that would load or run something."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember the element."""
        self.loads += [f"{tag} {name}" for name, _ in attrs if name in {"src", "href"} or name.startswith("on")]
        if tag in {"script", "link", "img", "iframe", "object", "base"}:
            self.loads.append(tag)
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at an element that closes itself, without keeping it."""
        self.loads += [f"{tag} {name}" for name, _ in attrs if name in {"src", "href"} or name.startswith("on")]

    def handle_endtag(self, tag: str) -> None:
        """Check that it closes the last element that was opened."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep what a reader sees."""
        self.text.append(data)


def _checked(page: str) -> _Checker:
    checker = _Checker()
    checker.feed(page)
    checker.close()
    return checker


def _evil() -> SweepReport:
    used = InUse(source=EVIL, where=EVIL, via="tag", reference=EVIL)
    decisions = (samples.kept("1.0", used, naming_class=EVIL), *samples.decisions())
    repository = replace(samples.gateway(), decisions=decisions, notes=(EVIL,))
    plan = replace(samples.plan(), repositories=(repository,), policy_path=EVIL, tool=EVIL)
    counts = tuple(replace(point, naming_class=EVIL, origin=EVIL) for point in samples.counts())
    outcomes = tuple(replace(outcome, why=EVIL) for outcome in samples.broken_outcomes())
    return replace(samples.report(), plan=plan, counts=counts, outcomes=outcomes, verification=samples.damage())


@pytest.mark.parametrize("report", [samples.report(), samples.broken_report(), _evil()], ids=["good", "broken", "evil"])
def test_the_page_is_well_formed_and_loads_nothing(report: SweepReport) -> None:
    """Every element is closed in order, and nothing is fetched or run, whatever the texts say."""
    checker = _checked(html.sweep(report))
    assert checker.open == []
    assert checker.loads == []


def test_foreign_text_is_shown_and_not_interpreted() -> None:
    """A reader sees the hostile text as it is."""
    assert EVIL in "".join(_checked(html.sweep(_evil())).text)


def test_the_page_lists_every_tag() -> None:
    """All 226 tags are in the page, to be searched for."""
    text = "\n".join(_checked(html.sweep(samples.report())).text)
    assert all(decision.tag in text for decision in samples.decisions())


def test_the_page_tells_how_to_take_it_back_and_how_to_get_the_space_back() -> None:
    """The two questions after a sweep are answered with this run's command and this registry's words."""
    text = "".join(_checked(html.sweep(samples.report())).text)
    assert f"tagsweep restore {samples.RUN} --yes" in text
    assert samples.DISTRIBUTION_2.reclaim in text


def test_one_count_makes_no_line() -> None:
    """With counts of one time only, the page shows before and after instead of inventing a line."""
    page = html.sweep(samples.broken_report())
    assert "<svg" not in page
    assert "before and after" in page
    assert "<svg" in html.sweep(samples.report())


def test_no_count_at_all_is_no_error() -> None:
    """A report without history is whole."""
    assert "before and after" in html.sweep(replace(samples.report(), counts=(), verification=None))


def test_a_repository_keeps_its_last_count_until_its_next_one() -> None:
    """Counts of several repositories at different times are summed without holes."""
    first, *_ = samples.counts()
    other = replace(first, repository=samples.UI, tags=5, at=first.at + timedelta(days=1))
    later = replace(first, tags=7, at=first.at + timedelta(days=2))
    line = timeline((later, other, first))
    assert line.series[0].tags == (60, 65, 12)


@given(highest=st.integers(min_value=0, max_value=10**7))
@settings(max_examples=100, deadline=None)
def test_grid_lines_are_few_and_round(highest: int) -> None:
    """The distance between grid lines is 1, 2 or 5 times a power of ten, and there are at most six of them."""
    step = nice_step(highest)
    assert re.fullmatch(r"[125]0*", str(step))
    assert highest / step <= 5


@given(text=st.text(max_size=40))
@settings(max_examples=100, deadline=None)
def test_a_code_span_holds_any_text(text: str) -> None:
    """The fence of a code span is longer than any run of backticks in it."""
    span = code(text)
    fence = span[: len(span) - len(span.lstrip("`"))] if text.strip("`") else "`"
    assert span.startswith(fence)
    assert span.endswith("`")
    assert "\n" not in span


def test_markdown_text_cannot_mention_or_mark_up() -> None:
    """What others wrote notifies nobody and makes no markup, table cell or element."""
    escaped = escape(EVIL)
    assert "@everyone" not in escaped
    assert "\\<script\\>" in escaped
    assert " | " not in escaped.replace("\\|", "")
    assert "tensorzero/gateway@sha256:7e54" in escape("tensorzero/gateway@sha256:7e54")


def test_markdown_text_links_no_issue() -> None:
    """A number in somebody's text makes no reference in the issues of the repository that shows the report."""
    assert escape("fixed by #12 and GH-13") == r"fixed by \#<!-- -->12 and GH-<!-- -->13"
    assert escape("é@team /@team") == "é@<!-- -->team /@<!-- -->team"


def test_a_code_span_of_nothing_opens_none() -> None:
    """Two backticks would begin a span that ends somewhere else."""
    assert code("") == "` `"


def test_a_plan_of_many_repositories_and_gaps_fits_into_a_comment() -> None:
    """However many repositories, tags and unresolved references there are, a comment on GitHub takes the plan."""
    tags = tuple(
        samples.kept(f"{n:0127}", NotKept(rule="r"), naming_class="", verdict=Verdict.REMOVE) for n in range(150)
    )
    gap = replace(samples.answers()[1], unresolved=tuple(f"deploy/{n}.yml:14  {'x' * 80}" for n in range(5000)))
    for repositories in (5, 60, 400):
        parts = tuple(
            replace(samples.gateway(), repository=Repository("docker.io", f"a/{n}"), decisions=tags)
            for n in range(repositories)
        )
        text = markdown.plan(replace(samples.plan(), repositories=parts, evidence=(gap,)))
        assert len(text) < 65_536
        assert text.count("<details>") == text.count("</details>")
        assert "plan file" in text
        assert ("and 4,980 more, in the plan file" in text) is (repositories < 400)


def test_control_characters_in_a_class_name_do_not_reach_the_page() -> None:
    """Text in pictures and tables is cleaned as all other text is."""
    odd = "ci\u202e\x1b"
    counts = tuple(replace(point, naming_class=odd) for point in samples.counts())
    decisions = tuple(replace(decision, naming_class=odd) for decision in samples.decisions())
    plan = replace(samples.plan(), repositories=(replace(samples.gateway(), decisions=decisions),))
    for report in (replace(samples.report(), plan=plan), replace(samples.report(), plan=plan, counts=counts)):
        page = html.sweep(report)
        assert "\u202e" not in page
        assert "\x1b" not in page


def test_a_class_that_a_count_lacks_has_no_tag_then() -> None:
    """A count is of the whole repository: an old number of another class is not added to it."""
    first, *_ = samples.counts()
    line = timeline((first, replace(first, naming_class="other", tags=7, at=first.at + timedelta(days=1))))
    assert [sum(one.tags[n] for one in line.series) for n in (0, 1)] == [60, 7]


def test_a_later_look_back_does_not_hide_what_was_there() -> None:
    """A history made of the tags of a later day lacks what was removed since; the fuller one is shown."""
    first, *_ = samples.counts()
    line = timeline((first, replace(first, tags=2, origin="of a later day")))
    assert line.series[0].tags == (60,)


def test_a_long_history_is_summed_in_one_pass() -> None:
    """Ten thousand counts of different times are no work: each is looked at once."""
    first, *_ = samples.counts()
    many = [replace(first, at=first.at + timedelta(hours=n), tags=n) for n in range(10_000)]
    assert timeline(many).series[0].tags == tuple(range(10_000))


def test_what_a_restore_put_back_is_told_in_every_record() -> None:
    """After a restore the page, the file and the changelog say that the tags are there again."""
    finding = Finding(repository=samples.GATEWAY, subject=samples.LONE[0], what="put back", remedy="")
    report = replace(samples.report(), verification=replace(samples.verification(), restored=(finding,)))
    for text in (html.sweep(report), markdown.sweep(report), changelog.entry(report)):
        assert "1 removed tag was put back by a restore of this run: it is there again with its old digest" in text


def test_a_remedy_in_a_file_knows_which_times_the_registry_reports() -> None:
    """The advice about an unknown time names the registry's lack in the page and the comment as on the terminal."""
    words = "this registry reports no push times"
    plan = samples.hard_plan()
    assert words in markdown.plan(plan)
    assert words in html.sweep(replace(samples.report(), plan=plan, outcomes=()))


def test_a_plan_for_a_comment_stays_small() -> None:
    """A plan of 13,000 removals fits into a comment and says how many tags it does not list."""
    going = tuple(d for d in samples.decisions() if d.verdict.value == "remove")
    many = tuple(replace(d, tag=f"{d.tag}-{n}") for n in range(180) for d in going)
    repository = replace(samples.gateway(), decisions=many)
    text = markdown.plan(replace(samples.plan(), repositories=(repository,)))
    assert len(text) < 65_536
    assert "12,760 more, in the plan file" in text


def test_the_markdown_report_lists_every_removed_tag_and_every_trouble() -> None:
    """Nothing that was done or not done is left out of the file."""
    text = markdown.sweep(samples.broken_report())
    assert all(tag in text for tag in samples.LONE)
    assert "docker.io answered 500 to DELETE, four times" in text
    assert "## Damage" in text
