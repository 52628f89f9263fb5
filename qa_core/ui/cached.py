"""Answers kept for a moment: the only place that caches data. Every key holds the viewer and the version of everything asked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa
import streamlit as st

from qa_core import alerts, annotations, home, lake, numbers, query, settings, statistics, targets
from qa_core.access import Viewer
from qa_core.irritants import finding
from qa_core.irritants.subject import Candidate, Count, Subject
from qa_core.query import answers
from qa_core.records import store
from qa_core.records.model import Advisor, AlertEvent, Annotation, Grid, ImportBatch, NameDecision, SettingValue, Target
from qa_core.settings import Settings
from qa_core.slices import Filters, Period

_VERSION = "data_version"
SECONDS = 300
"""How long an answer may outlive what the version below does not cover, such as the new name of an advisor."""


def measure(
    viewer: Viewer,
    kpis: tuple[str, ...],
    by: tuple[str, ...] = (),
    where: Filters = Filters(),
    compare: Period | None = None,
    overrides: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """`query.measure`, remembered."""
    return _measure(viewer, version(), kpis, by, where, compare, tuple(sorted((overrides or {}).items())))


def headline(
    viewer: Viewer, kpis: tuple[str, ...], where: Filters, compare: Period | None = None, overrides: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The rows of `measure` without any cut, with their gap to the target, by the key of their KPI (the first, where currencies differ)."""
    rows: dict[str, Any] = {}
    for row in _headline(viewer, version(), kpis, where, compare, tuple(sorted((overrides or {}).items()))).itertuples():
        rows.setdefault(row.kpi, row)
    return rows


def find_targets(viewer: Viewer, kpi: str, where: Filters) -> tuple[targets.Step, ...]:
    """`targets.find`, remembered."""
    return _find_targets(viewer, version(), kpi, where)


def find_notes(viewer: Viewer, where: Filters) -> tuple[annotations.Note, ...]:
    """`annotations.find`, remembered."""
    return _find_notes(viewer, version(), where)


def find_note_scopes(viewer: Viewer) -> tuple[annotations.Scope, ...]:
    """`annotations.find_scopes`, remembered."""
    return _find_note_scopes(viewer, version())


def find_changes(viewer: Viewer, period: Period, kpis: tuple[str, ...]) -> tuple[query.Change, ...]:
    """`query.find_changes`, remembered."""
    return _find_changes(viewer, version(), period, kpis)


def find_alerts(viewer: Viewer) -> tuple[alerts.Event, ...]:
    """`alerts.find`, remembered: the open ones."""
    counted = (sa.func.max(AlertEvent.id), sa.func.count(AlertEvent.acknowledged_at), sa.func.count(AlertEvent.closed_at), sa.func.max(AlertEvent.last_seen))
    with store.reading() as session:
        state = session.execute(sa.select(*counted)).one()
    return _find_alerts(viewer, (version(), *state))


def explain(viewer: Viewer, kpi: str, where: Filters) -> query.Explanation:
    """`query.explain`, remembered."""
    return _explain(viewer, version(), kpi, where)


def find_values(viewer: Viewer, dimension: str, where: Filters = Filters()) -> list[tuple[str | None, int]]:
    """`query.find_values`, remembered: what may be chosen in a filter, in the viewer's scope."""
    return _find_values(viewer, version(), dimension, where)


def find_waits(viewer: Viewer, where: Filters) -> pd.DataFrame:
    """`query.find_waits`, remembered."""
    return _find_waits(viewer, version(), where)


def find_service_levels(viewer: Viewer, thresholds: tuple[float, ...], where: Filters) -> pd.DataFrame:
    """`query.find_service_levels`, remembered."""
    return _find_service_levels(viewer, version(), thresholds, where)


def find_drivers(viewer: Viewer, where: Filters) -> query.Drivers:
    """`query.find_drivers`, remembered."""
    return _find_drivers(viewer, version(), where)


def find_ratings(viewer: Viewer, kpi: str, where: Filters) -> pd.DataFrame:
    """`query.find_ratings`, remembered."""
    return _find_ratings(viewer, version(), kpi, where)


def find_recovery(viewer: Viewer, where: Filters) -> query.Recovery:
    """`query.find_recovery`, remembered."""
    return _find_recovery(viewer, version(), where)


