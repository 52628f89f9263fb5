"""Reads whose results are cached: the only place that caches data. Every key holds what
decides the viewer's rows, and the state of the data.
"""

import functools
import inspect
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from contextvars import ContextVar
from typing import Any, Concatenate, ParamSpec, TypeVar

import pandas as pd
import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.analysis import alerts, annotations, board, charts, targets, tracking_numbers
from qa_core.analysis import headline as headline_figures
from qa_core.analysis.irritants import detection
from qa_core.base import environment, i18n
from qa_core.centre import settings
from qa_core.centre.rules import name_decisions, name_suggestions
from qa_core.centre.settings import Settings
from qa_core.compliance import audit_report
from qa_core.compliance.rules.catalogue import RuleVerdict
from qa_core.metrics import query
from qa_core.metrics.kpi import editions, month_sums
from qa_core.metrics.kpis import BY_KEY, FactTable, dimensions
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.metrics.rows import severity
from qa_core.quality.coaching import effect, needs
from qa_core.quality.data_version import Version, find_version
from qa_core.storage.records import store
from qa_core.upkeep import purge

_VERSION = "data_version"
MAX_RESULTS = 1000
RULES_SECONDS = 60
OF_CONTACTS = {
    FactTable.CONTACTS, FactTable.MISSED, FactTable.CUSTOMERS, FactTable.SELLING, FactTable.SPEND,
    FactTable.RETURNS,
}  # fmt: skip

Given = ParamSpec("Given")
Result = TypeVar("Result")
Read = Callable[Concatenate[Viewer, Given], Result]
_READS: dict[str, Callable[..., Any]] = {}
READS_AT_ONCE = 2
"""Reads that a process counts at once; others wait. When all run at once, each is as slow as
their sum: fifty people who came within half a minute waited five times as long.
"""
_turns = threading.Semaphore(READS_AT_ONCE)
MAX_WARMED = 40
_asked: OrderedDict[str, Callable[[], Any]] = OrderedDict()
"""The last questions of all sessions by their key, the newest last."""
_warmed: ContextVar[Version | None] = ContextVar("warmed", default=None)
"""The version that a thread without a session asks about."""


def current_settings() -> Settings:
    """Return the settings in force today; read anew each time."""
    with store.reading() as session:
        return settings.current(session)


def look_up_version() -> Version:
    """Look up, and keep for this run, the version of the data: its reads see one state."""
    found = st.session_state[_VERSION] = find_version()
    return found


def name_version() -> str:
    """Return the short name of the version that this run reads, as mails print it."""
    return (st.session_state.get(_VERSION) or look_up_version()).code


def warm() -> None:
    """Ask the last questions again, of the data as they stand: after an import nobody waits
    for a figure that somebody looked at before. An error is left to who asks next.
    """
    token = _warmed.set(find_version())
    try:
        for ask in [*_asked.values()][::-1]:
            with suppress(Exception):
                ask()
    finally:
        _warmed.reset(token)


def forget() -> None:
    """Forget all results, questions and statements, and the charts made of them."""
    _asked.clear()
    st.cache_data.clear()
    month_sums.forget_statements()
    charts.forget_charts()


def _cached(
    read: Read[Given, Result],
    subjects: Sequence[str] = (),
    is_of_contacts: Callable[..., bool] = lambda *_: False,
) -> Read[Given, Result]:
    """Keep the results of that read for everybody who sees the same rows.

    `subjects`: records that it reads besides the usual ones. `is_of_contacts`
    says of its arguments whether it reads neither evaluations nor what was listened to.
    """
    function = read.func if isinstance(read, functools.partial) else read
    name, signature = f"{function.__module__}.{function.__qualname__}", inspect.signature(read)
    # A read made of cached reads takes no turn: each of them takes one.
    _READS[name] = _take_turns(read) if read is function else read

    @functools.wraps(function)
    def cached(viewer: Viewer, *given: Given.args, **named: Given.kwargs) -> Result:
        bound = signature.bind(viewer.without_name(), *given, **named)
        bound.apply_defaults()  # given or left out, a usual value makes the same key
        version = _warmed.get()
        if version is None:
            version = st.session_state.get(_VERSION) or look_up_version()
            # Of viewers by team the last one asks for all: the sums are the same.
            asker = viewer.role if viewer.spans is not None else bound.args[0]
            key = repr((name, asker, bound.args[1:]))
            _keep_question(key, functools.partial(cached, *bound.args))
        state = (*version.facts, *map(version.marks.get, subjects))
        if not is_of_contacts(*bound.args):
            state += version.evaluations
        # As text, which is complete for text, numbers, days and dataclasses: Streamlit takes
        # longer to hash each of them than to find the result.
        return _read(repr((name, state, bound.args)), name, bound.args)

    return cached


