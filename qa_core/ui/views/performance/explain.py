"""One number explained: the value, what was counted and what was left out, the settings
behind it, and where the rows came from.
"""

from __future__ import annotations

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.analysis import explanations, exports
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.base.i18n import N_, _
from qa_core.centre.settings import get_setting
from qa_core.metrics import dimensions, formatting, setting_texts
from qa_core.metrics.kpis import Kpi
from qa_core.metrics.kpis.declaration import CONTACT_DIMENSIONS
from qa_core.metrics.query import Explanation
from qa_core.metrics.query.freshness import SOURCE_TITLES
from qa_core.ui import cached, cards, download_links, drill, explain_link, menu, tables
from qa_core.ui.filter_bar import FilterState
from qa_core.ui.plain import escape

STATUSES = {
    "suppressed": N_("Hidden: fewer than five advisors or ten contacts stand behind it."),
    "no_data": N_(
        "No data: nothing that this could be counted from is in the period and the filters."
    ),
    "pending": N_("Pending: the window of no contact is complete yet."),
    "small_sample": N_(
        "Small sample: fewer than 30 stand behind it, so that chance moves it much."
    ),
}


def show(viewer: Viewer, look: FilterState, kpi: Kpi) -> None:
    """The whole explanation, under the row of filters and what the address adds to it."""
    extra = explain_link.read_extra(viewer)
    _show_extra(extra)
    # A filter of another page that this figure cannot be cut by is none of it.
    where = dimensions.Filters.of(
        look.where.period,
        {name: values for name, values in look.where.values if name in kpi.dimensions},
    )
    explanation = cached.explain(viewer, kpi.key, explain_link.narrow(where, extra))
    left, right = st.columns([3, 2], gap="small")
    with left:
        _show_value(viewer, look, explanation, extra)
    with right:
        _show_settings(viewer, explanation)
    _show_counts(explanation)
    if explanation.variants:
        _show_variants(explanation)
    _show_sources(explanation)


def _show_extra(extra: explain_link.Extra) -> None:
    if not extra:
        return
    with st.container(horizontal=True, gap="xsmall"):
        for dimension, values in extra:
            _show_removable(
                dimension,
                f"{_(dimensions.get_dimension(dimension).title)}: "
                f"{formatting.listing(formatting.name(dimension, value) for value in values)}",
            )


def _show_removable(dimension: str, label: str) -> None:
    def remove() -> None:
        if dimension in st.query_params:
            del st.query_params[dimension]

    st.button(escape(label), icon=":material/close:", key=f"remove_{dimension}", on_click=remove)


def _show_value(
    viewer: Viewer, look: FilterState, explanation: Explanation, extra: explain_link.Extra
) -> None:
    kpi = explanation.kpi
    with st.container(border=True, height="stretch", gap="xxsmall"):
        for row in explanation.rows:
            currency = row.by.get("currency") or look.currency
            value = formatting.value(row.value, kpi.unit, currency)
            st.metric(
                _(kpi.title),
                value if row.value is not None else f":gray[{escape(_missing(row.status))}]",
                label_visibility="collapsed",
            )
            between = formatting.interval(row.low, row.high, kpi.unit, currency)
            st.caption(
                _("95 % interval: {interval}", interval=between)
                if between
                else formatting.period(explanation.where.period)
            )
            sum_ = explanations.arithmetic(kpi, row, currency)
            if sum_:
                st.markdown(f"**{escape(sum_)}**")
        st.write(_(kpi.meaning))
        st.markdown(f":material/function: {escape(_(kpi.formula))}")
        row = explanation.row
        # Which waits are left out is told below, line by line.
        notes = [note for note in row.notes or () if not note.startswith("waits_missing")]
        for said in (
            *([_(STATUSES[row.status])] if row.status in STATUSES else []),
            *cards.describe_notes(notes),
        ):
            st.caption(said)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            _show_way_to_contacts(viewer, explanation, extra)
            download_links.show_download(
                _("Export"), "explanation", **exports.parameters((kpi.key,), (), explanation.where)
            )


def _missing(status: str) -> str:
    """In place of a value."""
    return (
        _("hidden")
        if status == "suppressed"
        else _("pending")
        if status == "pending"
        else _(formatting.NO_DATA)
    )


