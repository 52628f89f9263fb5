"""The Call-backs page: the list, and buttons for the caller that was chosen."""

from datetime import datetime

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.analysis import call_backs
from qa_core.analysis.call_backs import STATE_TITLES, CallBackState, DueCallBack
from qa_core.base import environment
from qa_core.base.i18n import N_, _, ngettext
from qa_core.metrics import query
from qa_core.metrics.kpis import formatting
from qa_core.metrics.rows.callbacks import QUEUE_DAYS
from qa_core.ui.frame import cached, layout
from qa_core.ui.frame.markdown import escape
from qa_core.ui.widgets import actions, cards, tables

STATE_WIDTH = 330
TABLE, CHOSEN = "table_call_backs", "call_back_chosen"
ACTS = STATE_TITLES | {CallBackState.TAKEN: N_("I take it"), None: N_("set back to waiting")}


def show(viewer: Viewer) -> None:
    """Show whom to call back, the longest waiting first."""
    found = call_backs.find_all(viewer, cached.find_missed_callers)
    if not found and not query.find_own_queues(viewer):
        text = _(
            "In the last {n} days of the data your teams answered no contact. What they answer "
            "says which missed callers are theirs.",
            n=QUEUE_DAYS,
        )
        cards.card(_("The queues of your teams are not known"), text)
        return
    due = tuple(item for item in found if item.state != CallBackState.DONE)
    count = len(due)
    text = ngettext("{n} caller waits for a call-back", "{n} callers wait for a call-back", count)
    with cards.card(text):
        _show_acts(found)
        if not due:
            return
        columns = (
            tables.moment_column(_("Last call"), lambda item: _localise(item.caller.local_start)),
            tables.text_column(_("Queue"), lambda item: item.caller.queue or "–"),
            tables.text_column(_("Customer"), lambda item: item.caller.customer),
            tables.text_column(_("State"), lambda item: _describe_state(item) or "–", STATE_WIDTH),
            tables.count_column(_("Calls"), lambda item: len(item.caller.tries)),
            tables.moment_column(_("First call"), lambda item: _localise(item.caller.first_start)),
        )
        tables.show(due, columns, f"{TABLE}_{count}", _choose, height=520)  # selects anew


def _show_acts(found: tuple[DueCallBack, ...]) -> None:
    """Show the caller that was chosen, by the second, and what can be noted."""
    chosen = st.session_state.get(CHOSEN)
    item = next((item for item in found if item.caller.tries[0] == chosen), None)
    if item is None:
        return
    caller = item.caller
    moment = f"{formatting.moment(caller.local_start)}:{caller.local_start:%S}"
    rest = " · ".join(filter(None, (caller.queue, caller.customer, _describe_state(item))))
    st.markdown(f"**{escape(moment)}** · {escape(rest)}")
    states = [None] if item.state == CallBackState.DONE else list(ACTS)
    with st.container(horizontal=True):
        for state in states:
            if state != item.state or state == CallBackState.TRIED:
                title, key = _(ACTS[state]).capitalize(), f"call_back_{state}"
                act = (Permission.HANDLE_CALLBACKS, call_backs.settle, chosen, state)
                layout.show_button("", title, key, actions.do, *act)


def _choose(item: DueCallBack) -> None:
    st.session_state[CHOSEN] = item.caller.tries[0]


def _describe_state(item: DueCallBack) -> str | None:
    if item.state is None:
        return None
    moment = formatting.moment(environment.to_local(item.changed_at))
    return f"{_(STATE_TITLES[item.state])} · {item.taken_by} · {moment}"


def _localise(moment: datetime) -> datetime:
    return moment.replace(tzinfo=environment.current().zone)
