"""The steps of contacts, from received to evaluated; each a share of its base."""

import math
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
from qa_core.metrics import formatting
from qa_core.metrics.kpis import Unit
from qa_core.ui import cached, cards, drill, layout, styles, tables, url_state
from qa_core.ui.filter_bar import FilterState

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
"""KPIs that the page compares at once, and those of all steps."""
EVERY, NOT_KNOWN = "", "-"
"""Values of the choice whose path is drawn: all known ones together, and none known."""


@dataclass(frozen=True)
class SourceWords:
    """Sentences on a dimension: all its known values, and how many contacts have one."""

    every: str
    coverage: str


DIMENSIONS: Mapping[str, SourceWords] = {
    "campaign": SourceWords(
        N_("All contacts with a known campaign"),
        N_("{n} of {whole} contacts have a known campaign."),
    ),
    "source": SourceWords(
        N_("All contacts with a known source"), N_("{n} of {whole} contacts have a known source.")
    ),
    "medium": SourceWords(
        N_("All contacts with a known medium"), N_("{n} of {whole} contacts have a known medium.")
    ),
    "keyword": SourceWords(
        N_("All contacts with a known keyword"), N_("{n} of {whole} contacts have a known keyword.")
    ),
    "tracking_number": SourceWords(
        N_("All contacts on a tracking number"),
        N_("{n} of {whole} contacts came on a tracking number."),
    ),
}
"""Dimensions that the page can compare by."""


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
    """One step: `count` of `base` things of its own kind, None if not known.

    `low`, `high`: the 95 % interval of their share, or of the mean `score`. `status`: `ok`,
    `no_data`, `pending` or `suppressed`. `apart`: what could not be counted, such as
    callers without a number.
    """

    key: str
    count: float | None = None
    base: float | None = None
    low: float | None = None
    high: float | None = None
    score: float | None = None
    status: str = "no_data"
    apart: int = 0

    @property
    def share(self) -> float | None:
        return None if self.count is None or not self.base else self.count / self.base


def title_of(key: str) -> str:
    """Return the title of a step; `answer_rate` is the share of the step `answered`."""
    step = "answered" if key == "answer_rate" else key
    return _(STEPS[step].title)


def read(
    viewer: Viewer,
    state: FilterState,
    dimension: str,
    groups: Sequence[tuple[str, ...]] = FIRST_GROUPS,
) -> dict[Any, dict[str, Any]]:
    """Return the rows of these KPIs by value of the dimension, with those before."""
    by: dict[Any, dict[str, Any]] = {}
    for kpis in groups:
        frame = cached.measure(viewer, kpis, (dimension,), state.where, state.compare)
        for value, row in tables.wide(frame, dimension).items():
            by.setdefault(value, {}).update(row)
    return by


def build_path(rows: Sequence[Mapping[str, Any]]) -> tuple[PathStep, ...]:
    """Add these values up, step by step, as far as they are shown.

    A step that is hidden for all of them is `suppressed`.
    """
    answered = _sum_rates("answered", rows, "answer_rate")
    called_back, reached = (_sum_rates(key, rows, key) for key in OF_MISSES)
    callers = PathStep("missed_callers", reached.base, status=reached.status, apart=reached.apart)
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
    found = [row[kpi] for row in rows if kpi in row]
    known = [row for row in found if not formatting.is_missing(row.value)]
    apart = sum(tables.whole(row.unknown_identity) or 0 for row in found)
    if not known:
        return PathStep(key, status=_status(kpi, rows), apart=apart)
    hits, n = sum(row.numerator for row in known), sum(row.denominator for row in known)
    low, high = stats.wilson(hits, n)
    return PathStep(key, hits, n, low, high, status="ok", apart=apart)


def _build_missed(answered: PathStep) -> PathStep:
    """Return all that are not answered."""
    if answered.count is None:
        return PathStep("missed", status=answered.status)
    low, high = 1 - answered.high, 1 - answered.low
    return PathStep("missed", answered.base - answered.count, answered.base, low, high, status="ok")


def _sum_scores(rows: Sequence[Mapping[str, Any]]) -> PathStep:
    """Count the evaluations; their mean score has the interval of Student."""
    count = _sum_counts("evaluations", rows)
    scored = [
        row["evaluation_score"]
        for row in rows
        if "evaluation_score" in row and not formatting.is_missing(row["evaluation_score"].value)
    ]
    n = sum(row.n for row in scored)
    if count.count is None or not n:
        return count
    mean = sum(row.value * row.n for row in scored) / n
    squares = sum(
        (row.n - 1) * (0 if formatting.is_missing(row.deviation) else row.deviation) ** 2
        + row.n * (row.value - mean) ** 2
        for row in scored
    )
    between = stats.mean_interval(mean, math.sqrt(squares / (n - 1)), int(n)) if n > 1 else None
    low, high = between or (None, None)
    return PathStep("evaluations", count.count, low=low, high=high, score=mean, status="ok")


