"""The steps of contacts, from received to evaluated; each a share of its base."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from qa_core import stats
from qa_core.access.roles import Viewer
from qa_core.analysis import note_texts
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.analysis.charts import step_bars as charts
from qa_core.base.i18n import N_, _, ngettext
from qa_core.metrics.kpis import Unit, formatting
from qa_core.ui.frame import cached, layout, styles, url_state
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.widgets import cards, drill, tables

COUNTED = (
    "received",
    "answer_rate",
    "first_contact_resolution",
    "first_contact_resolution_declared",
    "csat",
)
OF_MISSES = ("call_back_rate", "recovered_rate")
OF_EVALUATIONS = ("evaluations", "evaluation_score")
KPIS = (*COUNTED[:2], *OF_MISSES, *COUNTED[2:], *OF_EVALUATIONS)
FIRST_GROUPS, EVERY_GROUP = (COUNTED, OF_MISSES), (COUNTED, OF_MISSES, OF_EVALUATIONS)
"""KPIs that the page reads first, and KPIs of all steps."""
EVERY, NOT_KNOWN = "", "-"
"""Values of the choice whose path is drawn: all known ones together, and none known."""


DIMENSIONS = ("campaign", "source", "medium", "keyword", "tracking_number")
"""Dimensions that the page can compare by."""
ALL_KNOWN = N_("All with a known value")


@dataclass(frozen=True)
class StepKind:
    """Kind of step: title, base, and the KPI whose contacts a click opens."""

    title: str
    base: str = ""
    behind: str = ""
    begins_group: bool = False


STEPS: Mapping[str, StepKind] = {
    "received": StepKind(N_("Received"), behind="received"),
    "answered": StepKind(N_("Answered"), N_("of {n} received"), "answered"),
    "missed": StepKind(N_("Missed"), N_("of {n} received"), "missed"),
    "missed_callers": StepKind(N_("Missed callers"), behind="missed", begins_group=True),
    "call_back_rate": StepKind(N_("Called back"), N_("of {n} missed callers"), "missed"),
    "recovered_rate": StepKind(N_("Reached"), N_("of {n} missed callers"), "missed"),
    "first_contact_resolution": StepKind(
        N_("No repeat contact"),
        N_("of {n} first contacts"),
        "first_contact_resolution",
        begins_group=True,
    ),
    "first_contact_resolution_declared": StepKind(
        N_("Declared resolved"), N_("of {n} declarations"), "first_contact_resolution_declared"
    ),
    "csat": StepKind(N_("Satisfied"), N_("of {n} ratings"), "csat"),
    "evaluations": StepKind(N_("Evaluated"), begins_group=True),
}


@dataclass(frozen=True)
class PathStep:
    """One step: `count` of `base`, None if not known.

    `low`, `high`: the 95 % interval of their share, or of the mean `score`. `status`: `ok`,
    `no_data`, `pending` or `suppressed`. `uncounted`: what could not be counted, such
    as callers without a number.
    """

    key: str
    count: float | None = None
    base: float | None = None
    low: float | None = None
    high: float | None = None
    score: float | None = None
    status: str = "no_data"
    uncounted: int = 0

    @property
    def share(self) -> float | None:
        return None if self.count is None or not self.base else self.count / self.base


def title_of(key: str) -> str:
    return _(STEPS[key].title)


def read(
    viewer: Viewer,
    state: FilterState,
    dimension: str,
    groups: Sequence[tuple[str, ...]] = FIRST_GROUPS,
) -> dict[Any, dict[str, Any]]:
    """Return the rows of these KPIs by value of the dimension."""
    by: dict[Any, dict[str, Any]] = {}
    for kpis in groups:
        frame = cached.measure(viewer, kpis, (dimension,), state.where)
        for value, row in tables.index_rows(frame, dimension).items():
            by.setdefault(value, {}).update(row)
    return by


def build_path(rows: Sequence[Mapping[str, Any]]) -> tuple[PathStep, ...]:
    """Add these values up, step by step, where they are shown.

    A step that is hidden for all of them is `suppressed`.
    """
    answered = _sum_rates("answered", rows, "answer_rate")
    called_back, reached = (_sum_rates(key, rows, key) for key in OF_MISSES)
    callers = PathStep(
        "missed_callers", reached.base, status=reached.status, uncounted=reached.uncounted
    )
    steps = [answered, _build_missed(answered), callers, called_back, reached]
    rest = (_sum_rates(key, rows, key) for key in COUNTED[2:])
    return _sum_counts("received", rows), *steps, *rest, _sum_scores(rows)


def _sum_counts(key: str, rows: Sequence[Mapping[str, Any]]) -> PathStep:
    known = [
        row[key].value for row in rows if key in row and not formatting.is_missing(row[key].value)
    ]
    if not known:
        return PathStep(key, status=_status(key, rows))
    return PathStep(key, sum(known), status="ok")


def _sum_rates(key: str, rows: Sequence[Mapping[str, Any]], kpi: str) -> PathStep:
    present = [row[kpi] for row in rows if kpi in row]
    known = [row for row in present if not formatting.is_missing(row.value)]
    uncounted = sum(tables.to_integer(row.unknown_identity) or 0 for row in present)
    if not known:
        return PathStep(key, status=_status(kpi, rows), uncounted=uncounted)
    hits, n = sum(row.numerator for row in known), sum(row.denominator for row in known)
    low, high = stats.wilson(hits, n)
    return PathStep(key, hits, n, low, high, status="ok", uncounted=uncounted)


def _build_missed(answered: PathStep) -> PathStep:
    if answered.count is None:
        return PathStep("missed", status=answered.status)
    low, high = 1 - answered.high, 1 - answered.low
    return PathStep("missed", answered.base - answered.count, answered.base, low, high, status="ok")


def _sum_scores(rows: Sequence[Mapping[str, Any]]) -> PathStep:
    """Count the evaluations; their mean score has Student's interval."""
    count = _sum_counts("evaluations", rows)
    scored = [
        row["evaluation_score"]
        for row in rows
        if "evaluation_score" in row and not formatting.is_missing(row["evaluation_score"].value)
    ]
    n = sum(row.n for row in scored)
    if count.count is None or not n:
        return count
    mean, between = stats.pooled_mean_interval(
        [row.value for row in scored],
        [None if formatting.is_missing(row.deviation) else row.deviation for row in scored],
        [int(row.n) for row in scored],
    )
    low, high = between or (None, None)
    return PathStep("evaluations", count.count, low=low, high=high, score=mean, status="ok")


