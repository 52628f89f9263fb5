"""What was given out: who listens to what until when, replacing what cannot be
evaluated, and how much each evaluator has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.base.i18n import _
from qa_core.metrics import formatting
from qa_core.quality import sampling
from qa_core.quality.sampling import DrawnAssignment, PlanState, labels, replacement
from qa_core.ui import tables
from qa_core.ui.plain import escape

TABLE, PLAN = "listening_given", "listening_given_plan"


def show(viewer: Viewer, plans: Sequence[PlanState], change: Callable[..., None]) -> None:
    """The contacts, the one chosen with what can be done about it, and the evaluators."""
    names: list[str | None] = [None, *(plan.name for plan in plans)]
    chosen = st.selectbox(
        _("Plan"), names, format_func=lambda name: name or _("All plans"), key=PLAN
    )
    given = sampling.find_given(viewer, chosen)
    if not given:
        st.info(_("Nothing is given out yet: draw contacts under Draws."), icon=":material/inbox:")
        return
    st.caption(_("Choose a line to replace a contact that cannot be evaluated."))
    row = _show_table(given)
    if row is not None:
        _show_one(row, change)
    _show_load(viewer)


def _show_table(given: Sequence[DrawnAssignment]) -> DrawnAssignment | None:
    day, advisor, queue, evaluator, due, state = (
        _("Contact"),
        _("Advisor"),
        _("Queue"),
        _("Evaluator"),
        _("Due"),
        _("State"),
    )
    rows = [
        {
            day: formatting.moment(row.local_start),
            state: ("⚠ " + _("overdue")) if row.is_overdue else _(labels.STATES[row.state]),
            advisor: row.advisor,
            queue: row.queue,
            evaluator: row.evaluator,
            due: formatting.day(row.due_on, year=True) if row.due_on else None,
        }
        for row in given
    ]
    config = {
        day: tables.name_column(day, 140),
        advisor: st.column_config.TextColumn(advisor, width=150),
        queue: st.column_config.TextColumn(queue, width=150),
    }
    tables.show(rows, config, TABLE, lambda: None, height=430)
    cells = st.session_state.get(TABLE, {}).get("selection", {}).get("cells") or []
    place = cells[0][0] if cells else None
    return given[place] if place is not None and place < len(given) else None


def _show_one(row: DrawnAssignment, change: Callable[..., None]) -> None:
    with st.container(border=True, gap="xsmall"):
        st.markdown(
            "**" + escape(f"{row.advisor or '–'} · {formatting.moment(row.local_start)}") + "**"
        )
        st.caption(
            escape(
                " · ".join(
                    filter(None, (row.plan, labels.purpose_title(row.purpose), row.evaluator))
                )
            )
        )
        if row.state == "replaced":
            st.caption(_("Replaced: {reason}.", reason=labels.because_title(row.replaced_because)))
            return
        if row.state == "done" or row.purpose == "targeted":
            st.caption(
                _("Only a contact that was drawn, and is not evaluated yet, can be replaced.")
            )
            return
        because = st.selectbox(
            _("Why replace it?"),
            list(replacement.BECAUSE),
            format_func=labels.because_title,
            key=f"because_{row.drawn_id}",
        )
        st.caption(
            _(
                "The next contact of the same advisor in the order of the draw takes its "
                "place: nobody chooses it."
            )
        )
        if st.button(_("Replace"), icon=":material/swap_horiz:", key=f"replace_{row.drawn_id}"):
            change(
                lambda viewer: sampling.replace(viewer, row.drawn_id, because), _describe_replaced
            )


def _describe_replaced(new: int | None) -> str:
    return (
        _("No other contact of this advisor may be listened to; the plan is short of one.")
        if new is None
        else _("Replaced by the next contact of the order.")
    )


def _show_load(viewer: Viewer) -> None:
    st.markdown("**" + _("Evaluators") + "**")
    name, waiting, overdue, done = _("Evaluator"), _("Waits"), _("Overdue"), _("Done")
    loads = sampling.find_load(viewer)
    rows = [
        {name: load.evaluator, waiting: load.waiting, overdue: load.overdue, done: load.done}
        for load in loads
    ]
    config = {
        name: tables.name_column(name, 200),
        **{title: tables.count_column(title, 110) for title in (waiting, overdue, done)},
    }
    tables.show(rows, config, "listening_load")
    for load in loads:
        if not load.may_listen:
            said = _(
                "{name} is no longer accredited: what waits there is not listened to.",
                name=load.evaluator,
            )
            st.caption(":orange[:material/error:] " + escape(said))
