"""What an evaluator has to listen to, overdue first, and the contact they are at: heard
on the left, judged on the right.
"""

from __future__ import annotations

from datetime import date

import streamlit as st

from qa_core import scoring
from qa_core.access.roles import Permission, Role, Viewer
from qa_core.base import environment, i18n
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.base.i18n import N_, _, ngettext
from qa_core.compliance import accreditations
from qa_core.compliance.gates import PURPOSE_TITLES
from qa_core.metrics import formatting
from qa_core.metrics.query import scorecard_texts
from qa_core.quality import calibration, sampling
from qa_core.quality.evaluations import drafts
from qa_core.quality.evaluations.drafts import Draft, Signed
from qa_core.quality.sampling import Assignment, replacement
from qa_core.ui import drill, gate, menu, player, scorecard_form, styles

PAGE = "evaluate"
MOST_LINES = 40
_REFUSED = "evaluate_refused"

HEADS = {
    drafts.SCORED: (N_("Evaluation"), ""),
    drafts.TARGETED: (
        N_("Targeted evaluation"),
        N_("Picked by hand: it helps the advisor and counts in no figure."),
    ),
    drafts.CALIBRATION: (
        N_("Calibration"),
        N_(
            "Blind: nobody sees the others' answers before the round is closed. It counts in "
            "no figure."
        ),
    ),
    drafts.SELF: (
        N_("Self-evaluation"),
        N_(
            "Your own view of your contact. It counts in no figure; you and your team lead "
            "read it beside the evaluator's."
        ),
    ),
}

SIGNED = {
    drafts.SCORED: N_("You sign it: it is your judgement, and the advisor reads that it is yours."),
    drafts.CALIBRATION: N_(
        "You sign it: it is your judgement, and the other evaluators read it once the round is "
        "closed."
    ),
    drafts.SELF: N_("It is your own view: your team lead reads it beside the evaluator's."),
}
"""What submitting means to whoever does it."""


def read(viewer: Viewer, number: str) -> Draft:
    """The evaluation that the address names."""
    if not number.isdecimal():
        raise AccessDenied()
    return drafts.get_draft(viewer, int(number))


def show_worklist(viewer: Viewer) -> None:
    """What waits, and what was submitted last."""
    if (refusal := st.session_state.pop(_REFUSED, None)) is not None:
        gate.show_refusal(refusal)
    if viewer.role != Role.EVALUATOR:
        st.info(_("Self-evaluations are begun on the page of an evaluation."))
        st.page_link(
            menu.find_first(viewer).path,
            label=_(menu.find_first(viewer).title),
            icon=":material/arrow_back:",
        )
        return
    waiting = sampling.find_worklist(viewer)
    rounds = [task for task in calibration.find_worklist(viewer) if task.state != "done"]
    overdue = sum(item.is_overdue for item in (*waiting, *rounds))
    with st.container(horizontal=True, gap="xsmall"):
        if waiting:
            st.badge(
                ngettext("{n} contact to evaluate", "{n} contacts to evaluate", len(waiting)),
                icon=":material/headset_mic:",
                color="blue",
            )
        if rounds:
            st.badge(
                ngettext("{n} to calibrate", "{n} to calibrate", len(rounds)),
                icon=":material/balance:",
                color="violet",
            )
        if overdue:
            st.badge(
                ngettext("{n} overdue", "{n} overdue", overdue),
                icon=":material/schedule:",
                color="red",
            )
    if not accreditations.is_listener(viewer):
        st.warning(
            _(
                "You are not accredited to listen today, so nothing is given to you. The data "
                "protection officer gives accreditations, for a time."
            ),
            icon=":material/lock:",
        )
    elif not waiting and not rounds:
        st.success(
            _("Nothing waits for you. New contacts come with the next draw of a listening plan."),
            icon=":material/task_alt:",
        )
    soonest = min((task.due_on for task in rounds if task.due_on), default=None)
    # A calibration that is due before all else comes first: the others wait for its
    # marks.
    are_rounds_first = soonest is not None and (
        not waiting or waiting[0].due_on is None or soonest < waiting[0].due_on
    )
    if are_rounds_first:
        for task in rounds:
            _show_task(task)
    for position, item in enumerate(waiting[:MOST_LINES]):
        _show_assignment(item, is_next=position == 0)
    if len(waiting) > MOST_LINES:
        st.caption(
            ngettext("{n} more after these", "{n} more after these", len(waiting) - MOST_LINES)
        )
    if not are_rounds_first:
        for task in rounds:
            _show_task(task)
    _show_signed(viewer, drafts.find_signed(viewer))


