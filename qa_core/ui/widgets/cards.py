"""Tiles and cards: values with what they rest on; charts and tables under a heading that
says what they show.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from qa_core.analysis import chart_titles, charts, note_texts, targets
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.analysis.series import Series
from qa_core.base.i18n import N_, _
from qa_core.metrics.kpis import Kpi, formatting, get_kpi, periods
from qa_core.stats import control_charts
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.frame.markdown import escape
from qa_core.ui.widgets import explain_link

NOTHING = ":gray[–]"
HIDDEN = N_("Based on fewer than five advisors or ten contacts, or would reveal such a figure.")
SMALL_SAMPLE = N_("Too few contacts for a firm figure: small samples move a lot by chance.")
ONE_AT_A_TIME = N_("You see one breakdown or one filter at a time. Remove the filter to see this.")
WITH_RANGE = N_("With 95 % confidence interval. Grey: range from chance alone.")
SHORT = 20
"""Characters that fit on one line of a tile on a phone."""
COLOURS = {"better": "green", "attention": "orange", "": "gray"}
ICONS = {
    "attention": ":orange[:material/error:] ",
    "better": ":green[:material/check_circle:] ",
    "": "",
}


@dataclass(frozen=True)
class Tile:
    """One value ready to show; `delta_tone` is empty where the change is not clear."""

    title: str
    value: str
    help: str
    below: str
    delta: str = ""
    delta_arrow: str = "off"
    delta_tone: str = ""
    sparkline: tuple[float, ...] = ()
    lately: str = ""
    """Value of the last days, and whether it clearly changed."""
    kpi: str = ""
    """KPI that a link explains; empty for what is put together from several."""
    is_small: bool = False


def column_of(key: str) -> str:
    return formatting.heading(get_kpi(key))


def build_tile(
    row: Any, state: FilterState, series: Series | None = None, extra: str = "", lately: str = ""
) -> Tile:
    """Build a tile from a row of `measure`; `extra` is added below the value, `lately`
    under it.
    """
    kpi = get_kpi(row.kpi)
    currency = state.currency_of(row)
    help_text = "\n\n".join(
        (
            f"{_(kpi.title)} – {_(kpi.meaning)}",
            escape(_(kpi.formula)),
            *note_texts.describe(row.notes or ()),
        )
    )
    shown, rest = _below(row, kpi, currency, extra)
    tile = {
        "title": formatting.short_title(kpi),
        "help": "\n\n".join(filter(None, (help_text, escape(" · ".join(rest))))),
        "sparkline": tuple(series.sparkline[-30:]) if series else (),
        "kpi": kpi.key,
        "is_small": row.status == "small_sample" and not kpi.is_amount,
    }
    if formatting.is_missing(row.value):
        word = name_status(row.status)
        value = f":gray[{word}]" if word else NOTHING
        return Tile(value=value, below=explain_missing(row), **tile)
    tile |= {
        "value": formatting.value(row.value, kpi.unit, currency),
        "below": _keep_together(shown) or formatting.NO_BREAK,
        "lately": lately,
    }
    change = getattr(row, "delta", None)
    # Beside a whole period, the total of one that is not over would read as a fall.
    if (
        state.compare
        and not formatting.is_missing(change)
        and not (state.is_cut_short and kpi.is_amount)
    ):
        interval = control_charts.interval_of_change(row, series.spread if series else 1.0)
        tile |= {
            "delta": formatting.change(change, kpi.unit, currency),
            "delta_arrow": "up" if change > 0 else "down" if change else "off",
        }
        if interval:
            title = chart_titles.describe_change("", change, interval, kpi.unit, kpi.better)
            tile["delta_tone"] = title.severity
    return Tile(**tile)


def show_tiles(tiles: Sequence[Tile]) -> None:
    """Show a row of tiles; on a phone two side by side. A first tile with a small sample gets a
    caption.
    """
    if tiles and tiles[0].is_small:
        st.caption(_(SMALL_SAMPLE))
    with st.container(horizontal=True, gap="small"):
        for tile in tiles:
            _show_tile(tile)


def _show_tile(tile: Tile) -> None:
    with st.container(border=True, gap=None, height="stretch"):
        # A metric would cut its own title; and beside a long one, the sign of its help
        # would push the value out of line.
        st.markdown(f":small[{escape(tile.title)}]")
        st.metric(
            tile.title,
            tile.value,
            tile.delta or None,
            delta_color=COLOURS[tile.delta_tone],
            delta_arrow=tile.delta_arrow,
            label_visibility="collapsed",
            chart_data=list(tile.sparkline) if len(tile.sparkline) > 2 else None,
            height="stretch",
        )
        st.caption(tile.below, help=None if tile.kpi else tile.help)
        if tile.lately:
            st.caption(
                _("{what}: {text}", what=periods.name_last(periods.LATE_DAYS), text=tile.lately)
            )
        if tile.kpi:
            explain_link.show_link(tile.kpi, help_text=tile.help)


def card(
    finding: ChartTitle | str = "",
    caption: str = "",
    *,
    is_stretched: bool = False,
    gap: str = "xxsmall",
    key: str | None = None,
) -> DeltaGenerator:
    """Return a bordered container under a heading, to be filled in a `with` block; left as it
    is, it is a message.

    `is_stretched`: as tall as the cards beside it.
    """
    height = "stretch" if is_stretched else "content"
    container = st.container(border=True, height=height, gap=gap, key=key)
    if finding:
        with container:
            show_heading(finding, caption)
    return container


def show_one_cut(title: str) -> None:
    """Show why a cut is missing for viewers with one cut or filter at a time."""
    card(_("{title}: hidden under a filter", title=title), _(ONE_AT_A_TIME))


def show_chart(
    figure: Any,
    finding: ChartTitle | str,
    caption: str,
    key: str,
    *,
    on_select: Callable[[], None] | None = None,
    beside: Callable[[], None] | None = None,
    kpi: str = "",
) -> None:
    """Show a chart in a card. `on_select`: what a click on a point does; `beside`: draws
    what is right of the heading; `kpi`: what a link below explains.
    """
    with card(is_stretched=True):
        if beside is None:
            show_heading(finding, caption)
        else:
            with st.container(horizontal=True, wrap=False, gap="xxsmall"):
                with st.container(gap="xxsmall"):
                    show_heading(finding, caption)
                beside()
        show_figure(figure, key, f"{_text_of(finding)}. {caption}", on_select, kpi)


def show_figure(
    figure: Any,
    key: str,
    alt: str,
    on_select: Callable[[], None] | None = None,
    kpi: str = "",
    kept: Mapping[str, Sequence[str | None]] = {},
) -> None:
    """Show a chart; below it on one line, its points as a table to open and the link that
    explains `kpi` for the values `kept`. `alt`: the chart for readers who cannot see it.
    """
    st.plotly_chart(
        figure,
        theme=None,
        key=key,
        on_select=on_select or "ignore",
        selection_mode="points",
        config={"displayModeBar": False, "doubleClick": False, "scrollZoom": False},
        alt=alt,
    )
    label = _("As a table")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        points = st.popover(
            f":gray[:material/table_rows: :small[{label}]]",
            type="tertiary",
            key=f"{key}_table",
            on_change="rerun",
        )
        if kpi:
            explain_link.show_link(kpi, kept)
    if points.open:
        with points:
            rows = charts.list_points(figure)
            st.dataframe(
                [{_("Point"): first, _("Figures"): others} for first, others in rows],
                width="content",
                hide_index=True,
                alt=alt,
            )


def show_heading(finding: ChartTitle | str, caption: str = "") -> None:
    """Show the two lines above a chart or a table."""
    icon = "" if isinstance(finding, str) else ICONS[finding.severity]
    st.markdown(f"##### {icon}{escape(_text_of(finding))}")
    if caption:
        st.caption(escape(caption))


def _text_of(finding: ChartTitle | str) -> str:
    return finding if isinstance(finding, str) else finding.text


def _keep_together(parts: Sequence[str]) -> str:
    """Join the parts by dots; lines break between them, not within a short one."""
    return f"{formatting.NO_BREAK}· ".join(
        part.replace(" ", formatting.NO_BREAK) if len(part) <= SHORT else part for part in parts
    )


def _below(row: Any, kpi: Kpi, currency: str | None, extra: str) -> tuple[list[str], list[str]]:
    """Describe a value in a few words below it, and the rest for its explanation."""
    shown, rest = [], []
    between = formatting.interval(row.low, row.high, kpi.unit, currency)
    if between:
        shown.append(between)
    if not formatting.is_missing(row.denominator) and not formatting.is_missing(row.n):
        shown.append(f"n\u00a0=\u00a0{formatting.number(row.n)}")
    if not formatting.is_missing(row.p50):
        waits = {name: formatting.duration(getattr(row, name)) for name in ("p50", "p90")}
        rest.append(_("median {p50}, p90 {p90}", **waits))
    pending, unknown = (
        0 if formatting.is_missing(count) else count
        for count in (row.pending, row.unknown_identity)
    )
    if pending:
        rest.append(_("{n} pending", n=formatting.number(pending)))
    if unknown and row.n:
        share = formatting.percent(unknown / (unknown + row.n + pending), 0)
        rest.append(_("{share} of callers unknown", share=share))
    if not formatting.is_missing(getattr(row, "target", None)):
        target = targets.describe(row, kpi.unit, currency)
        is_missed = target.severity == "attention"
        shown.append(ICONS["attention"] + target.text if is_missed else target.text)
    shown += note_texts.describe_sample(row)
    if "provisional_spend" in row.notes:
        rest.append(_("Provisional spend"))
    # Whom a value leaves out is said beside it, however long the line becomes.
    shown += [*note_texts.describe_populations([row]), *filter(None, [extra])]
    return shown, rest


def name_status(status: str) -> str:
    """Return why there is no value in one word, as a tile would cut a longer text; empty where
    there is no data.
    """
    return {"suppressed": _("hidden"), "pending": _("pending")}.get(status, "")


def explain_missing(row: Any) -> str:
    if row.status == "suppressed":
        return _(HIDDEN)
    if row.status == "pending":
        return _("{n} pending: their window is still open.", n=formatting.number(row.pending))
    return " ".join(note_texts.describe_populations([row])) or _(formatting.NO_DATA)
