"""What each campaign (or source, medium, keyword, number) brings: its steps, its cost,
its new and returning callers; and how sources are known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis import exports
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.base.i18n import N_, _, ngettext
from qa_core.metrics import dimensions, formatting
from qa_core.metrics.kpis.declaration import SPEND_DIMENSIONS
from qa_core.ui import cached, cards, download_links, drill, tables
from qa_core.ui.filter_bar import FilterState
from qa_core.ui.views.tracking import source_steps
from qa_core.ui.views.tracking.source_steps import COUNTED, KPIS, OF_MISSES, PathStep, title_of

COSTS = ("spend", "cost_per_contact", "cost_per_answered", "cost_per_resolved")
CALLERS = ("first_time_callers", "returning_callers")
NAME_WIDTH = 176
"""Room for the names of most campaigns."""
MONEY_FORMATS = {"EUR": "euro", "USD": "dollar", "JPY": "yen"}
"""What the browser can write by itself, so that the column still sorts by amount."""
ENOUGH = 10
"""Fewer answered contacts say little about what one costs."""
OWN_WORDS = N_("Said by the contact's own file")


def show_steps(
    viewer: Viewer, look: FilterState, by: Mapping[Any, Mapping[str, Any]], dimension: str
) -> None:
    """The same steps, one line per campaign (or source, …), largest first, those
    without one at the end.
    """
    ordered = [value for value in tables.largest_first(by, "received") if value is not None] + (
        [None] if None in by else []
    )
    head = _(dimensions.get_dimension(dimension).title)
    with_missed = source_steps.knows_missed(viewer, look)
    lines = [
        _build_line(
            formatting.name(dimension, value),
            source_steps.build_path([by[value]], with_missed),
            head,
        )
        for value in ordered
    ]
    with st.container(border=True, gap="xxsmall"):
        clickable = drill.is_open_to(viewer)
        cards.show_heading(
            ChartTitle(_("Step by step, side by side")),
            _join(describe_basis(viewer, look, by, dimension), _describe_click(clickable)),
        )
        tables.show(
            lines,
            _columns(head),
            "table_sources",
            drill.on_row("table_sources", dimension, ordered) if clickable else None,
            height=470,
        )
        _describe_hidden(by)
        with tables.show_foot():
            tables.note_definitions(KPIS, look, "steps")
            download_links.show_download(
                _("Export"),
                "figures",
                key="steps",
                **exports.parameters(KPIS, (dimension,), look.where),
            )


def _build_line(name: str, path: Sequence[PathStep], head: str) -> dict[str, Any]:
    step = {one.key: one for one in path}
    counts = {
        key: None if step[key].count is None else int(step[key].count)
        for key in ("received", "missed", "missed_callers", "evaluations")
    }
    share = {
        key: tables.as_share(step[key].share) for key in ("answered", *OF_MISSES, *COUNTED[2:])
    }
    ratings = step["csat"].base
    return {
        head: name,
        cards.column_of("received"): counts["received"],
        title_of("answered"): share["answered"],
        title_of("missed"): counts["missed"],
        title_of("missed_callers"): counts["missed_callers"],
        title_of("call_back_rate"): share["call_back_rate"],
        title_of("recovered_rate"): share["recovered_rate"],
        title_of("first_contact_resolution"): share["first_contact_resolution"],
        title_of("first_contact_resolution_declared"): share["first_contact_resolution_declared"],
        title_of("csat"): share["csat"],
        _("Ratings"): None if ratings is None else int(ratings),
        title_of("evaluations"): counts["evaluations"],
        _("Score"): None
        if step["evaluations"].score is None
        else round(step["evaluations"].score, 1),
    }


def _columns(head: str) -> dict[str, Any]:
    counts = [
        cards.column_of("received"),
        *(title_of(key) for key in ("missed", "missed_callers", "evaluations")),
        _("Ratings"),
        _("Score"),
    ]
    shares = [title_of(key) for key in ("answered", *OF_MISSES, *COUNTED[2:])]
    return {
        head: tables.name_column(head, NAME_WIDTH),
        **{name: tables.count_column(name, max(72, 20 + 7 * len(name))) for name in counts},
        **{name: tables.share_column(name, 104 if len(name) < 14 else 128) for name in shares},
    }


def describe_basis(
    viewer: Viewer, look: FilterState, by: Mapping[Any, Mapping[str, Any]], dimension: str
) -> str:
    """How many contacts a comparison rests on; the attribution rate where a sum of its
    own lines would not be one.
    """
    return _describe_coverage(by, dimension) or describe_attribution(viewer, look)


def _describe_coverage(by: Mapping[Any, Mapping[str, Any]], dimension: str) -> str:
    """How many contacts a comparison is about; nothing where some of its numbers are
    hidden, since the sum would not be one.
    """
    counts = {value: row["received"].n for value, row in by.items() if "received" in row}
    if any(formatting.is_missing(count) for count in counts.values()):
        return ""
    known, whole = (
        formatting.number(count)
        for count in (
            sum(count for value, count in counts.items() if value is not None),
            sum(counts.values()),
        )
    )
    return {
        "campaign": _("{n} of {whole} contacts have a known campaign.", n=known, whole=whole),
        "source": _("{n} of {whole} contacts have a known source.", n=known, whole=whole),
        "medium": _("{n} of {whole} contacts have a known medium.", n=known, whole=whole),
        "keyword": _("{n} of {whole} contacts have a known keyword.", n=known, whole=whole),
    }.get(dimension) or _(
        "{n} of {whole} contacts came on a tracking number.", n=known, whole=whole
    )


def show_costs(viewer: Viewer, look: FilterState, dimension: str) -> None:
    """Spend, and what a contact, an answered and a resolved one cost: a line per
    campaign and currency.
    """
    asked, dimension = dimension, dimension if dimension in SPEND_DIMENSIONS else "campaign"
    with st.container(border=True, height="stretch", gap="xxsmall"):
        frame = cached.measure(viewer, COSTS, (dimension,), look.where, look.compare)
        lines: dict[tuple[Any, str | None], dict[str, Any]] = {}
        for row in frame.itertuples():
            value, currency = (
                None if formatting.is_missing(one) else one
                for one in (getattr(row, dimension), look.currency_of(row))
            )
            lines.setdefault((value, currency), {})[row.kpi] = row
        # Where there are several currencies, a KPI without any amount has a line of its
        # own that says nothing.
        paid = {value for value, currency in lines if currency is not None}
        keys = [key for key in lines if key[1] is not None or key[0] not in paid]
        keys.sort(key=lambda key: (key[0] is None, -_count(lines[key]), str(key)))
        currencies = sorted({currency for _value, currency in keys if currency})
        cards.show_heading(
            _describe_costs(lines, dimension),
            _join(
                _describe_instead(asked),
                describe_attribution(viewer, look),
                _describe_currencies(currencies),
            ),
        )
        if not any(_amount(lines[key], "spend") for key in keys) and not any(
            _is_hidden(lines[key]) for key in keys
        ):
            st.caption(_describe_no_spend(lines))
            return
        head = _(dimensions.get_dimension(dimension).title)
        shown = [
            _build_cost(
                lines[key],
                formatting.name(dimension, key[0]),
                head,
                key[1] if len(currencies) > 1 else None,
            )
            for key in keys
        ]
        without = cached.headline(viewer, ("attribution_rate",), look.where)["attribution_rate"]
        if not formatting.is_missing(without.value):
            shown.append(_build_unattributed(int(without.n - without.numerator), head, shown[0]))
        config = _cost_columns(head, currencies)
        on_select = (
            _on_cost(dimension, [key[0] for key in keys]) if drill.is_open_to(viewer) else None
        )
        tables.show(shown, config, "table_costs", on_select, height=400)
        if any(
            "provisional_spend" in row.notes for line in lines.values() for row in line.values()
        ):
            st.caption(
                ngettext(
                    "Provisional: the period reaches into the last {n} day, whose spend may "
                    "still arrive.",
                    "Provisional: the period reaches into the last {n} days, whose spend may "
                    "still arrive.",
                    cached.current_settings().provisional_spend_days,
                )
            )
        with tables.show_foot():
            tables.note_definitions(COSTS, look, "costs")
            download_links.show_download(
                _("Export"),
                "figures",
                key="costs",
                **exports.parameters(COSTS, (dimension,), look.where),
            )


def _describe_instead(asked: str) -> str:
    if asked in SPEND_DIMENSIONS:
        return ""
    return _(
        "By campaign: what a {dimension} cost is not known.",
        dimension=_(dimensions.get_dimension(asked).title).lower(),
    )


def _amount(line: Mapping[str, Any], key: str) -> float:
    return 0.0 if key not in line or formatting.is_missing(line[key].value) else line[key].value


def _count(line: Mapping[str, Any]) -> float:
    return (
        -1.0
        if "cost_per_contact" not in line or formatting.is_missing(line["cost_per_contact"].n)
        else line["cost_per_contact"].n
    )


def _is_hidden(line: Mapping[str, Any]) -> bool:
    return any(row.status == "suppressed" for row in line.values())


def _describe_costs(
    lines: Mapping[tuple[Any, str | None], Mapping[str, Any]], dimension: str
) -> ChartTitle:
    """Which answered contact is dearest and which cheapest, where all cost in one
    currency.
    """
    known = [
        (value, currency, line["cost_per_answered"])
        for (value, currency), line in lines.items()
        if value is not None
        and _amount(line, "cost_per_answered")
        and line["cost_per_answered"].n >= ENOUGH
    ]
    if len(known) < 2 or len({currency for _value, currency, _row in known}) > 1:
        return ChartTitle(_("What one contact costs"))
    (dear, currency, most), (cheap, _same, least) = (
        pick(known, key=lambda one: one[2].value) for pick in (max, min)
    )
    said = {"dear": formatting.name(dimension, dear), "cheap": formatting.name(dimension, cheap)}
    said |= {
        "most": formatting.money(most.value, currency),
        "least": formatting.money(least.value, currency),
    }
    return ChartTitle(
        _("An answered contact costs from {least} ({cheap}) to {most} ({dear})", **said)
    )


def _describe_no_spend(lines: Mapping[Any, Mapping[str, Any]]) -> str:
    if any(
        note == "spend_beyond_scope"
        for line in lines.values()
        for row in line.values()
        for note in row.notes
    ):
        return _("Spend belongs to the whole centre, not to some teams.")
    return _(
        "No spend is known in this period. Import what the campaigns cost, day by day, to see "
        "what a contact costs."
    )


def _describe_currencies(currencies: Sequence[str]) -> str:
    if len(currencies) < 2:
        return ""
    return _(
        "Spend is in {currencies}: each on a line of its own, never added.",
        currencies=formatting.listing(currencies),
    )


def _build_cost(
    line: Mapping[str, Any], name: str, head: str, currency: str | None
) -> dict[str, Any]:
    contacts = line.get("cost_per_contact")
    amounts = {
        key: line[key].value if key in line and not formatting.is_missing(line[key].value) else None
        for key in COSTS
    }
    change = getattr(line.get("cost_per_answered"), "delta", None)
    before = getattr(line.get("cost_per_answered"), "value_before", None)
    is_provisional = any("provisional_spend" in row.notes for row in line.values())
    return {
        head: name,
        **({_("Currency"): currency} if currency else {}),
        cards.column_of("spend"): amounts["spend"],
        cards.column_of("received"): None
        if contacts is None or formatting.is_missing(contacts.n)
        else int(contacts.n),
        **{cards.column_of(key): amounts[key] for key in COSTS[1:]},
        _("Per answered, change"): ""
        if formatting.is_missing(change) or not before
        else _sign(change / before),
        _("Note"): _("provisional") if is_provisional else _("hidden") if _is_hidden(line) else "",
    }


def _build_unattributed(count: int, head: str, like: Mapping[str, Any]) -> dict[str, Any]:
    """The contacts that no spend can be divided by, so that nobody takes the lines
    above for all contacts.
    """
    return {
        **dict.fromkeys(like),
        head: _("Not attributed"),
        cards.column_of("received"): count,
        _("Note"): _("no known source"),
    }


def _on_cost(dimension: str, values: Sequence[Any]) -> Callable[[], None]:
    """A click on a line; the one below the values stands for the contacts without a
    source.
    """

    def open_row() -> None:
        cells = st.session_state["table_costs"]["selection"]["cells"]
        if cells:
            row = cells[0][0]
            drill.to_contacts({dimension: values[row]} if row < len(values) else {"source": None})

    return open_row


def _sign(share: float) -> str:
    return ("+" if share > 0 else "") + formatting.percent(share, 0)


def _cost_columns(head: str, currencies: Sequence[str]) -> dict[str, Any]:
    form = MONEY_FORMATS.get(currencies[0], "%.2f") if len(currencies) == 1 else "%.2f"
    money = {
        cards.column_of(key): st.column_config.NumberColumn(
            cards.column_of(key), format=form, width=100
        )
        for key in COSTS
    }
    return {
        head: tables.name_column(head, NAME_WIDTH),
        **money,
        cards.column_of("received"): tables.count_column(cards.column_of("received"), 76),
    }


def show_callers(
    viewer: Viewer, look: FilterState, by: Mapping[Any, Mapping[str, Any]], dimension: str
) -> None:
    """Customers who came for the first time and customers who had come before."""
    rows = tables.wide(cached.measure(viewer, CALLERS, (dimension,), look.where), dimension)
    totals = cached.headline(viewer, CALLERS, look.where)
    ordered = [
        value for value in tables.largest_first(rows, "first_time_callers") if value is not None
    ] + ([None] if None in rows else [])
    head = _(dimensions.get_dimension(dimension).title)
    new, old, unknown = _("First time"), _("Came before"), _("Without a number")
    with st.container(border=True, height="stretch", gap="xxsmall"):
        clickable = drill.is_open_to(viewer)
        cards.show_heading(
            _describe_callers(totals),
            _join(
                _(
                    "Customers, once each; who came for the first time and again is in both "
                    "columns."
                ),
                describe_basis(viewer, look, by, dimension),
                _describe_click(clickable),
            ),
        )
        lines = [
            {
                head: formatting.name(dimension, value),
                new: _whole(rows[value]["first_time_callers"].value),
                old: _whole(rows[value]["returning_callers"].value),
                unknown: _whole(rows[value]["first_time_callers"].unknown_identity),
            }
            for value in ordered
        ]
        config = {
            head: tables.name_column(head, NAME_WIDTH),
            **{name: tables.count_column(name, 98) for name in (new, old, unknown)},
        }
        tables.show(
            lines,
            config,
            "table_callers",
            drill.on_row("table_callers", dimension, ordered) if clickable else None,
            height=400,
        )
        _describe_hidden(rows)
        with tables.show_foot():
            tables.note_definitions(CALLERS, look, "callers")
            download_links.show_download(
                _("Export"),
                "figures",
                key="callers",
                **exports.parameters(CALLERS, (dimension,), look.where),
            )


def _describe_callers(totals: Mapping[str, Any]) -> ChartTitle:
    new, old = (totals[key].value for key in CALLERS)
    if formatting.is_missing(new) or formatting.is_missing(old):
        return ChartTitle(_("New and returning callers"))
    said = {"count": formatting.number(new), "others": formatting.number(old)}
    return ChartTitle(
        ngettext(
            "{count} customer came for the first time, {others} had come before",
            "{count} customers came for the first time, {others} had come before",
            int(new),
            **said,
        )
    )


def show_attribution(viewer: Viewer, look: FilterState) -> None:
    """How the source of contacts is known: what every comparison here rests on."""
    frame = cached.measure(viewer, ("attribution_rate",), ("tracking_match",), look.where)
    whole, nothing = frame["n"].sum(), formatting.name("tracking_match", None)
    counts: dict[str, int] = {}
    for row in frame.itertuples():
        known = 0 if formatting.is_missing(row.numerator) else int(row.numerator)
        title = (
            _(OWN_WORDS)
            if formatting.is_missing(row.tracking_match)
            else formatting.name("tracking_match", row.tracking_match)
        )
        counts[title] = counts.get(title, 0) + known
        counts[nothing] = counts.get(nothing, 0) + int(row.n) - known
    ordered = [
        *sorted(
            (title for title, n in counts.items() if n and title != nothing),
            key=lambda title: -counts[title],
        ),
        nothing,
    ]
    how, contacts, share = _("How"), _("Contacts"), _("Share")
    with st.container(border=True, height="stretch", gap="xxsmall"):
        cards.show_heading(
            ChartTitle(_("How the source was found")), describe_attribution(viewer, look)
        )
        lines = [
            {
                how: title,
                contacts: counts[title],
                share: tables.as_share(counts[title] / whole) if whole else None,
            }
            for title in ordered
        ]
        config = {
            how: tables.name_column(how, 176),
            contacts: tables.count_column(contacts, 70),
            share: tables.percent_column(share, 56),
        }
        tables.show(lines, config, "table_attribution", height=300)
        download_links.show_download(
            _("Export"),
            "figures",
            key="attribution",
            **exports.parameters(("attribution_rate",), ("tracking_match",), look.where),
        )


def describe_attribution(viewer: Viewer, look: FilterState) -> str:
    """The attribution rate in a sentence, to stand beside every comparison."""
    row = cached.headline(viewer, ("attribution_rate",), look.where)["attribution_rate"]
    if formatting.is_missing(row.value):
        return (
            _("How many contacts have a known source is hidden.")
            if row.status == "suppressed"
            else ""
        )
    return _(
        "Attribution rate {rate}: the source of {n} of {whole} contacts is known.",
        rate=formatting.percent(row.value),
        n=formatting.number(row.numerator),
        whole=formatting.number(row.n),
    )


def describe_money(row: Any, look: FilterState) -> str:
    """An amount of a row of `measure` in its currency."""
    return formatting.money(row.value, look.currency_of(row))


def _describe_hidden(by: Mapping[Any, Mapping[str, Any]]) -> None:
    hidden = sum(_is_hidden(row) for row in by.values())
    if hidden:
        st.caption(
            ngettext(
                "{n} line has numbers that are hidden: fewer than five advisors or ten "
                "contacts stand behind them.",
                "{n} lines have numbers that are hidden: fewer than five advisors or ten "
                "contacts stand behind them.",
                hidden,
            )
        )


def _describe_click(clickable: bool) -> str:
    return _("Click a line to see its contacts.") if clickable else ""


def _join(*sentences: str) -> str:
    return " ".join(filter(None, sentences))


def _whole(value: float | None) -> int | None:
    return None if formatting.is_missing(value) else int(value)