def find_chains(viewer: Viewer, where: Filters, overrides: Mapping[str, str] | None = None) -> list[query.Chain]:
    """`query.find_chains`, remembered."""
    return _find_chains(viewer, version(), where, tuple(sorted((overrides or {}).items())))


def find_numbers(viewer: Viewer, period: Period) -> numbers.History:
    """`numbers.find_history`, remembered."""
    return _find_numbers(viewer, version(), period)


def find_irritants(viewer: Viewer, where: Filters, compare: Period | None) -> tuple[Candidate, ...]:
    """`irritants.finding.find_candidates`, remembered: counts and single words, never what somebody wrote."""
    return _find_irritants(viewer, version(), where, compare)


def find_follow_up(viewer: Viewer, subject: Subject, filters: Filters, in_hand_on: date) -> tuple[Count | None, Count | None]:
    """`irritants.finding.find_follow_up`, remembered."""
    return _find_follow_up(viewer, version(), subject, filters, in_hand_on)


def data_through(viewer: Viewer) -> datetime | None:
    """`query.data_through`, remembered: the last moment that the viewer's data knows, by the centre's clock."""
    return _data_through(viewer, version())


def find_freshness(viewer: Viewer) -> tuple[query.Freshness, ...]:
    """`query.find_freshness`, remembered until the next import."""
    with store.reading() as session:
        last = session.execute(sa.select(ImportBatch.id, ImportBatch.state).order_by(ImportBatch.id.desc()).limit(1)).first()
    return _find_freshness(viewer, (version(), tuple(last or ())))


def find_advisors(viewer: Viewer, period: Period, teams: tuple[str | None, ...] | None = None) -> tuple[query.Advisor, ...]:
    """`query.find_advisors`, remembered."""
    return _find_advisors(viewer, version(), period, teams)


def team_medians(viewer: Viewer, kpis: tuple[str, ...], period: Period) -> dict[str, tuple[float, int]]:
    """`query.team_medians`, remembered."""
    return _team_medians(viewer, version(), kpis, period)


def find_currency(viewer: Viewer) -> str | None:
    """The currency of all spend; None where there are several, or none."""
    found = _find_currencies(viewer, version())
    return found[0] if len(found) == 1 else None


def current_settings() -> Settings:
    """The settings in force today; read anew each time."""
    with store.reading() as session:
        return settings.current(session)


def version() -> tuple[Any, ...]:
    """The version looked up at the start of this run; a run asks a dozen questions of one state."""
    return st.session_state.get(_VERSION) or look_up_version()


def look_up_version() -> tuple[Any, ...]:
    """Look up, and keep for this run, what the answers depend on besides the question: which stores, and the state of the lake, the evaluations, the settings,
    the targets and the notes."""
    here = home.current()
    with store.reading() as session:
        newest_setting = session.scalar(sa.select(sa.func.max(SettingValue.id)))
        advisors = session.scalar(sa.select(sa.func.count()).select_from(Advisor))
        counter = answers.change_counter(session)
        # Names of spend and totals are spelled when they are read: a decision about them changes no table of the lake.
        names = session.execute(sa.select(sa.func.max(NameDecision.id), sa.func.count(NameDecision.undone_at))).one()
        goals = session.execute(sa.select(sa.func.max(Target.id), sa.func.count(Target.id), sa.func.max(Target.set_at))).one()
        notes = session.execute(sa.select(sa.func.max(Annotation.id), sa.func.count(Annotation.id))).one()
        grids = session.scalar(sa.select(sa.func.count(Grid.published_at)))
    found = (
        here.database_url,
        here.lake_url,
        here.timezone,
        lake.version("contacts"),
        lake.version("spend"),
        lake.version("intervals"),
        *map(str, counter),
        newest_setting,
        advisors,
        *names,
        *goals,
        *notes,
        grids,
    )
    st.session_state[_VERSION] = found
    return found


@st.cache_data(ttl=SECONDS, max_entries=500, show_spinner=False)
def _measure(viewer, version, kpis, by, where, compare, overrides):
    return query.measure(viewer, kpis, by=by, where=where, compare=compare, overrides=dict(overrides) or None)


@st.cache_data(ttl=SECONDS, max_entries=100, show_spinner=False)
def _explain(viewer, version, kpi, where):
    return query.explain(viewer, kpi, where)