def _show_way_to_contacts(
    viewer: Viewer, explanation: Explanation, extra: explain_link.Extra
) -> None:
    behind = explanation.contacts_behind
    listable = all(
        len(values) == 1 and dimension in CONTACT_DIMENSIONS for dimension, values in extra
    )
    if behind and listable and drill.is_open_to(viewer):
        values = {dimension: chosen[0] for dimension, chosen in extra}
        st.button(
            _("See the contacts"),
            icon=":material/arrow_forward:",
            on_click=drill.to_contacts,
            args=(values, behind),
            key="explain_contacts",
        )


def _show_settings(viewer: Viewer, explanation: Explanation) -> None:
    with st.container(border=True, height="stretch", gap="xxsmall"):
        cards.show_heading(
            ChartTitle(
                _("Settings that change it") if explanation.settings else _("No setting changes it")
            )
        )
        for entry in explanation.settings:
            setting = get_setting(entry.name)
            st.markdown(
                f"{_(setting.title)} – "
                f"**{escape(setting_texts.setting_value(entry.name, entry.value))}**",
                help=_(setting.meaning),
            )
            st.caption(setting_texts.since(entry.since))
        if explanation.settings and viewer.can(Permission.MANAGE_SETTINGS):
            _show_way_to_settings()
        elif explanation.settings:
            st.caption(_("An administrator can change them, from a day on."))


def _show_way_to_settings() -> None:
    page = next((page for page in menu.all_pages() if page.key == "settings"), None)
    if page:
        st.page_link(page.path, label=_(page.title), icon=page.icon)


def _show_counts(explanation: Explanation) -> None:
    rows = explanations.rows_of(explanation)
    with st.container(border=True, gap="xxsmall"):
        cards.show_heading(
            ChartTitle(_("What is counted, and what is left out")),
            _("Of what has several reasons to be left out, the first in this order is told."),
        )
        if not rows:
            st.caption(_("So few stand behind one of the reasons that none is told."))
            return
        for title, n in rows:
            share = n / rows[0][1] if rows[0][1] else 0.0
            st.progress(
                share, f"{escape(title)} · **{formatting.number(n)}** · {formatting.percent(share)}"
            )


def _show_variants(explanation: Explanation) -> None:
    name, kpi = str(explanation.varied), explanation.kpi
    with st.container(border=True, gap="xxsmall"):
        cards.show_heading(
            ChartTitle(_("Counted in other ways")),
            _("The same contacts, by each value of: {setting}", setting=_(get_setting(name).title)),
        )
        rows = [
            {
                _(get_setting(name).title): setting_texts.setting_value(name, variant.value)
                + (" ✓" if variant.is_in_force else ""),
                _(kpi.title): _missing(variant.row.status)
                if variant.row.value is None
                else formatting.value(variant.row.value, kpi.unit),
                "95 %": formatting.interval(variant.row.low, variant.row.high, kpi.unit),
                _("n"): variant.row.n,
            }
            for variant in explanation.variants
        ]
        tables.show(rows, {_("n"): tables.count_column(_("n"))}, "variants")
        if any(variant.is_in_force for variant in explanation.variants):
            st.caption(_("✓ in force"))


def _show_sources(explanation: Explanation) -> None:
    with st.container(border=True, gap="xxsmall"):
        cards.show_heading(ChartTitle(_("Where it comes from")))
        if not explanation.sources:
            st.caption(_("Nothing was imported for it."))
            return
        rows = [
            {
                _("Tool"): source.system,
                _("Kind"): _(SOURCE_TITLES[source.kind]),
                _("Rows"): source.rows,
                _("Imports"): source.batches,
                _("Last import"): formatting.moment(source.imported_at),
                _("Newest contact or day"): explanations.describe_moment(source.newest),
            }
            for source in explanation.sources
        ]
        tables.show(
            rows,
            {
                _("Rows"): tables.count_column(_("Rows")),
                _("Imports"): tables.count_column(_("Imports")),
            },
            "explained_sources",
        )
        st.caption(
            _(
                "Rows: of what is counted or left out above. Imports: those that reach into "
                "the period."
            )
        )
