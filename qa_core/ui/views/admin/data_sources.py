"""The Sources of data page: each source with its days, what is missing, and undo of a day."""

from datetime import timedelta
from itertools import groupby

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.base.i18n import _, ngettext
from qa_core.metrics.kpi.freshness import SOURCE_TITLES
from qa_core.metrics.kpis import formatting
from qa_core.metrics.kpis.dimensions import Period
from qa_core.sources import ledger, pull, register
from qa_core.sources.ledger import WindowEntry
from qa_core.sources.register import SourceEntry
from qa_core.ui.frame import layout
from qa_core.ui.frame.gate import current_viewer
from qa_core.ui.frame.markdown import escape
from qa_core.ui.views.admin import import_report
from qa_core.ui.widgets import actions, cards, empty_states, tables

SHOWN_MISSING = 7
"""Runs of days with one gap that are listed above the table, the newest."""


def show_sources(viewer: Viewer) -> None:
    """Show each source: when it was read, what is missing, and its days."""
    actions.show_outcome()
    entries = register.find_sources(viewer)
    if not entries:
        command = "`python -m qa_core sources add NAME --platform aircall --kind contacts`"
        text = _("An operator adds one on the server: {command}", command=command)
        empty_states.card(":material/cable:", _("No source yet"), text)
    for entry in entries:
        _show_source(viewer, entry)


def _show_source(viewer: Viewer, entry: SourceEntry) -> None:
    windows = ledger.find_windows(viewer, entry.name)
    kind = _(SOURCE_TITLES[entry.kind])
    st.subheader(escape(f"{entry.name} · {_(entry.declared.title)} · {kind}"), anchor=False)
    st.caption(escape(_describe_state(windows)))
    for system in pull.find_doubled(windows):
        st.warning(escape(pull.describe_doubled(entry.name, system)))
    for text, run in _find_missing(windows)[:SHOWN_MISSING]:
        newest, numbers = run[0], [window.id for window in run]
        with layout.line():
            days = formatting.period(Period(run[-1].day, newest.day))
            st.markdown(f":red[:material/error:] {escape(f'{days} · {text}')}", width="stretch")
            layout.show_quiet_button(
                "refresh", _("Try again"), f"fill_{newest.id}", _fill, *numbers
            )
    columns = (
        tables.day_column(_("Day"), lambda window: window.day),
        tables.text_column(_("Result"), ledger.describe_state),
        tables.count_column(_("Read"), lambda window: window.fetched),
        tables.count_column(_("Stated"), lambda window: window.expected),
        _count_column("new"),
        _count_column("updated"),
        _count_column("rejected"),
        tables.count_column(
            _("Deleted at source"), lambda window: window.counts.get("gone"), width=130
        ),
        tables.moment_column(_("Last reading"), lambda window: _to_local(window.read_at)),
        tables.moment_column(_("Next reading"), lambda window: _to_local(window.next_at)),
    )
    window = tables.choose(windows, columns, f"windows_{entry.name}", height=420)
    if window is not None:
        _show_window(window)


def _find_missing(windows: list[WindowEntry]) -> list[tuple[str, list[WindowEntry]]]:
    """Find the days that are not complete; neighbouring days with one text are one run."""
    missing = [window for window in windows if window.state in ledger.MISSING]
    places = enumerate(missing)
    runs = groupby(places, lambda p: (ledger.describe(p[1]), p[1].day + timedelta(days=p[0])))
    return [(text, [window for _place, window in run]) for (text, _day), run in runs]


def _describe_state(windows: list[WindowEntry]) -> str:
    read = max((window.read_at for window in windows if window.read_at), default=None)
    due = min((window.next_at for window in windows if window.next_at), default=None)
    missing = sum(window.state in ledger.MISSING for window in windows)
    parts = [
        _("last read {moment}", moment=formatting.local_moment(read))
        if read
        else _("not read yet"),
    ]
    if due:
        parts.append(_("next {moment}", moment=formatting.local_moment(due)))
    if missing:
        parts.append(ngettext("{n} day is not complete", "{n} days are not complete", missing))
    return " · ".join(parts)


def _show_window(window: WindowEntry) -> None:
    """Offer what may be done with one day."""
    with cards.card(gap="small"):
        st.text(window.label)
        layout.show_button("refresh", _("Try again"), f"again_{window.id}", _fill, window.id)
        if window.state != ledger.UNDONE and window.read_at:
            import_report.ask_undo(window.id, lambda acting: pull.undo(acting, window.id))


def _fill(*numbers: int) -> None:
    with actions.keep_refusals():
        for number in numbers:
            ledger.fill(current_viewer(Permission.MANAGE_IMPORTS), number)
        text = ngettext(
            "The next pull reads this day.", "The next pull reads these {n} days.", len(numbers)
        )
        actions.keep_outcome(text)


def _count_column(name: str) -> tables.TableColumn:
    title = import_report.name_count(name)
    return tables.count_column(title, lambda window: window.counts.get(name), width=80)


def _to_local(moment: object) -> object:
    return moment and environment.to_local(moment)