def _take_turns(read: Callable[Given, Result]) -> Callable[Given, Result]:
    """Let a read wait for its turn; where a cluster counts, none has to."""

    @functools.wraps(read)
    def read_in_turn(*given: Given.args, **named: Given.kwargs) -> Result:
        with nullcontext() if environment.current().has_cluster else _turns:
            return read(*given, **named)

    return read_in_turn


def _keep_question(key: str, ask: Callable[[], Any]) -> None:
    _asked[key] = ask
    with suppress(KeyError):  # another session may have taken it away
        _asked.move_to_end(key)
        if len(_asked) > MAX_WARMED:
            _asked.popitem(last=False)


@st.cache_data(max_entries=MAX_RESULTS, show_spinner=False)
def _read(key: str, _name: str, _arguments: tuple[Any, ...]) -> Any:
    # By its name, which is part of the key: to Streamlit's cache, functions wrapped in a
    # loop would all be one.
    return _READS[_name](*_arguments)


def _measures_contacts(_viewer: Viewer, kpis: str | Sequence[str], *_: Any) -> bool:
    keys = (kpis,) if isinstance(kpis, str) else kpis
    return all(BY_KEY[key].subject in OF_CONTACTS for key in keys if key in BY_KEY)


def _cuts_contacts(_viewer: Viewer, names: str | Sequence[str], *_: Any) -> bool:
    names = (names,) if isinstance(names, str) else names
    return all(dimensions.get_dimension(name).family != "quality" for name in names)


def _always(*_: Any) -> bool:
    return True


def _measure(
    viewer: Viewer,
    kpis: Sequence[str],
    by: Sequence[str] = (),
    where: Filters = Filters(),
    compare: Period | None = None,
    overrides: Mapping[str, str] | None = None,
    has_percentiles: bool = True,
) -> pd.DataFrame:
    """Measure as pages show it: of advisors they show no percentiles."""
    has_percentiles &= "advisor" not in by
    return query.measure(viewer, kpis, by, where, compare, overrides, has_percentiles)


measure = _cached(_measure, (), _measures_contacts)
measure_under = _cached(query.measure_under, (), _measures_contacts)
explain = _cached(query.explain, (), _measures_contacts)
measure_cuts = _cached(query.measure_cuts, (), _measures_contacts)
find_values = _cached(query.find_values, (), _cuts_contacts)
find_all_values = _cached(query.find_all_values, (), _cuts_contacts)
find_drivers = _cached(query.find_drivers)
find_board = _cached(board.find_figures)
find_differences = _cached(editions.find_differences, ("imports",))
find_missed_callers = _cached(query.find_missed_callers, (), _always)
find_chains = _cached(query.find_chains, (), _always)
find_advisors = _cached(query.find_advisors)
find_changes = _cached(query.find_changes, ("evaluations",))
find_trends = _cached(
    functools.partial(headline_figures.build_trends, measure=measure, find_changes=find_changes),
    ("evaluations",),
)
find_freshness = _cached(query.find_freshness, ("imports",))
data_through = _cached(query.data_through, (), _always)
team_medians = _cached(query.team_medians)
find_adjusted_scores = _cached(severity.find_adjusted_scores, ("evaluations",))
find_evaluators = _cached(severity.find_evaluators, ("evaluations",))
find_targets = _cached(targets.find)
find_suggestions = _cached(name_suggestions.find_suggestions, (), _always)
find_names = _cached(name_decisions.find_names, (), _always)
find_notes = _cached(annotations.find, (), _always)
find_note_scopes = _cached(annotations.find_scopes, (), _always)
find_alerts = _cached(alerts.find, ("alerts",))
find_numbers = _cached(tracking_numbers.find_spans, (), _always)
find_irritants = _cached(detection.find_candidates, ("irritants",))
find_follow_up = _cached(detection.find_follow_up, ("irritants",))
find_needs = _cached(needs.find_needs, ("evaluations", "listening"))
find_effect = _cached(effect.find_effect, ("evaluations",))
_find_currencies = _cached(query.find_currencies, (), _always)
headline = _cached(headline_figures.measure_headline, (), _measures_contacts)


def judge_rules(viewer: Viewer) -> list[RuleVerdict]:
    """Judge the rules of the law, as `purge.judge_rules`. The verdicts are kept until the data
    change or an act is noted in the audit log, and for a minute at most: what changed without
    a note is seen then.
    """
    viewer.require(Permission.SEE_RULES)
    state = st.session_state.get(_VERSION) or look_up_version(), audit_report.find_last()
    return _judge(repr((*state, i18n.language())), viewer)


@st.cache_data(max_entries=20, ttl=RULES_SECONDS, show_spinner=False)
def _judge(key: str, _viewer: Viewer) -> list[RuleVerdict]:
    return _take_turns(purge.judge_rules)(_viewer)


def find_currency(viewer: Viewer) -> str | None:
    """Return the currency of all spend; None where there are several, or none."""
    found = _find_currencies(viewer)
    return found[0] if len(found) == 1 else None
