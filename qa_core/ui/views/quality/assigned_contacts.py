"""Contacts given out: who listens until when, replacements, and the load."""

from collections.abc import Sequence

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base.i18n import _
from qa_core.metrics import formatting
from qa_core.quality import sampling
from qa_core.quality.sampling import DrawnAssignment, PlanState, labels, replacement
from qa_core.ui import actions, cards, gate, layout, tables
from qa_core.ui.markdown import escape

TABLE, PLAN = "listening_given", "listening_given_plan"


def show(viewer: Viewer, plans: Sequence[PlanState]) -> None:
    """Show the contacts, the chosen one with what can be done, and the evaluators."""
    names = {None: _("All plans")} | {plan.name: plan.name for plan in plans}
    chosen = layout.select(st, _("Plan"), names, PLAN)
    assigned = sampling.find_assignments(viewer, chosen)
    if not assigned:
        text = _("No contact is assigned yet. Draw contacts under Draws.")
        st.info(text, icon=":material/inbox:")
        return
    st.caption(_("Select a row to replace a contact that cannot be evaluated."))
    _show_table(assigned)
    row = tables.find_clicked(TABLE, assigned)
    if row is not None:
        _show_one(row)
    _show_load(viewer)


def _show_table(assigned: Sequence[DrawnAssignment]) -> None:
    def state(row: DrawnAssignment) -> str:
        return "⚠ " + _("overdue") if row.is_overdue else _(labels.STATE_TITLES[row.state])

    columns = (
        tables.name_column(_("Contact"), lambda row: formatting.moment(row.local_start), 140),
        tables.text_column(_("State"), state),
        tables.text_column(_("Advisor"), lambda row: row.advisor, 150),
        tables.text_column(_("Queue"), lambda row: row.queue, 150),
        tables.text_column(_("Evaluator"), lambda row: row.evaluator),
        tables.day_text_column(_("Due"), lambda row: row.due_on),
    )
    tables.show(assigned, columns, TABLE, lambda row: None, height=430)


def _show_one(row: DrawnAssignment) -> None:
    contact = f"{row.advisor or '–'} · {formatting.moment(row.local_start)}"
    about = (row.plan, labels.name_purpose(row.purpose), row.evaluator)
    with cards.card(gap="xsmall"):
        st.markdown(f"**{escape(contact)}**")
        st.caption(escape(" · ".join(filter(None, about))))
        if row.state == "replaced":
            reason = labels.name_reason(row.replaced_because)
            st.caption(_("Replaced: {reason}.", reason=reason))
            return
        if row.state == "done" or row.purpose == "targeted":
            st.caption(_("Only drawn contacts that are not evaluated yet can be replaced."))
            return
        reasons = {key: labels.name_reason(key) for key in replacement.REPLACEMENT_REASONS}
        reason = layout.select(st, _("Why replace it?"), reasons, f"because_{row.drawn_id}")
        text = _(
            "The next contact of the same advisor in the draw takes its place. Nobody chooses it."
        )
        st.caption(text)
        if st.button(_("Replace"), icon=":material/swap_horiz:", key=f"replace_{row.drawn_id}"):
            with actions.show_refusals():
                acting = gate.current_viewer(Permission.MANAGE_LISTENING)
                new = sampling.replace(acting, row.drawn_id, reason)
                actions.finish(labels.describe_replacement(new))


def _show_load(viewer: Viewer) -> None:
    st.markdown("**" + _("Evaluators") + "**")
    loads = sampling.find_load(viewer)
    columns = (
        tables.name_column(_("Evaluator"), lambda load: load.evaluator, 200),
        tables.count_column(_("Waiting"), lambda load: load.waiting, 110),
        tables.count_column(_("Overdue"), lambda load: load.overdue, 110),
        tables.count_column(_("Done"), lambda load: load.done, 110),
    )
    tables.show(loads, columns, "listening_load")
    for load in loads:
        if not load.may_listen:
            said = _(
                "{name} is no longer accredited: their waiting contacts are not listened to.",
                name=load.evaluator,
            )
            st.caption(":orange[:material/error:] " + escape(said))
