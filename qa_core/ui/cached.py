"""Answers kept for a moment: the only place that caches data. Every key holds the
viewer and the version of everything asked.
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
from qa_core.storage.records.centre_rules import NameDecision
from qa_core.storage.records.evaluations import ScorecardVersion
from qa_core.storage.records.imports import ImportBatch
from qa_core.storage.records.steering import AlertEvent, Annotation, SettingValue, Target

_VERSION = "data_version"
SECONDS = 300
"""How long an answer may outlive what the version below does not cover, such as the new
name of an advisor.
"""
MOST_ANSWERS = 1000

Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")
Question = Callable[Concatenate[Viewer, Asked], Answer]
_QUESTIONS: dict[str, Callable[..., Any]] = {}


def current_settings() -> Settings:
    """The settings in force today; read anew each time."""
    with store.reading() as session:
        return settings.current(session)


def version() -> tuple[Any, ...]:
    """The version looked up at the start of this run; a run asks a dozen questions of
    one state.
    """
    return st.session_state.get(_VERSION) or look_up_version()


def look_up_version() -> tuple[Any, ...]:
    """Look up, and keep for this run, what the answers depend on besides the question:
    which stores, and the state of the lake, the evaluations, the settings, the targets
    and the notes.
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
        # Names of spend and totals are spelled when they are read: a decision about
        # them changes no table of the lake.
        names = session.execute(
            sa.select(sa.func.max(NameDecision.id), sa.func.count(NameDecision.undone_at))
        ).one()
        goals = session.execute(
            sa.select(sa.func.max(Target.id), sa.func.count(Target.id), sa.func.max(Target.set_at))
        ).one()
        notes = session.execute(
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
        *goals,
        *notes,
        grids,
    )
    st.session_state[_VERSION] = found
    return found


def _remembered(
    ask: Question[Asked, Answer], besides: Callable[[], tuple[Any, ...]] = tuple
) -> Question[Asked, Answer]:
    """That question, with its answers remembered; `besides`: what they depend on that
    the version does not cover.
    """
    name, signature = f"{ask.__module__}.{ask.__qualname__}", inspect.signature(ask)
    _QUESTIONS[name] = ask

    @functools.wraps(ask)
    def remembered(viewer: Viewer, *given: Asked.args, **named: Asked.kwargs) -> Answer:
        bound = signature.bind(viewer, *given, **named)
        bound.apply_defaults()  # said or left unsaid, it is the same question
        return _answer(name, (*version(), *besides()), *bound.args)

    return remembered


@st.cache_data(ttl=SECONDS, max_entries=MOST_ANSWERS, show_spinner=False)
def _answer(name: str, version: tuple[Any, ...], *arguments: Any) -> Any:
    # By its name, which is part of the key: to the cache, questions made above would
    # all be one function.
    return _QUESTIONS[name](*arguments)


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


measure = _remembered(query.measure)
explain = _remembered(query.explain)
find_values = _remembered(query.find_values)
find_waits = _remembered(query.find_waits)
find_service_levels = _remembered(query.find_service_levels)
find_drivers = _remembered(query.find_drivers)
find_ratings = _remembered(query.find_ratings)
find_recovery = _remembered(query.find_recovery)
find_chains = _remembered(query.find_chains)
find_advisors = _remembered(query.find_advisors)
find_changes = _remembered(query.find_changes)
find_freshness = _remembered(query.find_freshness, _last_import)
data_through = _remembered(query.data_through)
team_medians = _remembered(query.team_medians)
find_adjusted_scores = _remembered(severity.find_adjusted_scores)
find_evaluators = _remembered(severity.find_evaluators)
find_targets = _remembered(targets.find)
find_notes = _remembered(annotations.find)
find_note_scopes = _remembered(annotations.find_scopes)
find_alerts = _remembered(alerts.find, _state_of_alerts)
find_numbers = _remembered(tracking_numbers.find_history)
find_irritants = _remembered(detection.find_candidates)
find_follow_up = _remembered(detection.find_follow_up)
find_needs = _remembered(needs.find_needs, _state_of_coaching)
find_effect = _remembered(effect.find_effect, _state_of_coaching)
_find_currencies = _remembered(query.find_currencies)
_headline = _remembered(_measure_headline)


def headline(
    viewer: Viewer,
    kpis: tuple[str, ...],
    where: Filters,
    compare: Period | None = None,
    overrides: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The rows of `measure` without any cut, with their gap to the target, by the key
    of their KPI (the first, where currencies differ).
    """
    rows: dict[str, Any] = {}
    for row in _headline(viewer, kpis, where, compare, overrides).itertuples():
        rows.setdefault(row.kpi, row)
    return rows


def find_currency(viewer: Viewer) -> str | None:
    """The currency of all spend; None where there are several, or none."""
    found = _find_currencies(viewer)
    return found[0] if len(found) == 1 else None
