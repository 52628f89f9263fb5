"""People and machines: what machines take and pass on, and what lasts, reason by reason."""

from collections.abc import Mapping

import pandas as pd

from qa_core.access.roles import Viewer
from qa_core.base.i18n import _
from qa_core.metrics import query
from qa_core.metrics.kpis import formatting, get_kpi
from qa_core.stats import control_charts
from qa_core.ui.frame import cached
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.views.performance import rate_mix_waterfall
from qa_core.ui.widgets import cards, sections, tables

MACHINES, PEOPLE = "lasting_resolution", "lasting_resolution_people"
TILES = (
    "machine_share", MACHINES, PEOPLE, "repeat_to_person", "handover_rate", "handover_wait",
)  # fmt: skip
BY_HANDLER = ("received", "first_contact_resolution", "csat")


def offer(viewer: Viewer, state: FilterState, overrides: Mapping[str, str] = {}) -> None:
    """Show the section, where machines took contacts of the centre."""
    if query.count_machine_contacts():
        title = _("People and machines")
        sections.show(sections.MACHINES, title, _show, viewer, state, overrides)


def _show(viewer: Viewer, state: FilterState, overrides: Mapping[str, str]) -> None:
    tiles = tuple(key for key in TILES if viewer.can(get_kpi(key).needs))
    rows = cached.headline(viewer, tiles, state.where, state.compare, overrides)
    cards.show_tiles([cards.build_tile(rows[key], state) for key in tiles])
    if not state.may_cut(viewer, "handled_by"):
        cards.show_one_cut(_("By person and machine"))
        return
    kpis = tuple(key for key in BY_HANDLER if viewer.can(get_kpi(key).needs))
    _show_table(viewer, state, "handled_by", kpis, _("By person and machine"), overrides)
    if state.may_cut(viewer, "reason"):
        _show_table(viewer, state, "reason", (MACHINES, PEOPLE), "", overrides)


def _show_table(
    viewer: Viewer,
    state: FilterState,
    dimension: str,
    kpis: tuple[str, ...],
    title: str,
    overrides: Mapping[str, str],
) -> None:
    frame = cached.measure(viewer, kpis, (dimension,), state.where, overrides=overrides)
    by = tables.index_rows(frame, dimension)
    columns = [
        tables.interval_column(key, lambda value, key=key: by[value].get(key)) for key in kpis
    ]
    with cards.card(title or _compare_reasons(frame)):
        lines = tables.largest_first(by, kpis[0])
        tables.show(lines, (tables.dimension_column(dimension), *columns), f"machines_{dimension}")
        tables.show_hidden(by)
        with tables.show_foot():
            tables.show_definitions(kpis, state, f"machines_{dimension}")


def _compare_reasons(frame: pd.DataFrame) -> str:
    """Say how much of the difference between machines and people is what each is asked."""
    sides = [
        rate_mix_waterfall.read_segments(frame[frame["kpi"] == key], "reason")[0]
        for key in (PEOPLE, MACHINES)
    ]
    effects = control_charts.explain_change(*sides)
    if not effects:
        return _("Lasting resolution by reason")
    return _(
        "Machines against people: {rate} for the same reasons, {mix} because they get other "
        "reasons",
        rate=formatting.change(sum(effect.rate for effect in effects), "rate"),
        mix=formatting.change(sum(effect.mix for effect in effects), "rate"),
    )
