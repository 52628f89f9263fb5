"""The Evaluate page: what waits, what is due, and the contact heard and judged."""

from collections.abc import Callable, Sequence
from datetime import date

import streamlit as st

from qa_core import scoring
from qa_core.access.roles import Permission, Role, Viewer
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.base import environment
from qa_core.base.errors import AccessDenied
from qa_core.base.i18n import N_, _, capitalise, ngettext
from qa_core.compliance import recordings
from qa_core.compliance.conditions import accreditations
from qa_core.compliance.conditions.gates import PURPOSE_TITLES
from qa_core.metrics.kpis import formatting
from qa_core.metrics.rows import scorecard_texts
from qa_core.quality import calibration, sampling
from qa_core.quality.evaluations import drafts
from qa_core.quality.evaluations.drafts import Draft, SubmittedEvaluation
from qa_core.quality.sampling import Assignment, labels, replacement
from qa_core.ui.frame import gate, layout, menu, styles, url_state
from qa_core.ui.frame.markdown import escape
from qa_core.ui.widgets import (
    actions,
    cards,
    drill,
    evaluation_tables,
    personal_data,
    player,
    scorecard_answers,
    scorecard_form,
    tables,
)
from qa_core.ui.widgets.scorecard_answers import describe_text, format_score

PAGE, TABLE = "evaluate", "waiting_contacts"
WorkItem = Assignment | calibration.Task
HEADS = {
    drafts.SCORED: (N_("Evaluation"), ""),
    drafts.TARGETED: (
        N_("Targeted evaluation"),
        scorecard_answers.PICKED,
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
            "Your own view of the contact: your team lead and manager read it beside the "
            "evaluation. It counts in no figure."
        ),
    ),
}
"""Title and note of the form, by kind of evaluation."""
SIGNED = N_("You sign it: it is your judgement, and the advisor sees your name.")


def read(viewer: Viewer, number: str) -> Draft:
    try:
        return drafts.get_draft(viewer, url_state.read_number(number))
    except AccessDenied:  # as after an objection: the list has the next contact
        menu.show_page_link(PAGE, symbol="arrow_back")
        raise


def show_worklist(viewer: Viewer) -> None:
    """Show what waits, and what was submitted last."""
    if viewer.role != Role.EVALUATOR:
        st.info(_("Self-evaluations start on the page of an evaluation."))
        menu.show_page_link(menu.find_first(viewer).key, symbol="arrow_back")
        return
    waiting = sampling.find_worklist(viewer)
    tasks = [task for task in calibration.find_worklist(viewer) if task.state != "done"]
    _show_counts(waiting, tasks)
    if not accreditations.is_listener(viewer):
        text = _(
            "You are not accredited to listen today, so no contact is assigned to you. The "
            "data protection officer grants accreditations, for a time."
        )
        st.warning(text, icon=":material/lock:")
    elif not waiting and not tasks:
        text = _("No contact is waiting. New contacts come with the next draw of a listening plan.")
        st.success(text, icon=":material/task_alt:")
    items = sorted((*waiting, *tasks), key=lambda item: item.due_on or date.max)
    if items:
        _show_items(items)
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
    """Show an evaluation: recording and scorecard; its result once submitted."""
    _show_head(draft)
    if draft.state != "draft":
        _show_result(viewer, draft)
        return
    styles.keep_in_view()
    left, right = st.columns([2, 3], gap="medium")
    with left, st.container(key="stays_in_view", gap="small"):
        _show_contact(draft)
        side = st.container()
    with right:
        scorecard_form.show(draft)
        if not scorecard_form.has_conflict(draft):
            _show_submit(draft)
    with side:
        scorecard_form.show_score(draft)
        if draft.drawn_id is not None and draft.kind == drafts.SCORED:
            _show_replacing(draft.drawn_id, draft.id)


