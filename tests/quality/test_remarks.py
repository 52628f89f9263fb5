"""Remarks at a moment of a recording: whose they are, until when they change, and who
reads them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from builders import centre_with_calls

from qa_core.base.errors import AccessDenied, Refusal
from qa_core.quality.evaluations import timed_comments
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow


@pytest.fixture
def draft(start_from: Callable[..., Any], add_person: Callable[..., str]) -> int:
    start_from(centre_with_calls.build, add_person)
    return centre_with_calls.start_draft()


def said(username: str, evaluation_id: int) -> list[tuple[float, str]]:
    return [
        (entry.seconds, entry.text)
        for entry in timed_comments.find_comments(
            centre_with_calls.viewer_of(username), evaluation_id
        ).entries
    ]


def test_whoever_fills_the_grid_remarks_and_takes_back_while_it_is_a_draft(draft: int) -> None:
    eve = centre_with_calls.viewer_of("eve")
    timed_comments.add_comment(eve, draft, 12.5, " The request is not heard ", "listening")
    first = timed_comments.add_comment(eve, draft, 3, "Greets")

    found = timed_comments.find_comments(eve, draft)
    assert [(entry.seconds, entry.text, entry.criterion) for entry in found.entries] == [
        (3, "Greets", None),
        (12.5, "The request is not heard", "listening"),
    ]
    assert (
        found.criteria["listening"].fr == "Écoute sans interrompre et reformule la demande"
        and found.is_open
    )
    timed_comments.remove_comment(eve, first)
    assert said("eve", draft) == [(12.5, "The request is not heard")]
    with store.reading() as session:
        rows = session.execute(
            sa.select(JournalRow.action, JournalRow.object)
            .where(JournalRow.action.like("remark_%"))
            .order_by(JournalRow.seq)
        ).all()
    assert [tuple(row) for row in rows] == [
        ("remark_added", str(draft)),
        ("remark_added", str(draft)),
        ("remark_removed", str(draft)),
    ]


def test_nobody_else_writes_and_nobody_reads_before_it_is_published(draft: int) -> None:
    number = timed_comments.add_comment(centre_with_calls.viewer_of("eve"), draft, 3, "Greets")
    for username in ("ann", "bob", "lea"):
        viewer = centre_with_calls.viewer_of(username)
        for act in (
            lambda viewer=viewer: timed_comments.add_comment(viewer, draft, 1, "Mine"),
            lambda viewer=viewer: timed_comments.remove_comment(viewer, number),
            lambda viewer=viewer: timed_comments.find_comments(viewer, draft),
        ):
            with pytest.raises(AccessDenied):
                act()

    centre_with_calls.submit(draft)

    assert [said(username, draft) for username in ("eve", "ann", "lea")] == [[(3, "Greets")]] * 3
    with pytest.raises(AccessDenied):
        timed_comments.find_comments(centre_with_calls.viewer_of("bob"), draft)
    assert not any(
        timed_comments.find_comments(centre_with_calls.viewer_of(username), draft).is_open
        for username in ("eve", "ann", "lea")
    )
    for act in (
        lambda: timed_comments.add_comment(centre_with_calls.viewer_of("eve"), draft, 4, "Late"),
        lambda: timed_comments.remove_comment(centre_with_calls.viewer_of("eve"), number),
    ):
        with pytest.raises(Refusal) as caught:
            act()
        assert caught.value.code == "not_a_draft"
    with pytest.raises(AccessDenied):
        timed_comments.add_comment(centre_with_calls.viewer_of("lea"), draft, 4, "Late")


def test_a_remark_needs_words_a_moment_and_a_criterion_of_the_grid(draft: int) -> None:
    wrong = [
        (1, "  ", None),
        (1, "x" * 1001, None),
        (-1, "x", None),
        (float("nan"), "x", None),
        (1, "x", "invented"),
    ]
    codes = []
    for seconds, text, criterion in wrong:
        with pytest.raises(Refusal) as caught:
            timed_comments.add_comment(
                centre_with_calls.viewer_of("eve"), draft, seconds, text, criterion
            )
        codes.append(caught.value.code)

    assert codes == ["bad_comment", "bad_comment", "bad_moment", "bad_moment", "unknown_criterion"]
    assert said("eve", draft) == []


def test_numbers_and_addresses_are_masked(draft: int) -> None:
    timed_comments.add_comment(
        centre_with_calls.viewer_of("eve"),
        draft,
        1,
        "Calls back on 06 12 34 56 78 or jean@example.org",
    )

    ((_seconds, text),) = said("eve", draft)
    assert "56 78" not in text and "example" not in text and text.startswith("Calls back on")