def _status(kpi: str, rows: Sequence[Mapping[str, Any]]) -> str:
    present = {row[kpi].status for row in rows if kpi in row}
    return next((status for status in ("suppressed", "pending") if status in present), "no_data")


def ask_value(by: tables.Rows, dimension: str) -> str:
    """Ask for the value whose path is shown (default: all known values together)."""
    titles = {EVERY: _(ALL_KNOWN)}
    titles |= {value: value for value in tables.largest_first(by, "received") if value is not None}
    if None in by:
        titles[NOT_KNOWN] = formatting.name(dimension, None)
    with url_state.bind("of", titles, EVERY):
        chosen = layout.select(st, _("Path of"), titles, "of", label_visibility="collapsed")
    return chosen or EVERY


def show_path(
    viewer: Viewer, state: FilterState, by: tables.Rows, dimension: str, value: str
) -> None:
    """Show the steps of one value, or of all known ones together."""
    known = None if value == NOT_KNOWN else value
    chosen = [row for key, row in by.items() if key is not None] if value == EVERY else [by[known]]
    path = {step.key: step for step in build_path(chosen)}
    if path["received"].status == "no_data":
        cards.show_message(_("No such contact in this period"))
        return
    name = _(ALL_KNOWN) if value == EVERY else formatting.name(dimension, known)
    finding = _describe(path)

    def open_step() -> None:
        if behind := next(iter(drill.clicked("path")), None):
            drill.to_contacts({dimension: known}, behind)

    caption = _(
        "{what}, step by step. Bars: share of each step's base, with 95 % confidence interval",
        what=name,
    )
    with cards.card(finding, caption, is_stretched=True):
        bars = [_draw(step) for step in path.values()]
        in_words = ". ".join(
            f"{bar.label}: {', '.join(filter(None, (*bar.text, bar.note)))}" for bar in bars
        )
        can_click = drill.is_open_to(viewer) and value != EVERY
        figure = charts.build_steps(bars, dark=styles.is_dark())
        cards.show_figure(
            figure, "path", f"{finding.text}. {in_words}", open_step if can_click else None
        )
        for line in _describe_limits(path, chosen):
            st.caption(line)
        if len(chosen) > 1:
            tables.show_hidden(dict(enumerate(chosen)))


def _draw(step: PathStep) -> charts.Bar:
    kind = STEPS[step.key]
    label, is_first = _(kind.title), kind.begins_group
    if step.count is None:
        word = cards.name_status(step.status) or _(formatting.NO_DATA)
        return charts.Bar(label, "", (word,), is_first=is_first)
    count = formatting.number(step.count)
    if step.key == "evaluations":
        return _draw_score(step, label, count)
    opens = kind.behind
    if step.share is None:
        return charts.Bar(label, "", (count,), is_first=is_first, opens=opens)
    base = _(kind.base, n=formatting.number(step.base))
    return charts.Bar(
        label,
        f"{base}, {formatting.interval(step.low, step.high, Unit.RATE)}",
        (count, formatting.percent(step.share, 0)),
        step.share,
        step.low,
        step.high,
        step.key == "missed",
        is_first,
        opens,
    )


def _draw_score(step: PathStep, label: str, count: str) -> charts.Bar:
    if step.score is None:
        return charts.Bar(label, "", (count,), None, None, None, is_first=True)
    between = formatting.interval(step.low, step.high, Unit.SCORE)
    note = ", ".join(filter(None, (_("Mean score"), between)))
    low, high = (None if end is None else end / 100 for end in (step.low, step.high))
    score = formatting.value(step.score, Unit.SCORE)
    return charts.Bar(label, note, (count, score), step.score / 100, low, high, is_first=True)


def _describe(path: Mapping[str, PathStep]) -> ChartTitle:
    reached = path["recovered_rate"]
    if reached.count is not None:
        lost = int(reached.base - reached.count)
        text = ngettext(
            "{count} of {whole} missed callers was not reached",
            "{count} of {whole} missed callers were not reached",
            lost,
            count=formatting.number(lost),
            whole=formatting.number(reached.base),
        )
        return ChartTitle(text, "attention" if lost else "better")
    return ChartTitle(_("What happened to these contacts"))


def _describe_limits(path: Mapping[str, PathStep], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    received = (row["received"] for row in rows if "received" in row)
    lines = note_texts.describe_populations(received)
    if uncounted := path["missed_callers"].uncounted:
        lines.append(cards.describe_unidentified(uncounted))
    return lines