def show_draft(viewer: Viewer, draft: Draft) -> None:
    """One evaluation: what is heard on the left, the grid on the right; once it is
    submitted, what came of it.
    """
    if (refusal := st.session_state.pop(_REFUSED, None)) is not None:
        gate.show_refusal(refusal)
    _show_head(draft)
    if draft.state != "draft":
        _show_result(viewer, draft)
        return
    styles.keep_in_view()
    left, right = st.columns([2, 3], gap="medium")
    with left, st.container(key="stays_in_view", gap="small"):
        _show_contact(viewer, draft)
        standing = st.container()
    with right:
        scorecard_form.show(draft)
        if not scorecard_form.has_conflict(draft):
            _show_submit(draft)
    with standing:
        scorecard_form.show_standing(draft)
        if draft.drawn_id is not None and draft.kind == drafts.SCORED:
            _show_replacing(draft)


def _show_assignment(item: Assignment, is_next: bool) -> None:
    with st.container(
        border=True,
        horizontal=True,
        horizontal_alignment="distribute",
        vertical_alignment="center",
        gap="small",
    ):
        with st.container(gap=None, width="content"):
            start = item.local_start
            st.markdown(f"**{_describe_day(start.date())}, {start:%H:%M}**")
            said = [
                formatting.name("channel", item.channel) if item.channel else None,
                item.queue,
                _(PURPOSE_TITLES.get(item.purpose, item.purpose)),
                item.plan,
            ]
            st.text(" · ".join(filter(None, said)))
        with st.container(
            horizontal=True, vertical_alignment="center", gap="small", width="content"
        ):
            _show_due(item.due_on, item.is_overdue)
            label = _("Go on") if item.state == "started" else _("Begin")
            kind = "primary" if is_next else "secondary"
            st.button(
                label,
                type=kind,
                icon=":material/play_arrow:",
                key=f"start_{item.drawn_id}",
                on_click=_start,
                args=(item.drawn_id,),
            )


def _show_task(task: calibration.Task) -> None:
    with st.container(
        border=True,
        horizontal=True,
        horizontal_alignment="distribute",
        vertical_alignment="center",
        gap="small",
    ):
        with st.container(gap=None, width="content"):
            number = _("Calibration, contact {n}", n=task.position)
            st.markdown(f"**{number}**")
            st.text(task.title)
        with st.container(
            horizontal=True, vertical_alignment="center", gap="small", width="content"
        ):
            _show_due(task.due_on, task.is_overdue)
            label = _("Go on") if task.state == "started" else _("Begin")
            st.button(
                label,
                icon=":material/play_arrow:",
                key=f"calibrate_{task.contact_number}",
                on_click=_start_calibration,
                args=(task.contact_number,),
            )


def _describe_day(day: date) -> str:
    """A day that opens a line: French writes it small within one."""
    said = formatting.full_day(day)
    return said[0].upper() + said[1:]


def _show_due(due_on: date | None, is_overdue: bool) -> None:
    if due_on is not None:
        text = (
            _("Overdue since {day}", day=formatting.day(due_on))
            if is_overdue
            else _("Due {day}", day=formatting.day(due_on))
        )
        st.badge(text, color="red" if is_overdue else "gray", icon=":material/schedule:")


