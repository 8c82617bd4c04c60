"""What of the driver contract the default run leaves to the run of the slow tests."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent
# They ask one thing for each kind of failure, and take half of the time of all. The further registries and credentials
# of a driver differ in what they have and may, seldom in how a failure is heard.
EACH_FAILURE = {
    "test_an_error_in_a_listing_is_no_shorter_list",
    "test_a_failed_look_up_is_not_absence",
    "test_a_refused_deletion_is_an_error",
    "test_a_pause_is_kept_as_it_was_told",
    "test_a_deletion_without_an_answer_is_sent_once",
    "test_a_redirect_to_another_host_takes_nothing_along",
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what meets each failure with another than the first harness of its suite."""
    first: dict[str, object] = {}
    for item in items:
        if not isinstance(item, pytest.Function) or HERE not in item.path.parents:
            continue
        called = getattr(item, "callspec", None)  # absent where nothing is parametrized
        if item.originalname not in EACH_FAILURE or called is None or "harness" not in called.params:
            continue
        suite = item.parent.nodeid if item.parent is not None else ""
        harness = called.params["harness"]
        if first.setdefault(suite, harness) is not harness:
            item.add_marker(pytest.mark.slow)