def _show_items(items: Sequence[WorkItem]) -> None:
    """Show the chosen contact, at first the first one, above all that wait."""
    _show_chosen(tables.find_clicked(TABLE, items) or items[0])

    def state(item: WorkItem) -> str:
        return "⚠ " + _("Overdue") if item.is_overdue else _(labels.STATE_TITLES[item.state])

    def channel(item: WorkItem) -> str | None:
        key = getattr(item, "channel", None)
        return formatting.name("channel", key) if key else None

    def plan(item: WorkItem) -> str:
        return item.plan if isinstance(item, Assignment) else item.title

    def minutes(item: WorkItem) -> int | None:
        seconds = getattr(item, "seconds", None)
        return None if seconds is None else -int(-seconds // 60)

    columns = (
        tables.moment_column(_("Contact"), lambda item: item.local_start, pinned=True),
        tables.day_column(_("Due"), lambda item: item.due_on),
        tables.text_column(_("State"), state, 105),
        tables.text_column(_("Channel"), channel, 90),
        tables.text_column(_("Queue"), lambda item: getattr(item, "queue", None), 150),
        tables.count_column(_("Minutes"), minutes),
        tables.text_column(_("Plan"), plan, 190),
    )
    with cards.card(_describe_due(items)):
        tables.show(items, columns, TABLE, lambda item: None, height=430)


def _describe_due(items: Sequence[WorkItem]) -> ChartTitle:
    today = environment.today()
    if due := sum(item.due_on is not None and item.due_on <= today for item in items):
        text = ngettext("{n} is due today or overdue", "{n} are due today or overdue", due)
        return ChartTitle(text, "attention")
    if items[0].due_on is None:
        return ChartTitle(_("Nothing has a due date"))
    day = formatting.day(items[0].due_on)
    return ChartTitle(_("Nothing is due today; the next is due on {day}", day=day))


def _show_chosen(item: WorkItem) -> None:
    is_drawn = isinstance(item, Assignment)
    parts = [_("Calibration, contact {n}", n=item.position), item.title] if not is_drawn else []
    if is_drawn:
        parts = [
            formatting.name("channel", item.channel) if item.channel else None,
            item.queue,
            None if item.seconds is None else formatting.duration(item.seconds),
            _(PURPOSE_TITLES.get(item.purpose, item.purpose)),
            item.plan,
        ]
    key, start, number = (
        ("start", drafts.start, item.drawn_id)
        if is_drawn
        else ("calibrate", calibration.start, item.contact_number)
    )
    with layout.row(border=True, horizontal_alignment="distribute"):
        with st.container(gap=None, width="content"):
            st.markdown(f"**{_describe_day(item.local_start.date())}, {item.local_start:%H:%M}**")
            st.text(" · ".join(filter(None, parts)))
        with layout.row(width="content"):
            _show_due(item.due_on, item.is_overdue)
            title = _("Continue") if item.state == "started" else _("Start")
            key = f"{key}_{number}"
            layout.show_button("play_arrow", title, key, _start, start, number, type="primary")
            if is_drawn and item.purpose != "targeted":
                _show_replacing(item.drawn_id, item.evaluation_id)


def _describe_day(day: date) -> str:
    """Return a day that begins a line; French writes it in small letters."""
    return capitalise(formatting.full_day(day))


def _show_due(due_on: date | None, is_overdue: bool) -> None:
    if due_on is None:
        return
    text = _("due {day}", day=formatting.day(due_on))
    st.badge(text, color="red" if is_overdue else "gray", icon=":material/schedule:")


def _show_signed(viewer: Viewer, signed: list[SubmittedEvaluation]) -> None:
    if not signed:
        return
    texts = scorecard_texts.find_scorecard_texts(viewer)

    def submitted(entry: SubmittedEvaluation) -> str:
        if entry.submitted_at is None:  # a file gives the day
            return formatting.local_day(entry.evaluated_at)
        return formatting.local_moment(entry.submitted_at)

    def published(entry: SubmittedEvaluation) -> str | None:
        if entry.published_at is not None or entry.publish_on is None:
            return None
        return _("published on {day}", day=formatting.day(entry.publish_on))

    columns = (
        tables.text_column(_("Submitted"), submitted),
        tables.text_column(_("Evaluation"), lambda entry: _(HEADS[entry.kind][0])),
        tables.text_column(_("Scorecard"), lambda entry: texts.name("grid", entry.scorecard)),
        tables.number_text_column(_("Score"), lambda entry: format_score(entry.score, short=True)),
        tables.text_column(_("Publication"), published) if any(map(published, signed)) else None,
    )
    with cards.card(_("Submitted last")):
        tables.show(
            signed,
            columns,
            "submitted_evaluations",
            lambda entry: drill.to_evaluation(PAGE, entry.id),
        )


def _show_head(draft: Draft) -> None:
    title, note = HEADS[draft.kind]
    if draft.kind == drafts.SELF:
        query = {"id": str(draft.answered_evaluation_id)}
        menu.show_page_link("evaluation", _("Back to the evaluation"), "arrow_back", query)
    else:
        menu.show_page_link(PAGE, symbol="arrow_back")
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


def _show_contact(draft: Draft) -> None:
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
        if refusal := st.session_state.pop(f"refused_{draft.id}", None):
            gate.show_refusal(refusal)
        with layout.row():
            look = {"type": "primary", "shortcut": "Ctrl+Shift+Enter"}
            key, given = f"submit_{draft.id}", (draft.id, draft.scorecard)
            layout.show_button("send", _("Submit"), key, _submit, *given, **look)
            if draft.kind in (drafts.SCORED, drafts.TARGETED):
                st.caption(_(SIGNED))


def _show_replacing(drawn_id: int, draft_id: int | None) -> None:
    with st.popover(
        _("This contact cannot be evaluated"), icon=":material/swap_horiz:", type="tertiary"
    ):
        reason = st.radio(
            _("Reason"),
            list(replacement.REPLACEMENT_REASONS),
            index=None,
            format_func=lambda code: _(replacement.REPLACEMENT_REASONS[code]),
            key=f"because_{drawn_id}",
        )
        given, key = (drawn_id, draft_id, reason), f"replace_{drawn_id}"
        layout.show_button("", _("Replace"), key, _replace, *given, disabled=reason is None)


def _show_result(viewer: Viewer, draft: Draft) -> None:
    text = _("Submitted. The results appear when the session is closed.")
    if draft.state == "published":
        text = _("Submitted and published: the advisor can read it.")
    elif draft.publish_on is not None:
        day = formatting.full_day(draft.publish_on)
        text = _("Submitted. The advisor can read it from {day}.", day=day)
    st.success(text, icon=":material/task_alt:")
    if draft.result is not None:
        titles = {part.name: describe_text(part.text) for part in draft.scorecard.sections}
        parts = [
            f"{titles[part.name]} {formatting.number(float(part.score))}"
            for part in draft.result.sections
            if part.score is not None
        ]
        with cards.card():
            st.markdown(f"### {format_score(draft.result.score, short=True)}")
            outcome = _(evaluation_tables.OUTCOMES.get(draft.result.outcome or "", ""))
            st.text(" · ".join(filter(None, [outcome, *parts])))
    with st.container(horizontal=True, gap="small"):
        if draft.kind == drafts.SELF:
            title, act = _("Back to the evaluation"), drill.to_evaluation
            target = (menu.find_first(viewer).key, draft.answered_evaluation_id)
            layout.show_button("", title, "to_answered", act, *target, type="primary")
            return
        if following := next(iter(sampling.find_worklist(viewer)), None):
            begin = (drafts.start, following.drawn_id)
            layout.show_button(
                "arrow_forward", _("Next contact"), "next_contact", _start, *begin, type="primary"
            )
        title, target = _("Read the evaluation"), (drill.to_evaluation, PAGE, draft.id)
        layout.show_button("", title, "read_own", *target)


def _start(begin: Callable[[Viewer, int], int], number: int) -> None:
    """Begin the evaluation of a drawn contact, or of one of a calibration session."""
    with actions.keep_refusals():
        begun = begin(gate.current_viewer(Permission.FILL_SCORECARDS), number)
        st.query_params.from_dict({"id": str(begun)})


def _submit(draft_id: int, scorecard: scoring.Scorecard) -> None:
    # A comment that lost the focus to this very click may be reported after it: what is
    # signed is what is on the screen.
    version = scorecard_form.save(draft_id, scorecard)
    if version is None:
        return
    with actions.keep_refusals(f"refused_{draft_id}"):
        keeps = bool(st.session_state.get(f"keep_{draft_id}"))
        drafts.submit(gate.current_viewer(Permission.FILL_SCORECARDS), draft_id, version, keeps)
        scorecard_form.forget(draft_id)


def _replace(drawn_id: int, draft_id: int | None, reason: str) -> None:
    with actions.keep_refusals():
        new = sampling.replace(gate.current_viewer(Permission.FILL_SCORECARDS), drawn_id, reason)
        if draft_id is not None:
            scorecard_form.forget(draft_id)
        actions.keep_outcome(labels.describe_replacement(new))
        st.query_params.clear()
