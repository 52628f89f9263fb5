"""The Evaluate page: what an evaluator has to listen to, overdue first, and the contact
they are at, heard on the left and judged on the right.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import streamlit as st

from qa_core import scoring
from qa_core.access.roles import Permission, Role, Viewer
from qa_core.base import environment
from qa_core.base.i18n import N_, _, ngettext
from qa_core.compliance import accreditations, recordings
from qa_core.compliance.gates import PURPOSE_TITLES
from qa_core.metrics import formatting
from qa_core.metrics.query import scorecard_texts
from qa_core.quality import calibration, sampling
from qa_core.quality.evaluations import drafts
from qa_core.quality.evaluations.drafts import Draft, SubmittedEvaluation
from qa_core.quality.sampling import Assignment, replacement
from qa_core.ui import (
    actions,
    cards,
    drill,
    gate,
    layout,
    menu,
    personal_data,
    player,
    scorecard_form,
    styles,
    url_state,
)
from qa_core.ui.markdown import escape
from qa_core.ui.scorecard_answers import describe_text

PAGE = "evaluate"
MOST_LINES = 40
HEADS = {
    drafts.SCORED: (N_("Evaluation"), ""),
    drafts.TARGETED: (
        N_("Targeted evaluation"),
        N_("Picked by hand: it helps the advisor and counts in no figure."),
    ),
    drafts.CALIBRATION: (
        N_("Calibration"),
        N_(
            "Blind: others' answers stay hidden until the session is closed. It counts in no "
            "advisor's score."
        ),
    ),
    drafts.SELF: (
        N_("Self-evaluation"),
        N_(
            "Your own view of your contact, read by you and your team lead beside the evaluation. "
            "It counts in no figure."
        ),
    ),
}
"""Title and note of the form, by kind of evaluation."""
SIGNED = {
    drafts.SCORED: N_("You sign it: it is your judgement, and the advisor sees your name."),
    drafts.CALIBRATION: N_(
        "You sign it: it is your judgement. The other evaluators read it after the session is "
        "closed."
    ),
    drafts.SELF: N_("This is your own view. Your team lead reads it beside the evaluation."),
}
"""What submitting means, by kind of evaluation."""


def read(viewer: Viewer, number: str) -> Draft:
    """Return the evaluation that the address names."""
    return drafts.get_draft(viewer, url_state.read_number(number))


def show_worklist(viewer: Viewer) -> None:
    """Show what waits, and what was submitted last."""
    actions.show_outcome()
    if viewer.role != Role.EVALUATOR:
        first = menu.find_first(viewer)
        st.info(_("Self-evaluations start on the page of an evaluation."))
        st.page_link(first.path, label=_(first.title), icon=":material/arrow_back:")
        return
    waiting = sampling.find_worklist(viewer)
    tasks = [task for task in calibration.find_worklist(viewer) if task.state != "done"]
    _show_counts(waiting, tasks)
    if not accreditations.is_listener(viewer):
        st.warning(
            _(
                "You are not accredited to listen today, so no contact is assigned to you. The "
                "data protection officer grants accreditations, for a time."
            ),
            icon=":material/lock:",
        )
    elif not waiting and not tasks:
        st.success(
            _("No contact is waiting. New contacts come with the next draw of a listening plan."),
            icon=":material/task_alt:",
        )
    soonest = min((task.due_on for task in tasks if task.due_on), default=None)
    # A calibration due before all else comes first: others wait for its marks.
    tasks_lead = soonest is not None and (
        not waiting or waiting[0].due_on is None or soonest < waiting[0].due_on
    )
    if tasks_lead:
        _show_tasks(tasks)
    for position, item in enumerate(waiting[:MOST_LINES]):
        _show_assignment(item, is_next=position == 0)
    if more := len(waiting[MOST_LINES:]):
        st.caption(ngettext("{n} more after these", "{n} more after these", more))
    if not tasks_lead:
        _show_tasks(tasks)
    _show_signed(viewer, drafts.find_submitted(viewer))


def _show_counts(waiting: list[Assignment], tasks: list[calibration.Task]) -> None:
    overdue = sum(item.is_overdue for item in (*waiting, *tasks))
    with st.container(horizontal=True, gap="xsmall"):
        if waiting:
            text = ngettext("{n} contact to evaluate", "{n} contacts to evaluate", len(waiting))
            st.badge(text, icon=":material/headset_mic:", color="blue")
        if tasks:
            text = ngettext("{n} to calibrate", "{n} to calibrate", len(tasks))
            st.badge(text, icon=":material/balance:", color="violet")
        if overdue:
            text = ngettext("{n} overdue", "{n} overdue", overdue)
            st.badge(text, icon=":material/schedule:", color="red")


def show_draft(viewer: Viewer, draft: Draft) -> None:
    """Show one evaluation: the recording on the left, the scorecard on the right; once it
    is submitted, its result.
    """
    actions.show_outcome()
    _show_head(draft)
    if draft.state != "draft":
        _show_result(viewer, draft)
        return
    styles.keep_in_view()
    left, right = st.columns([2, 3], gap="medium")
    with left, st.container(key="stays_in_view", gap="small"):
        _show_contact(viewer, draft)
        place = st.container()
    with right:
        scorecard_form.show(draft)
        if not scorecard_form.has_conflict(draft):
            _show_submit(draft)
    with place:
        scorecard_form.show_score(draft)
        if draft.drawn_id is not None and draft.kind == drafts.SCORED:
            _show_replacing(draft)


def _show_line(
    title: str,
    text: str,
    task: Assignment | calibration.Task,
    key: str,
    start: Callable[[int], None],
    number: int,
    is_next: bool = False,
) -> None:
    """Show one line of what waits, with the button that begins it."""
    with layout.row(border=True, horizontal_alignment="distribute"):
        with st.container(gap=None, width="content"):
            st.markdown(f"**{escape(title)}**")
            st.text(text)
        with layout.row(width="content"):
            _show_due(task.due_on, task.is_overdue)
            st.button(
                _("Go on") if task.state == "started" else _("Begin"),
                type="primary" if is_next else "secondary",
                icon=":material/play_arrow:",
                key=key,
                on_click=start,
                args=(number,),
            )


def _show_assignment(item: Assignment, is_next: bool) -> None:
    start = item.local_start
    parts = [
        formatting.name("channel", item.channel) if item.channel else None,
        item.queue,
        _(PURPOSE_TITLES.get(item.purpose, item.purpose)),
        item.plan,
    ]
    _show_line(
        f"{_describe_day(start.date())}, {start:%H:%M}",
        " · ".join(filter(None, parts)),
        item,
        f"start_{item.drawn_id}",
        _start,
        item.drawn_id,
        is_next,
    )


def _show_tasks(tasks: list[calibration.Task]) -> None:
    for task in tasks:
        title = _("Calibration, contact {n}", n=task.position)
        number = task.contact_number
        _show_line(title, task.title, task, f"calibrate_{number}", _start_calibration, number)


def _describe_day(day: date) -> str:
    """Return a day that begins a line; French writes it in small letters."""
    said = formatting.full_day(day)
    return said[0].upper() + said[1:]


def _show_due(due_on: date | None, is_overdue: bool) -> None:
    if due_on is None:
        return
    day = formatting.day(due_on)
    text = _("Overdue since {day}", day=day) if is_overdue else _("Due {day}", day=day)
    st.badge(text, color="red" if is_overdue else "gray", icon=":material/schedule:")


def _show_signed(viewer: Viewer, signed: list[SubmittedEvaluation]) -> None:
    if not signed:
        return
    st.markdown("##### " + _("Submitted last"))
    texts = scorecard_texts.find_grid_texts(viewer)
    for entry in signed:
        published = None
        if entry.published_at is None and entry.publish_on is not None:
            published = _("published on {day}", day=formatting.day(entry.publish_on))
        parts = [
            formatting.local_moment(entry.submitted_at),
            _(HEADS[entry.kind][0]),
            texts.name("grid", entry.scorecard),
            _format_score(entry.score),
            published,
        ]
        with layout.row(horizontal_alignment="distribute"):
            st.text(" · ".join(filter(None, parts)))
            st.button(
                _("Read"),
                key=f"read_{entry.id}",
                type="tertiary",
                on_click=drill.to_evaluation,
                args=(PAGE, entry.id),
            )


def _format_score(score: object) -> str:
    if score is None:
        return _(formatting.NO_DATA)
    return formatting.value(float(score), "score", short=True)


def _show_head(draft: Draft) -> None:
    title, note = HEADS[draft.kind]
    if draft.kind == drafts.SELF:
        st.page_link(
            menu.find_page("evaluation").path,
            label=_("Back to the evaluation"),
            icon=":material/arrow_back:",
            query_params={"id": str(draft.answered_evaluation_id)},
        )
    else:
        st.page_link(
            menu.find_page(PAGE).path, label=_("All waiting contacts"), icon=":material/arrow_back:"
        )
    st.title(_(title), anchor=False)
    scorecard = describe_text(draft.scorecard.text) or draft.scorecard.title
    parts = [
        _("{grid}, version {n}", grid=scorecard, n=draft.scorecard_version),
        _(PURPOSE_TITLES.get(draft.purpose, "")),
    ]
    st.caption(escape(" · ".join(filter(None, parts))))
    if note:
        is_blind = draft.kind == drafts.CALIBRATION
        st.info(_(note), icon=f":material/{'visibility_off' if is_blind else 'info'}:")


def _show_contact(viewer: Viewer, draft: Draft) -> None:
    contact = draft.contact
    with cards.card():
        start = f", {contact.local_start:%H:%M}" if contact and contact.local_start else ""
        st.markdown(f"**{_describe_day(draft.local_day)}{start}**")
        if contact:
            parts = [
                formatting.name("channel", contact.channel) if contact.channel else None,
                contact.queue,
                contact.reason,
                None if contact.seconds is None else formatting.duration(contact.seconds),
            ]
            st.text(" · ".join(dict.fromkeys(filter(None, parts))))
        if draft.due_on is not None:
            _show_due(draft.due_on, draft.due_on < environment.today())
    if draft.source_system is not None and draft.contact_id is not None:
        purposes = {drafts.SELF: recordings.OWN, drafts.CALIBRATION: drafts.CALIBRATION}
        player.show(
            viewer,
            draft.source_system,
            draft.contact_id,
            purposes.get(draft.kind, draft.purpose),
            f"{_(HEADS[draft.kind][0])} {draft.id}",
            key=f"listen_{draft.id}",
            evaluation_id=draft.id,
        )


def _show_submit(draft: Draft) -> None:
    with cards.card(gap="small"):
        personal_data.ask_to_keep(f"keep_{draft.id}", *draft.comments.values(), draft.comment)
        with layout.row():
            st.button(
                _("Submit"),
                type="primary",
                icon=":material/send:",
                shortcut="Ctrl+Shift+Enter",
                key=f"submit_{draft.id}",
                on_click=_submit,
                args=(draft.id, draft.scorecard),
            )
            signed = _(SIGNED.get(draft.kind, SIGNED[drafts.SCORED]))
            st.caption(signed + " " + _("Answers are saved as you enter them."))


def _show_replacing(draft: Draft) -> None:
    with st.popover(
        _("This contact cannot be evaluated"), icon=":material/swap_horiz:", type="tertiary"
    ):
        reason = st.radio(
            _("Why?"),
            list(replacement.REPLACEMENT_REASONS),
            index=None,
            format_func=lambda code: _(replacement.REPLACEMENT_REASONS[code]),
            key=f"because_{draft.id}",
        )
        st.button(
            _("Take another contact"),
            disabled=reason is None,
            key=f"replace_{draft.id}",
            on_click=_replace,
            args=(draft.id, draft.drawn_id, reason),
        )


def _show_result(viewer: Viewer, draft: Draft) -> None:
    said = _("Submitted. The results appear when the session is closed.")
    if draft.state == "published":
        said = _("Submitted and published: the advisor can read it.")
    elif draft.publish_on is not None:
        day = formatting.full_day(draft.publish_on)
        said = _("Submitted. The advisor can read it from {day}.", day=day)
    st.success(said, icon=":material/task_alt:")
    if draft.result is not None:
        _show_scores(draft, draft.result)
    with st.container(horizontal=True, gap="small"):
        if draft.kind == drafts.SELF:
            st.button(
                _("Back to the evaluation"),
                type="primary",
                key="to_answered",
                on_click=drill.to_evaluation,
                args=(menu.find_first(viewer).key, draft.answered_evaluation_id),
            )
            return
        if following := next(iter(sampling.find_worklist(viewer)), None):
            st.button(
                _("Next contact"),
                type="primary",
                icon=":material/arrow_forward:",
                key="next_contact",
                on_click=_start,
                args=(following.drawn_id,),
            )
        st.button(_("Read it"), key="read_own", on_click=drill.to_evaluation, args=(PAGE, draft.id))


def _show_scores(draft: Draft, result: scoring.Result) -> None:
    outcomes = {"pass": _("Passed"), "fail": _("Not passed")}
    titles = {part.name: describe_text(part.text) for part in draft.scorecard.sections}
    parts = [
        _(
            "{section} {score}",
            section=titles[part.name],
            score=formatting.number(float(part.score)),
        )
        for part in result.sections
        if part.score is not None
    ]
    with cards.card():
        st.markdown(f"### {_format_score(result.score)}")
        st.text(" · ".join(filter(None, [outcomes.get(result.outcome or ""), *parts])))


def _start(drawn_id: int) -> None:
    with actions.keep_refusals():
        number = drafts.start(gate.current_viewer(Permission.FILL_GRIDS), drawn_id)
        st.query_params.from_dict({"id": str(number)})


def _start_calibration(contact_number: int) -> None:
    with actions.keep_refusals():
        number = calibration.start(gate.current_viewer(Permission.FILL_GRIDS), contact_number)
        st.query_params.from_dict({"id": str(number)})


def _submit(draft_id: int, scorecard: scoring.Scorecard) -> None:
    # A comment that lost the focus to this very click may be reported after it: what is
    # signed is what is on the screen.
    version = scorecard_form.save(draft_id, scorecard)
    if version is None:
        return
    with actions.keep_refusals():
        keeps = bool(st.session_state.get(f"keep_{draft_id}"))
        drafts.submit(gate.current_viewer(Permission.FILL_GRIDS), draft_id, version, keeps)
        scorecard_form.forget(draft_id)


def _replace(draft_id: int, drawn_id: int, reason: str) -> None:
    with actions.keep_refusals():
        sampling.replace(gate.current_viewer(Permission.FILL_GRIDS), drawn_id, reason)
        scorecard_form.forget(draft_id)
        st.query_params.clear()