def _show_signed(viewer: Viewer, signed: list[Signed]) -> None:
    if not signed:
        return
    st.markdown("##### " + _("Submitted last"))
    texts = scorecard_texts.find_grid_texts(viewer)
    for entry in signed:
        with st.container(
            horizontal=True,
            horizontal_alignment="distribute",
            vertical_alignment="center",
            gap="small",
        ):
            score = (
                _(formatting.NO_DATA)
                if entry.score is None
                else formatting.value(entry.score, "score", short=True)
            )
            said = [
                formatting.moment(environment.to_local(entry.submitted_at)),
                _(HEADS[entry.kind][0]),
                texts.name("grid", entry.grid),
                score,
                _describe_published(entry.publish_on, entry.published_at),
            ]
            st.text(" · ".join(filter(None, said)))
            st.button(
                _("Read"),
                key=f"read_{entry.id}",
                type="tertiary",
                on_click=drill.to_evaluation,
                args=(PAGE, entry.id),
            )


def _describe_published(publish_on: date | None, published_at: object) -> str | None:
    return (
        _("published on {day}", day=formatting.day(publish_on))
        if published_at is None and publish_on is not None
        else None
    )


def _show_head(draft: Draft) -> None:
    title, note = HEADS[draft.kind]
    if draft.kind == drafts.SELF:
        back = {"id": str(draft.answered_evaluation_id)}
        st.page_link(
            menu.find_page("evaluation").path,
            label=_("Back to the evaluation"),
            icon=":material/arrow_back:",
            query_params=back,
        )
    else:
        st.page_link(
            menu.find_page(PAGE).path, label=_("All that waits"), icon=":material/arrow_back:"
        )
    st.title(_(title), anchor=False)
    said = [
        _("{grid}, version {n}", grid=_describe_grid(draft), n=draft.grid_version),
        _(PURPOSE_TITLES.get(draft.purpose, "")),
    ]
    st.caption(gate.escape(" · ".join(filter(None, said))))
    if note:
        st.info(
            _(note),
            icon=":material/visibility_off:"
            if draft.kind == drafts.CALIBRATION
            else ":material/info:",
        )


def _describe_grid(draft: Draft) -> str:
    return draft.plan.text.in_language(i18n.language()) or draft.plan.title


def _show_contact(viewer: Viewer, draft: Draft) -> None:
    contact = draft.contact
    with st.container(border=True, gap="xxsmall"):
        start = contact.local_start if contact else None
        st.markdown(f"**{_describe_day(draft.local_day)}{f', {start:%H:%M}' if start else ''}**")
        if contact:
            said = [
                formatting.name("channel", contact.channel) if contact.channel else None,
                contact.queue,
                contact.reason,
            ]
            said.append(
                formatting.duration(contact.seconds) if contact.seconds is not None else None
            )
            st.text(" · ".join(dict.fromkeys(filter(None, said))))
        if draft.due_on is not None:
            _show_due(draft.due_on, draft.due_on < environment.today())
    if draft.source_system is not None and draft.contact_id is not None:
        is_own = draft.kind == drafts.SELF
        purpose = (
            "own"
            if is_own
            else drafts.CALIBRATION
            if draft.kind == drafts.CALIBRATION
            else draft.purpose
        )
        reason = f"{_(HEADS[draft.kind][0])} {draft.id}"
        player.show(
            viewer,
            draft.source_system,
            draft.contact_id,
            purpose,
            reason,
            key=f"listen_{draft.id}",
            evaluation_id=draft.id,
        )


def _show_submit(draft: Draft) -> None:
    kinds = scorecard_form.find_kinds(draft)
    with st.container(border=True, gap="small"):
        if kinds:
            st.warning(
                _(
                    "The comments seem to hold personal data: {kinds}. Take out what the work "
                    "does not need.",
                    kinds=formatting.listing(kinds),
                ),
                icon=":material/privacy_tip:",
            )
            st.checkbox(_("It is needed to judge the contact: keep it"), key=f"keep_{draft.id}")
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.button(
                _("Submit"),
                type="primary",
                icon=":material/send:",
                shortcut="Ctrl+Shift+Enter",
                key=f"submit_{draft.id}",
                on_click=_submit,
                args=(draft.id, draft.plan),
            )
            st.caption(
                _(SIGNED.get(draft.kind, SIGNED[drafts.SCORED]))
                + " "
                + _("Every answer is saved as you give it.")
            )


