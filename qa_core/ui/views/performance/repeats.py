"""Repeat contacts: their window, the reasons or queues that bring customers back, and the chains
of one customer, without who it is, on demand and journalled.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.base.i18n import N_, _, capitalise, ngettext
from qa_core.centre.settings import BY_NAME
from qa_core.metrics import query
from qa_core.metrics.kpis import formatting
from qa_core.metrics.query import RepeatChain
from qa_core.ui.frame import cached, open_once, url_state
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.widgets import cards, download_links, drill, tables

RATE = "first_contact_resolution"
COUNT = "repeat_contacts"
TIME = "repeat_handle_time"
COST = "cost_of_repeats"
TITLES = {"reason": N_("Repeat contacts by reason"), "queue": N_("Repeat contacts by queue")}
"""Heading by dimension, where no value takes most of the time."""


SETTING = BY_NAME["first_contact_days"]
NAME = "window"


@dataclass(frozen=True)
class Window:
    """Days of the page and of the settings; `tried`: as text, where they differ."""

    days: float
    in_force: float
    tried: str | None

    @property
    def overrides(self) -> dict[str, str] | None:
        return {SETTING.name: self.tried} if self.tried else None


def ask_window(viewer: Viewer) -> Window:
    """Show the slider and what the window means.

    Executives, who see figures by the settings in force, have no slider.
    """
    in_force = float(cached.current_settings().first_contact_days)
    if viewer.needs_suppression:
        window = Window(in_force, in_force, None)
        st.caption(_explain(window))
        return window
    offered = range(int(SETTING.low), int(SETTING.high) + 1)
    usual = f"{in_force:g}"
    options = [f"{days:g}" for days in sorted({*map(float, offered), in_force})]
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="medium"):
        with url_state.bind(NAME, options, usual), st.container(width=320):
            chosen = st.select_slider(
                _(SETTING.title),
                options,
                format_func=lambda text: formatting.days(float(text)),
                key=NAME,
            )
        window = Window(float(chosen), in_force, None if chosen == usual else chosen)
        with st.container(width="stretch"):
            st.caption(_explain(window))
    return window


def _explain(window: Window) -> str:
    if window.tried:
        return _(
            "For repeat contacts, this page tries a window of {tried} instead of {in_force}. "
            "Declared and confirmed resolution do not depend on it.",
            tried=formatting.days(window.days),
            in_force=formatting.days(window.in_force),
        )
    return _(
        "Repeat window in force: {days}. A repeat contact has the same customer, and the same "
        "reason where both are known.",
        days=formatting.days(window.in_force),
    )


def show(viewer: Viewer, state: FilterState, dimension: str, window: Window) -> None:
    """Show the repeats by one dimension; a click opens the repeat contacts themselves."""
    if not state.may_cut(viewer, dimension):
        cards.show_one_cut(_(TITLES[dimension]))
        return
    keys = (RATE, COUNT, TIME, COST)
    frame = cached.measure(viewer, keys, (dimension,), state.where, state.compare, window.overrides)
    by = tables.index_rows(frame, dimension)
    values = [
        value
        for value in tables.largest_first(by, COUNT)
        if not all(formatting.is_missing(by[value][key].value) for key in (COUNT, RATE))
    ]
    on_line = drill.on_value(viewer, dimension, COUNT, window.tried) if values else None
    hint = _("Repeat contacts count where they arrive, each with its own handling time.")
    with cards.card(_describe(dimension, by, values), hint, is_stretched=True):
        if not values:
            st.caption(_(formatting.NO_DATA))
            return
        # What an hour of an advisor costs is no concern of that advisor.
        has_cost = not viewer.advisor_id and any(
            not formatting.is_missing(by[value][COST].value) for value in values
        )
        trend = cached.measure(
            viewer, (RATE,), (dimension, state.grain), state.trend, overrides=window.overrides
        )
        lines = tables.sparklines(trend, dimension, state.grain, RATE)
        key = f"repeats_{dimension}"
        tables.show(
            values, _columns(dimension, by, lines, state, has_cost), key, on_line, height=400
        )
        with tables.show_foot():
            kpis = (RATE, COUNT, TIME, COST) if has_cost else (RATE, COUNT, TIME)
            tables.show_definitions(kpis, state, key)
            download_links.show_figures(
                dimension, kpis, (dimension,), state.where, window.overrides
            )


def _columns(
    dimension: str,
    by: tables.Rows,
    lines: Mapping[Any, list[float]],
    state: FilterState,
    has_cost: bool,
) -> tuple[tables.TableColumn | None, ...]:
    cost = _("Cost ({currency})", currency=state.currency) if state.currency else _("Cost")
    return (
        tables.dimension_column(dimension, 140),
        tables.count_column(
            _("Repeats"), lambda value: tables.to_integer(by[value][COUNT].value), 62
        ),
        tables.count_column(
            capitalise(_("hours")), lambda value: _round(by[value][TIME].value, 3600, digits=1), 58
        ),
        tables.count_column(cost, lambda value: _round(by[value][COST].value), 74)
        if has_cost
        else None,
        tables.percent_column(_("Resolved"), lambda value: by[value][RATE].value, 68),
        tables.number_text_column(
            _("Change"), lambda value: formatting.change(by[value][RATE].delta, "rate"), 66
        )
        if state.compare
        else None,
        tables.trend_column(_("Trend"), lambda value: lines.get(value, []), 60),
    )


def _round(value: float | None, divisor: int = 1, digits: int = 0) -> float | None:
    return None if formatting.is_missing(value) else round(value / divisor, digits)


def _describe(dimension: str, by: tables.Rows, values: list[Any]) -> str:
    """Name what takes most of the time, if all of it is known and enough contacts took it."""
    spent = {
        value: by[value][TIME].value
        for value in values
        if not formatting.is_missing(by[value][TIME].value)
    }
    named = {value: seconds for value, seconds in spent.items() if value is not None}
    total = sum(spent.values())
    rows = [row[TIME] for row in by.values()]
    is_hidden = any(row.status == "suppressed" for row in rows)
    if not named or not total or is_hidden or sum(row.n for row in rows) < query.SMALL_SAMPLE:
        return _(TITLES[dimension])
    first = max(named, key=named.get)
    return _(
        "{name} takes {share} of the time spent on repeat contacts",
        name=formatting.name(dimension, first),
        share=formatting.percent(named[first] / total, 0),
    )


def show_chains(viewer: Viewer, state: FilterState, window: Window) -> None:
    """Show the longest chains of the period; a click opens one as a time line."""
    subject, acts = (state.where, window.days), (query.read_chains, cached.find_chains)
    chains = open_once.read("chains_read", subject, *acts, viewer, state.where, window.overrides)
    title = _("No repeat contact within the window")
    if chains:
        title = ngettext(
            "Up to {n} repeat contact of one customer",
            "Up to {n} repeat contacts of one customer",
            chains[0].repeats,
        )
    rule = _(
        "Contacts of one customer, each within {days} of the previous one. Most repeat contacts "
        "first.",
        days=formatting.days(window.days),
    )
    with cards.card(title, rule):
        if chains:
            _show_table(viewer, chains)


def _show_table(viewer: Viewer, chains: list[RepeatChain]) -> None:
    numbers = {id(chain): number for number, chain in enumerate(chains, 1)}
    columns = (
        tables.name_column(
            _("Customer"), lambda chain: f"{numbers[id(chain)]}. {chain.customer or ''}".strip(), 78
        ),
        tables.count_column(_("Repeats"), lambda chain: chain.repeats, 62),
        tables.count_column(_("Contacts"), lambda chain: len(chain.links), 66),
        tables.count_column(capitalise(_("days")), lambda chain: round(chain.days, 1), 50),
        tables.count_column(_("Elsewhere"), lambda chain: chain.elsewhere, 72)
        if any(chain.elsewhere for chain in chains)
        else None,
        tables.text_column(_("Outcome"), _describe_chain_end, 118),
        tables.text_column(_("Reasons"), lambda chain: _list(chain, "reason")),
        tables.text_column(_("Queues"), lambda chain: _list(chain, "queue")),
        tables.count_column(_("Advisors"), lambda chain: len(_find_names(chain, "advisor")), 84)
        if viewer.can_cut_by("advisor") and not viewer.advisor_id
        else None,
    )
    tables.show(chains, columns, "chains_table", _open, height=420, room=tables.IN_SECTION)


def _open(chain: RepeatChain) -> None:
    last = chain.links[-1]
    drill.to_contact("first_contact", last.source_system, last.contact_id)


def _find_names(chain: RepeatChain, name: str) -> set[str]:
    return {getattr(link, name) for link in chain.links} - {None, ""}


def _list(chain: RepeatChain, name: str) -> str:
    return formatting.listing(sorted(_find_names(chain, name)))


def _describe_chain_end(chain: RepeatChain) -> str:
    last = chain.links[-1]
    if chain.ends_elsewhere:
        return _("Outside your scope")
    return describe_end(last.outcome, last.declared_resolved)


def describe_end(outcome: str | None, declared_resolved: bool | None) -> str:
    """Return how a contact ended, or what its advisor declared."""
    if declared_resolved is None:
        return formatting.name("outcome", outcome)
    return _("Declared resolved") if declared_resolved else _("Declared not resolved")
