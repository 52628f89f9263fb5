"""Reads whose results are cached: the only place that caches data. Every key holds the
viewer and the version of the data.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Concatenate, ParamSpec, TypeVar

import pandas as pd
import sqlalchemy as sa
import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis import alerts, annotations, targets, tracking_numbers
from qa_core.analysis.irritants import detection
from qa_core.base import environment
from qa_core.centre import members, settings
from qa_core.centre.settings import Settings
from qa_core.metrics import query
from qa_core.metrics.dimensions import Filters, Period
from qa_core.metrics.query import calibration_metrics, evaluation_table, listened_contacts, severity
from qa_core.quality.coaching import effect, needs, plans
from qa_core.quality.evaluations import disputes
from qa_core.storage import lake
from qa_core.storage.records import store
from qa_core.storage.records.alerts import AlertEvent
from qa_core.storage.records.centre_rules import NameDecision
from qa_core.storage.records.evaluations import ScorecardVersion
from qa_core.storage.records.imports import ImportBatch
from qa_core.storage.records.settings import SettingValue
from qa_core.storage.records.targets import Annotation, Target

_VERSION = "data_version"
SECONDS = 300
"""Longest life of a result whose change the version does not show, such as the new name
of an advisor.
"""
MOST_RESULTS = 1000

Given = ParamSpec("Given")
Result = TypeVar("Result")
Read = Callable[Concatenate[Viewer, Given], Result]
_READS: dict[str, Callable[..., Any]] = {}


def current_settings() -> Settings:
    """Return the settings in force today; read anew each time."""
    with store.reading() as session:
        return settings.current(session)


def version() -> tuple[Any, ...]:
    """Return the version looked up at the start of this run: its reads see one state."""
    return st.session_state.get(_VERSION) or look_up_version()


def look_up_version() -> tuple[Any, ...]:
    """Look up, and keep for this run, the version of the data: which stores, and the state
    of the lake, the evaluations, the settings, the targets and the notes.
    """
    here = environment.current()
    with store.reading() as session:
        newest_setting = session.scalar(sa.select(sa.func.max(SettingValue.id)))
        advisors = members.count(session)
        counter = (
            *evaluation_table.change_counter(session),
            *listened_contacts.change_counter(session),
            *calibration_metrics.change_counter(session),
        )
        # Spend and totals get their names when they are read: a decision about a name
        # changes no table of the lake.
        names = session.execute(
            sa.select(sa.func.max(NameDecision.id), sa.func.count(NameDecision.undone_at))
        ).one()
        newest_targets = session.execute(
            sa.select(sa.func.max(Target.id), sa.func.count(Target.id), sa.func.max(Target.set_at))
        ).one()
        newest_notes = session.execute(
            sa.select(sa.func.max(Annotation.id), sa.func.count(Annotation.id))
        ).one()
        grids = session.scalar(sa.select(sa.func.count(ScorecardVersion.published_at)))
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
        *newest_targets,
        *newest_notes,
        grids,
    )
    st.session_state[_VERSION] = found
    return found


def _cached(
    read: Read[Given, Result], besides: Callable[[], tuple[Any, ...]] = tuple
) -> Read[Given, Result]:
    """Cache that read. `besides` returns what its result depends on besides the version."""
    name, signature = f"{read.__module__}.{read.__qualname__}", inspect.signature(read)
    _READS[name] = read

    @functools.wraps(read)
    def cached(viewer: Viewer, *given: Given.args, **named: Given.kwargs) -> Result:
        bound = signature.bind(viewer, *given, **named)
        bound.apply_defaults()  # given or left out, a usual value makes the same key
        return _read(name, (*version(), *besides()), *bound.args)

    return cached


@st.cache_data(ttl=SECONDS, max_entries=MOST_RESULTS, show_spinner=False)
def _read(name: str, version: tuple[Any, ...], *arguments: Any) -> Any:
    # By its name, which is part of the key: to Streamlit's cache, functions wrapped in a
    # loop would all be one.
    return _READS[name](*arguments)


def _state_of_alerts() -> tuple[Any, ...]:
    counted = (
        sa.func.max(AlertEvent.id),
        sa.func.count(AlertEvent.acknowledged_at),
        sa.func.count(AlertEvent.closed_at),
        sa.func.max(AlertEvent.last_seen),
    )
    with store.reading() as session:
        return tuple(session.execute(sa.select(*counted)).one())


def _last_import() -> tuple[Any, ...]:
    with store.reading() as session:
        return tuple(
            session.execute(
                sa.select(ImportBatch.id, ImportBatch.state)
                .order_by(ImportBatch.id.desc())
                .limit(1)
            ).first()
            or ()
        )


def _state_of_coaching() -> tuple[Any, ...]:
    with store.reading() as session:
        return (*plans.change_counter(session), *disputes.change_counter(session))


def _measure_headline(
    viewer: Viewer,
    kpis: tuple[str, ...],
    where: Filters,
    compare: Period | None,
    overrides: Mapping[str, str] | None,
) -> pd.DataFrame:
    return targets.add_gaps(
        viewer,
        query.measure(viewer, kpis, where=where, compare=compare, overrides=overrides),
        (),
        where,
    )


measure = _cached(query.measure)
measure_under = _cached(query.measure_under)
explain = _cached(query.explain)
find_values = _cached(query.find_values)
find_waits = _cached(query.find_waits)
find_service_levels = _cached(query.find_service_levels)
find_drivers = _cached(query.find_drivers)
find_ratings = _cached(query.find_ratings)
find_recovery = _cached(query.find_recovery)
find_chains = _cached(query.find_chains)
find_advisors = _cached(query.find_advisors)
find_changes = _cached(query.find_changes)
find_freshness = _cached(query.find_freshness, _last_import)
data_through = _cached(query.data_through)
team_medians = _cached(query.team_medians)
find_adjusted_scores = _cached(severity.find_adjusted_scores)
find_evaluators = _cached(severity.find_evaluators)
find_targets = _cached(targets.find)
find_notes = _cached(annotations.find)
find_note_scopes = _cached(annotations.find_scopes)
find_alerts = _cached(alerts.find, _state_of_alerts)
find_numbers = _cached(tracking_numbers.find_history)
find_irritants = _cached(detection.find_candidates)
find_follow_up = _cached(detection.find_follow_up)
find_needs = _cached(needs.find_needs, _state_of_coaching)
find_effect = _cached(effect.find_effect, _state_of_coaching)
_find_currencies = _cached(query.find_currencies)
_headline = _cached(_measure_headline)


def headline(
    viewer: Viewer,
    kpis: tuple[str, ...],
    where: Filters,
    compare: Period | None = None,
    overrides: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the rows of `measure` without any cut, with their gap to the target, by the
    key of their KPI (the first, where currencies differ).
    """
    rows: dict[str, Any] = {}
    for row in _headline(viewer, kpis, where, compare, overrides).itertuples():
        rows.setdefault(row.kpi, row)
    return rows


def find_currency(viewer: Viewer) -> str | None:
    """Return the currency of all spend; None where there are several, or none."""
    found = _find_currencies(viewer)
    return found[0] if len(found) == 1 else None