def _status(kpi: str, rows: Sequence[Mapping[str, Any]]) -> str:
    found = {row[kpi].status for row in rows if kpi in row}
    return next((status for status in ("suppressed", "pending") if status in found), "no_data")


def ask_value(by: tables.Rows, dimension: str) -> str:
    """Ask whose path is drawn; usually that of all known values together."""
    titles = {EVERY: _(DIMENSIONS[dimension].every)}
    titles |= {value: value for value in tables.largest_first(by, "received") if value is not None}
    if None in by:
        titles[NOT_KNOWN] = formatting.name(dimension, None)
    with url_state.bound("of", titles, EVERY):
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
    name = _(DIMENSIONS[dimension].every) if value == EVERY else formatting.name(dimension, known)
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
        with tables.show_foot():
            _show_definitions(state)


def _draw(step: PathStep) -> charts.Bar:
    kind = STEPS[step.key]
    label, is_first = _(kind.title), kind.begins_group
    if step.count is None:
        words = {"suppressed": _("hidden"), "pending": _("pending")}
        word = words.get(step.status, _(formatting.NO_DATA))
        return charts.Bar(label, "", (word,), is_first=is_first)
    count = formatting.number(step.count)
    if step.key == "evaluations":
        return _draw_score(step, label, count)
    opens = kind.behind
    if step.share is None:
        note = _("one per caller and window") if step.key == "missed_callers" else ""
        return charts.Bar(label, note, (count,), is_first=is_first, opens=opens)
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
    note = _("mean score, {between}", between=between) if between else _("mean score")
    low, high = (None if end is None else end / 100 for end in (step.low, step.high))
    score = formatting.value(step.score, Unit.SCORE)
    return charts.Bar(label, note, (count, score), step.score / 100, low, high, is_first=True)


def _describe(path: Mapping[str, PathStep]) -> ChartTitle:
    reached, missed = path["recovered_rate"], path["missed"]
    if reached.count is not None:
        lost = int(reached.base - reached.count)
        if not lost:
            return ChartTitle(_("Every missed caller was reached"), "better")
        text = ngettext(
            "{count} of {whole} missed callers was not reached",
            "{count} of {whole} missed callers were not reached",
            lost,
            count=formatting.number(lost),
            whole=formatting.number(reached.base),
        )
        return ChartTitle(text, "attention")
    if missed.count is not None:
        said = _(
            "{missed} of {whole} contacts were missed",
            missed=formatting.number(missed.count),
            whole=formatting.number(missed.base),
        )
        return ChartTitle(said)
    return ChartTitle(_("What happened to these contacts"))


def _describe_limits(path: Mapping[str, PathStep], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    received = (row["received"] for row in rows if "received" in row)
    lines = note_texts.describe_populations(received)
    if apart := path["missed_callers"].apart:
        text = ngettext(
            "{count} missed contact came without a number. It cannot be called back, so it is "
            "in no bar below Missed.",
            "{count} missed contacts came without a number. They cannot be called back, so "
            "they are in no bar below Missed.",
            apart,
            count=formatting.number(apart),
        )
        lines.append(text)
    hidden = sum(any(one.status == "suppressed" for one in row.values()) for row in rows)
    if hidden and len(rows) > 1:
        text = ngettext(
            "{n} row has hidden numbers, which are in no sum here.",
            "{n} rows have hidden numbers, which are in no sum here.",
            hidden,
        )
        lines.append(text)
    return lines


def _show_definitions(state: FilterState) -> None:
    settings = cached.current_settings()
    with st.popover(_("What each step counts"), icon=":material/help:", type="tertiary"):
        st.caption(state.period_title)
        for line in (
            _(
                "**Received, answered, missed** count contacts: a person who calls three times "
                "counts three times."
            ),
            _(
                "**Missed callers** counts people: new tries within {hours} h are the same miss. "
                "Withheld numbers are left out.",
                hours=settings.recovery_hours,
            ),
            _(
                "**Called back** and **reached** are shares of missed callers. A caller who tried "
                "again and was answered is reached without a call-back."
            ),
            _(
                "**No repeat contact** is a share of answered first contacts whose window of "
                "{days} days is over.",
                days=settings.first_contact_days,
            ),
            _(
                "**Declared resolved** is a share of answered contacts with a declaration by the "
                "advisor."
            ),
            _(
                "**Satisfied** is a share of ratings, not of contacts: most people get no survey "
                "or do not answer."
            ),
            _(
                "**Evaluated** counts published evaluations; a contact can have two. Its bar "
                "is the mean score, from 0 to 100."
            ),
            _(
                "A step may therefore be larger than the one before. Only shares with the same "
                "base can be compared."
            ),
        ):
            st.markdown(line)
