"""Correcting a published evaluation: by its evaluator, with a reason, and with what stood before kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qa_core import journal
from qa_core.access import Viewer
from qa_core.errors import AccessDenied, Misuse
from qa_core.evaluations import completing, drafting, personal_data
from qa_core.records import store
from qa_core.wording import N_

AMENDED = "amended"


def amend(
    viewer: Viewer,
    evaluation_id: int,
    version: int,
    answers: Mapping[str, Any],
    comments: Mapping[str, str],
    comment: str | None,
    reason: str,
    keeps_personal_data: bool = False,
) -> int:
    """Put other answers and comments in place of those of the viewer's own evaluation, and return the new version; the former are kept as a revision.

    Raises Refusal for an incomplete grid, an old version (`changed_meanwhile`) and unconfirmed personal data, Misuse without a reason.
    """
    said = personal_data.mask(reason).strip()
    if not said:
        raise Misuse("no_reason", N_("Say why the evaluation is corrected: the advisor reads it beside the former one."))
    drafting.look_at_contact(viewer, evaluation_id)
    with store.writing() as session:
        evaluation = drafting.get_own(session, viewer, evaluation_id)
        if evaluation.state == "draft" or evaluation.kind not in (drafting.SCORED, drafting.TARGETED):
            raise AccessDenied()
        drafting.require_may_go_on(session, viewer, evaluation)
        drafting.require_version(evaluation, version)
        plan, kept = drafting.get_plan(session, evaluation), drafting.written(comments)
        words = personal_data.mask(comment or "").strip() or None
        completing.require_whole(plan, answers)
        drafting.require_clean(plan, answers, kept, words, keeps_personal_data)
        completing.keep_revision(session, evaluation, f"{AMENDED}: {said}", viewer.username)
        completing.complete(evaluation, plan, answers, kept)
        evaluation.comment = words
        journal.record(session, viewer.username, "evaluation_amended", str(evaluation_id), reason=AMENDED)
        return evaluation.version