def _show_replacing(draft: Draft) -> None:
    with st.popover(
        _("This contact cannot be evaluated"), icon=":material/swap_horiz:", type="tertiary"
    ):
        because = st.radio(
            _("Why?"),
            list(replacement.BECAUSE),
            index=None,
            format_func=lambda code: _(replacement.BECAUSE[code]),
            key=f"because_{draft.id}",
        )
        st.button(
            _("Take another in its place"),
            disabled=because is None,
            key=f"replace_{draft.id}",
            on_click=_replace,
            args=(draft.id, draft.drawn_id, because),
        )


def _show_result(viewer: Viewer, draft: Draft) -> None:
    result = draft.result
    if draft.state == "published":
        st.success(
            _("Submitted and published: the advisor can read it."), icon=":material/task_alt:"
        )
    elif draft.publish_on is not None:
        st.success(
            _(
                "Submitted. The advisor reads it from {day} on.",
                day=formatting.full_day(draft.publish_on),
            ),
            icon=":material/task_alt:",
        )
    else:
        st.success(
            _("Submitted. The results are shown once the round is closed."),
            icon=":material/task_alt:",
        )
    if result is not None:
        with st.container(border=True, gap="xxsmall"):
            score = (
                _(formatting.NO_DATA)
                if result.score is None
                else formatting.value(float(result.score), "score", short=True)
            )
            st.markdown(f"### {score}")
            outcome = {"pass": _("Passed"), "fail": _("Not passed")}.get(result.outcome or "", "")
            parts = [
                _(
                    "{section} {score}",
                    section=_describe_section(draft, part.name),
                    score=formatting.number(float(part.score)),
                )
                for part in result.sections
                if part.score is not None
            ]
            st.text(" · ".join(filter(None, [outcome, *parts])))
    with st.container(horizontal=True, gap="small"):
        if draft.kind == drafts.SELF:
            number = draft.answered_evaluation_id
            st.button(
                _("Back to the evaluation"),
                type="primary",
                key="to_answered",
                on_click=drill.to_evaluation,
                args=(menu.find_first(viewer).key, number),
            )
            return
        following = next(iter(sampling.find_worklist(viewer)), None)
        if following is not None:
            st.button(
                _("Next contact"),
                type="primary",
                icon=":material/arrow_forward:",
                key="next_contact",
                on_click=_start,
                args=(following.drawn_id,),
            )
        st.button(_("Read it"), key="read_own", on_click=drill.to_evaluation, args=(PAGE, draft.id))


def _describe_section(draft: Draft, name: str) -> str:
    return next(
        part.text.in_language(i18n.language()) for part in draft.plan.sections if part.name == name
    )


def _start(drawn_id: int) -> None:
    try:
        st.query_params.from_dict(
            {"id": str(drafts.start(gate.current_viewer(Permission.FILL_GRIDS), drawn_id))}
        )
    except Refusal as refusal:
        st.session_state[_REFUSED] = refusal


def _start_calibration(contact_number: int) -> None:
    try:
        st.query_params.from_dict(
            {
                "id": str(
                    calibration.start(gate.current_viewer(Permission.FILL_GRIDS), contact_number)
                )
            }
        )
    except Refusal as refusal:
        st.session_state[_REFUSED] = refusal


def _submit(draft_id: int, plan: scoring.Scorecard) -> None:
    # A comment that lost the focus to this very click may come with it, and be told
    # after it: what is signed is what is on the screen.
    version = scorecard_form.save(draft_id, plan)
    if version is None:
        return
    try:
        drafts.submit(
            gate.current_viewer(Permission.FILL_GRIDS),
            draft_id,
            version,
            bool(st.session_state.get(f"keep_{draft_id}")),
        )
        scorecard_form.forget(draft_id)
    except Refusal as refusal:
        st.session_state[_REFUSED] = refusal


def _replace(draft_id: int, drawn_id: int, because: str) -> None:
    try:
        sampling.replace(gate.current_viewer(Permission.FILL_GRIDS), drawn_id, because)
    except Refusal as refusal:
        st.session_state[_REFUSED] = refusal
    else:
        scorecard_form.forget(draft_id)
        st.query_params.clear()
