"""Criteria by advisor: where points are missed, with cells of too few evaluations left
blank.
"""

from __future__ import annotations

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis import charts, exports
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.analysis.charts.labels import plain
from qa_core.base.i18n import _, ngettext
from qa_core.centre.advisors import normalise_name
from qa_core.metrics import formatting
from qa_core.metrics.query import scorecard_texts
from qa_core.ui import cached, cards, download_links, drill
from qa_core.ui.filter_bar import FilterState

LEAST = 3
"""A share of fewer evaluations is an anecdote: its cell stays blank."""
MOST_ADVISORS = 40


def show(viewer: Viewer, look: FilterState) -> None:
    """The heat map; a click on a cell opens the advisor's evaluations with that
    criterion.
    """
    frame = cached.measure(viewer, ("evaluation_score",), ("advisor", "criterion"), look.where)
    frame = frame[frame["advisor"].notna() & frame["criterion"].notna() & frame["value"].notna()]
    if frame.empty:
        with st.container(border=True):
            cards.show_heading(
                ChartTitle(_("No evaluation in this period")),
                _("Evaluations that carry their criteria appear here."),
            )
        return
    texts = scorecard_texts.find_grid_texts(viewer)
    everybody = sorted(set(frame["advisor"]), key=normalise_name)
    names = everybody[:MOST_ADVISORS]
    order = {key: position for position, key in enumerate(texts.by_dimension.get("criterion", {}))}
    keys = sorted(set(frame["criterion"]), key=lambda key: (order.get(key, len(order)), key))
    shown = frame[frame["advisor"].isin(names)].copy()
    shown["enough"] = shown["n"] >= LEAST
    shown["text"] = [
        describe_cell(row, texts.name("criterion", row.criterion)) for row in shown.itertuples()
    ]
    blank = int((~shown["enough"]).sum())
    caption = _(
        "Share of points by criterion and advisor, in alphabetical order; the deeper the "
        "colour, the more points are missed."
    )
    caption += " " + _("Click a cell to see the evaluations behind it.")
    if blank:
        caption += " " + ngettext(
            "A ring: fewer than {least} evaluations ({n} cell).",
            "Rings: fewer than {least} evaluations ({n} cells).",
            blank,
            least=LEAST,
        )
    if len(everybody) > len(names):
        others = len(everybody) - len(names)
        caption += " " + ngettext(
            "{n} other is not drawn: choose a team.",
            "{n} others are not drawn: choose a team.",
            others,
        )
    criteria = [(key, texts.name("criterion", key)) for key in keys]
    figure = charts.build_criteria(shown, names, criteria, dark=cards.is_dark())
    cards.show_chart(
        figure, _find(frame, dict(criteria)), caption, "criteria", on_select=_on_cell(viewer, look)
    )
    download_links.show_download(
        _("Export"),
        "figures",
        key="criteria",
        **exports.parameters(("evaluation_score",), ("advisor", "criterion"), look.where),
    )


def describe_cell(row, criterion: str) -> str:
    parts = [f"<b>{plain(row.advisor)}</b>", plain(criterion)]
    if row.n < LEAST:
        return "<br>".join(
            [*parts, ngettext("{n} evaluation only", "{n} evaluations only", int(row.n))]
        )
    share = _(
        "{share} of points: {k} of {n}",
        share=formatting.percent(row.value / 100, 0),
        k=formatting.number(row.numerator / 100, 1),
        n=formatting.number(row.n),
    )
    return "<br>".join([*parts, share])


def _find(frame, texts: dict[str, str]) -> ChartTitle:
    """Which criterion loses the most points over all these advisors together."""
    sums = frame.groupby("criterion")[["numerator", "n"]].sum()
    shares = sums["numerator"] / sums["n"]
    lowest = shares.idxmin()
    return ChartTitle(
        _(
            "Most points are missed on: {criterion} ({share})",
            criterion=texts[lowest],
            share=formatting.percent(shares[lowest] / 100, 0),
        )
    )


def _on_cell(viewer: Viewer, look: FilterState):
    ids = {
        advisor.name: advisor.advisor_id
        for advisor in cached.find_advisors(viewer, look.where.period)
    }

    def open_cell() -> None:
        values = drill.clicked("criteria")
        if len(values) == 2 and values[0] in ids:
            drill.to_advisor(ids[values[0]], criterion=str(values[1]))

    return open_cell
