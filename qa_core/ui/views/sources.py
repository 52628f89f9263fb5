"""Sources: what a campaign brings, from the call to the settled matter, and what that costs."""

from __future__ import annotations

from typing import Any

import streamlit as st

from qa_core import charts, exports, figures, slices
from qa_core.access import Viewer
from qa_core.findings import Finding
from qa_core.kpis import get_kpi
from qa_core.ui import cached, cards, drill, links, tables
from qa_core.ui.filter_bar import Look
from qa_core.ui.views import trends
from qa_core.wording import _

TILES = ("attribution_rate", "cost_per_contact", "cost_per_answered", "cost_per_resolved")
PATH = ("received", "answered", "first_contact_resolution_declared", "csat")
DIMENSIONS = ("campaign", "source", "medium")
COSTS = ("spend", "cost_per_contact", "cost_per_resolved")


def show_top(viewer: Viewer, look: Look) -> None:
    """Four tiles, the path from contact to satisfaction, and the cost over time."""
    rows = cached.headline(viewer, TILES, look.where, look.compare)
    series = trends.read_series(viewer, look, TILES)
    cards.show_tiles([cards.build_tile(rows[key], look, series[key]) for key in TILES])
    left, right = st.columns(2, gap="small")
    with left:
        _show_path(viewer, look)
    with right:
        shown = series["cost_per_answered"] if series["cost_per_answered"].points["value"].notna().any() else series["attribution_rate"]
        trends.show_trend(viewer, look, shown, height=240, title=cards.title_of(shown.kpi))


def show_campaigns(viewer: Viewer, look: Look) -> None:
    """One line per campaign (or source, or medium): contacts, how many were answered, settled and happy, and the money."""
    with st.container(border=True, gap="xxsmall"):
        cards.show_heading(Finding(_("What each brings, and what it costs")))
        _show_table(viewer, look, _ask_dimension())


def _ask_dimension() -> str:
    titles = {key: _(slices.get_dimension(key).title) for key in DIMENSIONS}
    chosen = st.segmented_control(
        _("By"), DIMENSIONS, default="campaign", required=True, format_func=titles.get, label_visibility="collapsed", key="sources_by"
    )
    return chosen or "campaign"


def _show_table(viewer: Viewer, look: Look, dimension: str) -> None:
    by = tables.wide(cached.measure(viewer, (*PATH, "answer_rate"), (dimension,), look.where), dimension)
    costs = tables.wide(cached.measure(viewer, COSTS, (dimension,), look.where), dimension)
    ordered = [value for value in tables.largest_first(by, "received") if value is not None]
    head = _(slices.get_dimension(dimension).title)
    titles = {key: cards.column_of(key) for key in (*PATH, "answer_rate", *COSTS)}
    rows = []
    for value in ordered:
        row, money = by[value], costs.get(value, {})
        rows.append(
            {
                head: value,
                titles["received"]: _number(row["received"]),
                titles["answer_rate"]: tables.as_share(row["answer_rate"].value),
                titles["first_contact_resolution_declared"]: tables.as_share(row["first_contact_resolution_declared"].value),
                titles["csat"]: tables.as_share(row["csat"].value),
                **{titles[key]: _money(money.get(key), look) for key in COSTS},
            }
        )
    if not rows:
        st.caption(_("No contact in this period has a known source. Import the export of your call tracking to see campaigns here."))
        return
    clickable = drill.is_open_to(viewer)
    st.caption(" ".join(filter(None, (_say_coverage(by, dimension), _("Click a line to see its contacts.") if clickable else ""))))
    config: dict[str, Any] = {titles[key]: tables.share_column(titles[key], 98) for key in ("answer_rate", "first_contact_resolution_declared", "csat")}
    config |= {head: tables.name_column(head, 172), titles["received"]: tables.count_column(titles["received"], 80)}
    tables.show(rows, config, "table_sources", drill.on_row("table_sources", dimension, ordered) if clickable else None, height=520)
    with tables.show_foot():
        tables.note_definitions((*PATH, *COSTS), look)
        links.show_download(_("Export"), "figures", key=dimension, **exports.parameters((*PATH, "answer_rate", *COSTS), (dimension,), look.where))


def _say_coverage(by: dict[Any, dict[str, Any]], dimension: str) -> str:
    """How many contacts the table is about; nothing where some of its numbers are hidden, since the sum would not be one."""
    counts = {value: row["received"].n for value, row in by.items()}
    if any(figures.is_missing(count) for count in counts.values()):
        return ""
    known, whole = (figures.number(count) for count in (sum(count for value, count in counts.items() if value is not None), sum(counts.values())))
    if dimension == "campaign":
        return _("{n} of {whole} contacts have a known campaign.", n=known, whole=whole)
    if dimension == "source":
        return _("{n} of {whole} contacts have a known source.", n=known, whole=whole)
    return _("{n} of {whole} contacts have a known medium.", n=known, whole=whole)


def _show_path(viewer: Viewer, look: Look) -> None:
    """Only contacts with a known campaign: received → answered → declared resolved; satisfaction among those who were asked."""
    by = tables.wide(cached.measure(viewer, PATH, ("campaign",), look.where), "campaign")
    # One set of campaigns for both ends of the path: where the number answered is hidden, the number received is left out too.
    known = [row for value, row in by.items() if value is not None and not any(figures.is_missing(row[key].n) for key in ("received", "answered"))]

    def total(key: str, part: str) -> float | None:
        found = [getattr(row[key], part) for row in known if not figures.is_missing(getattr(row[key], part))]
        return sum(found) if found else None

    received, answered = total("received", "n"), total("answered", "n")
    if not received:
        with st.container(border=True, height="stretch"):
            cards.show_heading(Finding(_("No contact in this period has a known campaign")))
        return
    resolved, declared = total("first_contact_resolution_declared", "numerator"), total("first_contact_resolution_declared", "denominator")
    happy, rated = total("csat", "numerator"), total("csat", "denominator")
    steps = [
        (_("Received"), received, ""),
        (_("Answered"), answered, _share(answered, received, "{share}")),
        (_("Declared resolved"), resolved, _share(resolved, declared, _("{share} of {n} declarations"))),
        (_("Satisfied"), happy, _share(happy, rated, _("{share} of {n} ratings"))),
    ]
    missed = received - (answered or 0)
    finding = Finding(
        _("{missed} contacts from campaigns were missed, {share} of them", missed=figures.number(missed), share=figures.percent(missed / received))
    )
    cards.show_chart(charts.build_funnel(steps, dark=cards.is_dark()), finding, _("Contacts with a known campaign, step by step"), "path")


def _share(part: float | None, whole: float | None, said: str) -> str:
    return "" if part is None or not whole else said.format(share=figures.percent(part / whole, 0), n=figures.number(whole))


def _number(row: Any) -> float | None:
    return None if figures.is_missing(row.value) else row.value


def _money(row: Any, look: Look) -> str:
    return "" if row is None or figures.is_missing(row.value) else figures.value(row.value, get_kpi(row.kpi).unit, look.currency_of(row))
