"""Criteria by advisor: where points are missed; cells of few evaluations stay blank."""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from qa_core.access.roles import Viewer
from qa_core.analysis import charts
from qa_core.analysis.charts.labels import plain
from qa_core.base.i18n import _, ngettext
from qa_core.centre.advisors import normalise_name
from qa_core.metrics.kpis import formatting
from qa_core.metrics.rows import scorecard_texts
from qa_core.ui.frame import cached, styles
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.widgets import cards, download_links, drill, peer_dots

MIN = 3
"""Evaluations from which on a share is no anecdote."""
MAX_ADVISORS = 40


def show(viewer: Viewer, state: FilterState) -> None:
    """Show the heat map; a click opens the advisor's evaluations with that criterion."""
    frame = cached.measure(viewer, ("evaluation_score",), ("advisor", "criterion"), state.where)
    frame = frame[frame["advisor"].notna() & frame["criterion"].notna() & frame["value"].notna()]
    if frame.empty:
        cards.show_message(_("No evaluation in this period"))
        return
    texts = scorecard_texts.find_scorecard_texts(viewer)
    everybody = sorted(set(frame["advisor"]), key=normalise_name)
    names = everybody[:MAX_ADVISORS]
    order = {key: position for position, key in enumerate(texts.by_dimension.get("criterion", {}))}
    keys = sorted(set(frame["criterion"]), key=lambda key: (order.get(key, len(order)), key))
    criteria = {key: texts.name("criterion", key) for key in keys}
    shown = frame[frame["advisor"].isin(names)].copy()
    shown["enough"] = shown["n"] >= MIN
    shown["text"] = [describe_cell(row, criteria[row.criterion]) for row in shown.itertuples()]
    figure = charts.build_criteria(shown, names, list(criteria.items()), dark=styles.is_dark())
    caption = _explain(blank=int((~shown["enough"]).sum()), others=len(everybody) - len(names))
    cards.show_chart(
        figure, _describe(frame, criteria), caption, "criteria", on_select=_on_cell(viewer, state)
    )
    download_links.show_figures(
        "criteria", ("evaluation_score",), ("advisor", "criterion"), state.where
    )


def describe_cell(row: Any, criterion: str) -> str:
    """Return the text of a cell for the pointer."""
    share = f"n = {int(row.n)}"
    if row.n >= MIN:
        share = _(
            "{share} of points: {k} of {n}",
            share=formatting.percent(row.value / 100, 0),
            k=formatting.number(row.numerator / 100, 1),
            n=formatting.number(row.n),
        )
    return f"<b>{plain(row.advisor)}</b><br>{plain(criterion)}<br>{share}"


def _explain(blank: int, others: int) -> str:
    """Explain the map. `blank`: cells of few evaluations; `others`: advisors not drawn."""
    parts = [
        _(
            "Share of points by criterion and advisor, in alphabetical order. The stronger the "
            "colour, the more points are missed."
        ),
        _("Select a cell to see its evaluations."),
    ]
    if blank:
        text = ngettext(
            "Circle: fewer than {least} evaluations ({n} cell).",
            "Circles: fewer than {least} evaluations ({n} cells).",
            blank,
            least=MIN,
        )
        parts.append(text)
    return " ".join(filter(None, (*parts, peer_dots.describe_left_out(others))))


def _describe(frame: pd.DataFrame, criteria: Mapping[str, str]) -> str:
    """Name the criterion that loses the most points over all these advisors together."""
    sums = frame.groupby("criterion")[["numerator", "n"]].sum()
    shares = sums["numerator"] / sums["n"]
    lowest = shares.idxmin()
    return _(
        "Most points are lost on {criterion} ({share} earned)",
        criterion=criteria[lowest],
        share=formatting.percent(shares[lowest] / 100, 0),
    )


def _on_cell(viewer: Viewer, state: FilterState) -> Callable[[], None]:
    ids = {
        advisor.name: advisor.advisor_id
        for advisor in cached.find_advisors(viewer, state.where.period)
    }

    def open_cell() -> None:
        values = drill.clicked("criteria")
        if len(values) == 2 and values[0] in ids:
            drill.to_advisor(ids[values[0]], criterion=str(values[1]))

    return open_cell
