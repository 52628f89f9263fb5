"""Chains of repeats: which customers came again and again, without saying who they are;
opened on demand, and journalled.
"""

from __future__ import annotations

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.base.i18n import _, ngettext
from qa_core.metrics import formatting, query
from qa_core.metrics.query import RepeatChain
from qa_core.ui import cached, cards, drill, readings, tables, url_state
from qa_core.ui.filter_bar import FilterState
from qa_core.ui.views.performance.resolution_window import Window

OPEN = "chains"


def show(viewer: Viewer, look: FilterState, tried: Window) -> None:
    """The longest chains of the period, once the reader asks for them; a click opens
    one as a time line.
    """
    url_state.take("first_contact", OPEN, ("yes",), "")
    is_open = st.session_state[OPEN] == "yes"
    url_state.give("first_contact", OPEN, "yes" if is_open else "", "")
    with st.container(border=True, gap="xxsmall"):
        if not is_open:
            cards.show_heading(
                ChartTitle(_("Customers who came again and again")),
                _(
                    "Their chains of contacts, without saying who they are. Opening them is "
                    "noted in the journal, as for every list of contacts."
                ),
            )
            st.button(
                _("Show the chains"),
                icon=":material/link:",
                on_click=_set,
                args=("yes",),
                key="show_chains",
            )
            return
        found = readings.read(
            "chains_read",
            (look.where, tried.days),
            lambda: query.read_chains(viewer, look.where, tried.overrides),
            lambda: cached.find_chains(viewer, look.where, tried.overrides),
        )
        cards.show_heading(_describe(found), _describe_rule(tried, bool(found)))
        if found:
            _show_table(viewer, found)
        st.button(
            _("Close the chains"),
            icon=":material/close:",
            type="tertiary",
            on_click=_set,
            args=("",),
            key="close_chains",
        )


def _set(value: str) -> None:
    st.session_state[OPEN] = value
    url_state.give("first_contact", OPEN, value, "")


def _describe(found: list[RepeatChain]) -> ChartTitle:
    if not found:
        return ChartTitle(_("Nobody came back within the window"))
    longest = found[0].repeats
    return ChartTitle(
        ngettext("At most {n} repeat of one customer", "Up to {n} repeats of one customer", longest)
    )


def _describe_rule(tried: Window, is_clickable: bool) -> str:
    said = _(
        "Contacts of one customer, each within {days} of the one before; those with most "
        "repeats first.",
        days=formatting.days(tried.days),
    )
    return said + (" " + _("Click a line to see the chain as a time line.") if is_clickable else "")


def _show_table(viewer: Viewer, found: list[RepeatChain]) -> None:
    names_people = viewer.can_cut_by("advisor") and not viewer.advisor_id
    heads = {name: title for name, title in _heads().items() if name != "advisors" or names_people}
    if not any(chain.elsewhere for chain in found):
        del heads["elsewhere"]
    rows = [
        {heads[name]: value for name, value in _row(number, chain).items() if name in heads}
        for number, chain in enumerate(found, 1)
    ]
    config = {heads["customer"]: tables.name_column(heads["customer"], 90)}
    config |= {
        heads[name]: tables.count_column(heads[name], 72)
        for name in ("repeats", "contacts", "days", "elsewhere")
        if name in heads
    }
    config |= {
        heads[name]: st.column_config.TextColumn(heads[name], width=width)
        for name, width in (("ended", 160), ("reasons", 170), ("queues", 180), ("advisors", 220))
        if name in heads
    }

    def open_chain() -> None:
        cells = st.session_state["chains_table"]["selection"]["cells"]
        if cells:
            last = found[cells[0][0]].links[-1]
            drill.to_contact("first_contact", last.source_system, last.contact_id)

    tables.show(rows, config, "chains_table", open_chain, height=420)


def _heads() -> dict[str, str]:
    return {
        "customer": _("Customer"),
        "repeats": _("Repeats"),
        "contacts": _("Contacts"),
        "days": _("Days"),
        "elsewhere": _("Elsewhere"),
        "ended": _("Ended"),
        "reasons": _("Reasons"),
        "queues": _("Queues"),
        "advisors": _("Advisors"),
    }


def _row(number: int, chain: RepeatChain) -> dict[str, object]:
    def listed(name: str) -> str:
        return formatting.listing(
            sorted({getattr(link, name) for link in chain.links if getattr(link, name)})
        )

    return {
        "customer": f"{number}. {chain.customer}" if chain.customer else f"{number}.",
        "repeats": chain.repeats,
        "contacts": len(chain.links),
        "days": round(chain.days, 1),
        "elsewhere": chain.elsewhere,
        "ended": _("Beyond your scope")
        if chain.ends_elsewhere
        else describe_end(chain.links[-1].outcome, chain.links[-1].declared_resolved),
        "reasons": listed("reason"),
        "queues": listed("queue"),
        "advisors": listed("advisor"),
    }


def describe_end(outcome: str | None, declared_resolved: bool | None) -> str:
    """How a contact ended, and what its advisor declared."""
    if declared_resolved is None:
        return formatting.name("outcome", outcome)
    return _("Declared resolved") if declared_resolved else _("Declared not resolved")
