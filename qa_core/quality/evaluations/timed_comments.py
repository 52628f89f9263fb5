"""Comments at a moment of a recording: written by the evaluator while the evaluation is
a draft, read by everybody who may read the evaluation.
"""

from dataclasses import dataclass

from qa_core.access.roles import Permission, Viewer
from qa_core.base import masking
from qa_core.base.errors import AccessDenied, Refusal, build_unknown
from qa_core.base.i18n import N_
from qa_core.quality import scorecards
from qa_core.quality.evaluations import evaluation_view
from qa_core.quality.evaluations.evaluation_view_types import TimedCommentView
from qa_core.scoring import Text
from qa_core.storage import audit_log
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.listening import TimedComment
from qa_core.storage.records.store import Session

MAX_COMMENT = 1000
"""Maximum characters of one comment."""


@dataclass(frozen=True)
class TimedComments:
    """Comments on one evaluation in the order of the recording. `is_open`: whether this
    reader may add and remove them, on `criteria`.
    """

    entries: tuple[TimedCommentView, ...]
    is_open: bool
    criteria: dict[str, Text]


def find_comments(viewer: Viewer, evaluation_id: int) -> TimedComments:
    """Return the comments on a readable evaluation. Raise AccessDenied."""
    viewer.require(Permission.SEE_EVALUATIONS)
    with store.reading() as session:
        evaluation = evaluation_view.find_readable(session, viewer, evaluation_id)
        return TimedComments(
            evaluation_view.read_timed_comments(session, viewer, evaluation),
            _is_open_to(viewer, evaluation),
            _find_criteria(session, evaluation),
        )


def add_comment(
    viewer: Viewer, evaluation_id: int, seconds: float, text: str, criterion: str | None = None
) -> int:
    """Add a comment at `seconds`, on the whole or on a criterion; return its id.

    Contact details in the text are masked. Raise AccessDenied for others' evaluations,
    Refusal for a submitted one, an empty or too long text, an unknown criterion, and a
    bad moment.
    """
    text = masking.clean_text(text, MAX_COMMENT, "bad_comment")
    if not 0 <= seconds < float("inf"):
        raise Refusal("bad_moment", "Choose a moment of the recording for this comment.")
    with store.writing() as session:
        evaluation = _find_draft(session, viewer, evaluation_id)
        if criterion is not None and criterion not in _find_criteria(session, evaluation):
            raise build_unknown("unknown_criterion", N_("Criterion"), criterion)
        comment = TimedComment(
            evaluation_id=evaluation_id,
            seconds=seconds,
            text=text,
            criterion=criterion,
            author=viewer.username,
        )
        session.add(comment)
        session.flush()
        audit_log.record(session, viewer.username, "remark_added", str(evaluation_id))
        return comment.id


def remove_comment(viewer: Viewer, comment_id: int) -> None:
    """Remove the viewer's own comment while the evaluation is a draft."""
    with store.writing() as session:
        comment = store.get_in_scope(session, viewer, TimedComment, comment_id)
        _find_draft(session, viewer, comment.evaluation_id)
        if comment.author != viewer.username:
            raise AccessDenied()
        session.delete(comment)
        audit_log.record(session, viewer.username, "remark_removed", str(comment.evaluation_id))


def _find_draft(session: Session, viewer: Viewer, evaluation_id: int) -> Evaluation:
    viewer.require(Permission.SEE_EVALUATIONS)
    evaluation = evaluation_view.find_readable(session, viewer, evaluation_id)
    if evaluation.evaluator != viewer.username:
        raise AccessDenied()
    if not _is_open_to(viewer, evaluation):
        raise Refusal(
            "not_a_draft", "This evaluation is submitted, so its remarks can no longer change."
        )
    return evaluation


def _is_open_to(viewer: Viewer, evaluation: Evaluation) -> bool:
    return (
        evaluation.state == "draft"
        and evaluation.evaluator == viewer.username
        and viewer.can(Permission.FILL_SCORECARDS)
    )


def _find_criteria(session: Session, evaluation: Evaluation) -> dict[str, Text]:
    scorecard = scorecards.find_parsed(scorecards.find_version(session, evaluation.grid_id))
    return {criterion.key: criterion.text for criterion in scorecard.criteria} if scorecard else {}