@st.cache_data(ttl=SECONDS, max_entries=200, show_spinner=False)
def _headline(viewer, version, kpis, where, compare, overrides):
    return targets.add_gaps(viewer, query.measure(viewer, kpis, where=where, compare=compare, overrides=dict(overrides) or None), (), where)


@st.cache_data(ttl=SECONDS, max_entries=200, show_spinner=False)
def _find_targets(viewer, version, kpi, where):
    return targets.find(viewer, kpi, where)


@st.cache_data(ttl=SECONDS, max_entries=100, show_spinner=False)
def _find_notes(viewer, version, where):
    return annotations.find(viewer, where)


@st.cache_data(ttl=SECONDS, max_entries=50, show_spinner=False)
def _find_note_scopes(viewer, version):
    return annotations.find_scopes(viewer)


@st.cache_data(ttl=SECONDS, max_entries=200, show_spinner=False)
def _find_changes(viewer, version, period, kpis):
    return query.find_changes(viewer, period, kpis)


@st.cache_data(ttl=SECONDS, max_entries=50, show_spinner=False)
def _find_alerts(viewer, version):
    return alerts.find(viewer)


@st.cache_data(ttl=SECONDS, max_entries=200, show_spinner=False)
def _find_values(viewer, version, dimension, where):
    return query.find_values(viewer, dimension, where)


@st.cache_data(ttl=SECONDS, max_entries=100, show_spinner=False)
def _find_waits(viewer, version, where):
    return query.find_waits(viewer, where)


@st.cache_data(ttl=SECONDS, max_entries=100, show_spinner=False)
def _find_service_levels(viewer, version, thresholds, where):
    return query.find_service_levels(viewer, thresholds, where)


@st.cache_data(ttl=SECONDS, max_entries=100, show_spinner=False)
def _find_drivers(viewer, version, where):
    return query.find_drivers(viewer, where)


@st.cache_data(ttl=SECONDS, max_entries=100, show_spinner=False)
def _find_ratings(viewer, version, kpi, where):
    return query.find_ratings(viewer, kpi, where)


@st.cache_data(ttl=SECONDS, max_entries=100, show_spinner=False)
def _find_recovery(viewer, version, where):
    return query.find_recovery(viewer, where)


@st.cache_data(ttl=SECONDS, max_entries=20, show_spinner=False)
def _find_chains(viewer, version, where, overrides):
    return query.find_chains(viewer, where, dict(overrides) or None)


@st.cache_data(ttl=SECONDS, max_entries=50, show_spinner=False)
def _find_numbers(viewer, version, period):
    return numbers.find_history(viewer, period)


@st.cache_data(ttl=SECONDS, max_entries=50, show_spinner=False)
def _find_irritants(viewer, version, where, compare):
    return finding.find_candidates(viewer, where, compare)


@st.cache_data(ttl=SECONDS, max_entries=200, show_spinner=False)
def _find_follow_up(viewer, version, subject, filters, in_hand_on):
    return finding.find_follow_up(viewer, subject, filters, in_hand_on)


@st.cache_data(max_entries=200, show_spinner=False)
def compare_rates(keys: tuple[str, ...], hits: tuple[int, ...], n: tuple[int, ...]) -> statistics.Comparison:
    """`statistics.compare_rates`, remembered: it follows from its arguments alone."""
    return statistics.compare_rates(keys, hits, n)


@st.cache_data(ttl=SECONDS, max_entries=50, show_spinner=False)
def _data_through(viewer, version):
    return query.data_through(viewer)


@st.cache_data(ttl=SECONDS, max_entries=50, show_spinner=False)
def _find_freshness(viewer, version):
    return query.find_freshness(viewer)


@st.cache_data(ttl=SECONDS, max_entries=100, show_spinner=False)
def _find_advisors(viewer, version, period, teams):
    return query.find_advisors(viewer, period, teams)


@st.cache_data(ttl=SECONDS, max_entries=100, show_spinner=False)
def _team_medians(viewer, version, kpis, period):
    return query.team_medians(viewer, kpis, period)


@st.cache_data(ttl=SECONDS, max_entries=20, show_spinner=False)
def _find_currencies(viewer, version):
    return query.find_currencies(viewer)
