"""The Explain a number page: the value, its count, its settings, its sources."""

from typing import Any

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis import explanations, note_texts
from qa_core.base.i18n import _, uncapitalise
from qa_core.centre.settings import get_setting
from qa_core.metrics.kpi.explain import Variant
from qa_core.metrics.kpi.freshness import SOURCE_TITLES
from qa_core.metrics.kpis import Kpi, dimensions, formatting
from qa_core.metrics.kpis.declaration import CONTACT_DIMENSIONS
from qa_core.metrics.query import Explanation
from qa_core.ui.frame import cached, layout
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.frame.markdown import escape
from qa_core.ui.widgets import cards, download_links, drill, explain_link, tables
from qa_core.ui.widgets.explain_link import Extra

STATUSES = {"suppressed": cards.HIDDEN, "small_sample": cards.SMALL_SAMPLE}


def show(viewer: Viewer, state: FilterState, kpi: Kpi) -> None:
    """Show the explanation of a KPI under the filter bar and what the address adds."""
    extra = explain_link.read_extra(viewer)
    if extra:
        with st.container(horizontal=True, gap="xsmall"):
            explain_link.show_extra(extra)
    # Of the filters of another page, those that this KPI cannot be cut by do not apply.
    values = {name: chosen for name, chosen in state.where.values if name in kpi.dimensions}
    where = dimensions.Filters.of(state.where.period, values)
    explanation = cached.explain(viewer, kpi.key, explain_link.narrow(where, extra))
    left, right = st.columns([3, 2], gap="small")
    with left:
        _show_value(viewer, state, explanation, extra)
    with right:
        _show_settings(explanation)
    _show_counts(explanation)
    if explanation.variants:
        _show_variants(explanation)
    _show_sources(explanation)


def _show_value(viewer: Viewer, state: FilterState, explanation: Explanation, extra: Extra) -> None:
    kpi = explanation.kpi
    with cards.card(is_stretched=True):
        for row in explanation.rows:
            currency = row.by.get("currency") or state.currency
            value = formatting.value(row.value, kpi.unit, currency)
            st.metric(
                _(kpi.title),
                f":gray[{escape(_name_missing(row))}]" if row.value is None else value,
                label_visibility="collapsed",
            )
            between = formatting.interval(row.low, row.high, kpi.unit, currency)
            st.caption(
                _("95 % confidence interval {interval}", interval=between)
                if between
                else formatting.period(explanation.where.period)
            )
            if arithmetic := explanations.format_calculation(kpi, row, currency):
                st.markdown(f"**{escape(arithmetic)}**")
        st.write(_(kpi.meaning))
        st.markdown(f":material/function: {escape(_(kpi.formula))}")
        row = explanation.row
        # The waits that are left out are counted below, line by line.
        notes = [note for note in row.notes or () if not note.startswith("waits_missing")]
        status = [_(STATUSES[row.status])] if row.status in STATUSES else []
        published = [_(explanations.PUBLISHED)] if explanation.is_published else []
        for text in status + note_texts.describe(notes) + published:
            st.caption(text)
        with layout.row():
            _show_contacts_button(viewer, explanation, extra)
            download_links.show_figures("explained", (kpi.key,), (), explanation.where)


def _name_missing(row: Any) -> str:
    return cards.name_status(row.status) or _(formatting.NO_DATA)


def _show_contacts_button(viewer: Viewer, explanation: Explanation, extra: Extra) -> None:
    can_list = all(len(values) == 1 and name in CONTACT_DIMENSIONS for name, values in extra)
    if explanation.contacts_behind and can_list and drill.is_open_to(viewer):
        title, kept = _("Open the contacts"), {name: values[0] for name, values in extra}
        behind = (kept, explanation.contacts_behind)
        layout.show_button("arrow_forward", title, "explain_contacts", drill.to_contacts, *behind)


def _show_settings(explanation: Explanation) -> None:
    title = _("Settings that change it") if explanation.settings else _("No setting changes it")
    with cards.card(title, is_stretched=True):
        for entry in explanation.settings:
            setting = get_setting(entry.name)
            value = escape(formatting.setting_value(entry.name, entry.value))
            st.markdown(f"{_(setting.title)} – **{value}**", help=_(setting.meaning))
            st.caption(formatting.since(entry.since))


def _show_counts(explanation: Explanation) -> None:
    rows = explanations.build_rows(explanation)
    hint = _("Where several reasons apply, the first in this order counts.")
    with cards.card(_("Counted and left out"), hint):
        if not rows:
            few = _("One of the reasons covers too few cases, so no reason is shown.")
            st.caption(" ".join(note_texts.describe_populations(explanation.rows)) or few)
            return
        whole = rows[0][1]
        for title, n in rows:
            share = n / whole if whole else 0.0
            count = f"**{formatting.number(n)}** · {formatting.percent(share)}"
            st.progress(share, f"{escape(title)} · {count}")


def _show_variants(explanation: Explanation) -> None:
    name, kpi = str(explanation.varied_setting), explanation.kpi
    title = _(get_setting(name).title)

    def describe(variant: Variant) -> str:
        mark = f" ({uncapitalise(_('In force'))})" if variant.is_in_force else ""
        return formatting.setting_value(name, variant.value) + mark

    def value(row: Any) -> str:
        return _name_missing(row) if row.value is None else formatting.value(row.value, kpi.unit)

    def interval(row: Any) -> str:
        return formatting.interval(row.low, row.high, kpi.unit)

    columns = (
        tables.text_column(title, describe),
        tables.number_text_column(_(kpi.title), lambda variant: value(variant.row)),
        tables.number_text_column("95 %", lambda variant: interval(variant.row)),
        tables.count_column(_("n"), lambda variant: variant.row.n),
    )
    with cards.card(_("Counted in other ways")):
        tables.show(explanation.variants, columns, "variants")


def _show_sources(explanation: Explanation) -> None:
    with cards.card(_("Where it comes from")):
        if not explanation.sources:
            st.caption(_("No import provides data for this figure."))
            return
        columns = (
            tables.text_column(_("Tool"), lambda source: source.system),
            tables.text_column(_("Kind"), lambda source: _(SOURCE_TITLES[source.kind])),
            tables.count_column(_("Rows"), lambda source: source.rows),
            tables.count_column(_("Imports"), lambda source: source.batches),
            tables.text_column(
                _("Last import"), lambda source: formatting.moment(source.imported_at)
            ),
            tables.text_column(
                _("Newest contact or day"),
                lambda source: explanations.describe_moment(source.newest),
            ),
        )
        tables.show(explanation.sources, columns, "explained_sources")
