"""What becomes of the contacts of a campaign: answered, missed, called back, reached,
resolved, satisfied, evaluated; each a share of its own base.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from qa_core import stats
from qa_core.access.roles import Viewer
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.analysis.charts import step_bars as charts
from qa_core.base.i18n import N_, _, ngettext
from qa_core.metrics import formatting
from qa_core.metrics.kpis import Unit
from qa_core.ui import cached, cards, drill, tables, url_state
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
EVERY, NOT_KNOWN = "", "-"

TITLES: Mapping[str, str] = {
    "received": N_("Received"),
    "answered": N_("Answered"),
    "missed": N_("Missed"),
    "missed_callers": N_("Missed callers"),
    "call_back_rate": N_("Called back"),
    "recovered_rate": N_("Reached"),
    "first_contact_resolution": N_("Did not come back"),
    "first_contact_resolution_declared": N_("Declared resolved"),
    "csat": N_("Satisfied"),
    "evaluations": N_("Evaluated"),
}
BASES: Mapping[str, str] = {
    "answered": N_("of {n} received"),
    "missed": N_("of {n} received"),
    "call_back_rate": N_("of {n} missed callers"),
    "recovered_rate": N_("of {n} missed callers"),
    "first_contact_resolution": N_("of {n} first contacts"),
    "first_contact_resolution_declared": N_("of {n} declarations"),
    "csat": N_("of {n} ratings"),
}
BEHIND: Mapping[str, str] = {
    "received": "received",
    "answered": "answered",
    "missed": "missed",
    "missed_callers": "missed",
    "call_back_rate": "missed",
    "recovered_rate": "missed",
    "first_contact_resolution": "first_contact_resolution",
    "first_contact_resolution_declared": "first_contact_resolution_declared",
    "csat": "csat",
}
"""The KPI whose contacts a click on a step opens."""


@dataclass(frozen=True)
class PathStep:
    """One step. `count` of `base` things of its own kind, None where not known; `low`
    and `high`: the 95 % interval of their share, or of the mean `score`.

    `status`: `ok`, `no_data`, `pending` or `suppressed`. `apart`: what could not be
    counted, such as callers without a number.
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


def read(viewer: Viewer, look: FilterState, dimension: str) -> dict[Any, dict[str, Any]]:
    """The rows of every step by the value of the dimension, None being those without
    one.
    """
    by: dict[Any, dict[str, Any]] = {}
    for kpis in (COUNTED, OF_MISSES, OF_EVALUATIONS):
        for value, row in tables.wide(
            cached.measure(viewer, kpis, (dimension,), look.where), dimension
        ).items():
            by.setdefault(value, {}).update(row)
    return by


def knows_missed(viewer: Viewer, look: FilterState) -> bool:
    """Whether missed contacts are among those that the viewer may see: where they
    belong to nobody's team, everything seen was answered.
    """
    missed = cached.headline(viewer, ("missed",), look.trend)["missed"]
    return missed.status == "suppressed" or bool(
        missed.value and not formatting.is_missing(missed.value)
    )


def build_path(rows: Sequence[Mapping[str, Any]], with_missed: bool = True) -> tuple[PathStep, ...]:
    """The steps of these values together: sums of those that are shown, each with the
    interval of its share.

    A step that is hidden for all of them is `suppressed`; without `with_missed` nothing
    is said of the missed.
    """
    answered = _sum_rates("answered", rows, "answer_rate")
    if not with_missed:
        steps = [
            PathStep("answered", answered.count, status=answered.status),
            *map(PathStep, ("missed", "missed_callers", *OF_MISSES)),
        ]
    else:
        called_back, reached = (_sum_rates(key, rows, key) for key in OF_MISSES)
        callers = PathStep(
            "missed_callers", reached.base, status=reached.status, apart=reached.apart
        )
        steps = [answered, _mirror(answered, "missed"), callers, called_back, reached]
    rest = (
        _sum_rates(key, rows, key)
        for key in ("first_contact_resolution", "first_contact_resolution_declared", "csat")
    )
    return _sum_counts("received", rows), *steps, *rest, _sum_scores(rows)


def _sum_counts(key: str, rows: Sequence[Mapping[str, Any]]) -> PathStep:
    known = [
        row[key].value for row in rows if key in row and not formatting.is_missing(row[key].value)
    ]
    return (
        PathStep(key, sum(known), status="ok")
        if known
        else PathStep(key, status=_status(key, rows))
    )


def _sum_rates(key: str, rows: Sequence[Mapping[str, Any]], kpi: str) -> PathStep:
    found = [row[kpi] for row in rows if kpi in row]
    known = [row for row in found if not formatting.is_missing(row.value)]
    apart = sum(
        int(row.unknown_identity)
        for row in found
        if not formatting.is_missing(row.unknown_identity)
    )
    if not known:
        return PathStep(key, status=_status(kpi, rows), apart=apart)
    hits, n = sum(row.numerator for row in known), sum(row.denominator for row in known)
    low, high = stats.wilson(hits, n)
    return PathStep(key, hits, n, low, high, status="ok", apart=apart)


def _mirror(step: PathStep, key: str) -> PathStep:
    """All that are not of the step."""
    if step.count is None:
        return PathStep(key, status=step.status)
    return PathStep(
        key, step.base - step.count, step.base, 1 - step.high, 1 - step.low, status="ok"
    )


def _sum_scores(rows: Sequence[Mapping[str, Any]]) -> PathStep:
    """The evaluations, and their mean score with the interval of Student."""
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
    spread = sum(
        (row.n - 1) * (0 if formatting.is_missing(row.deviation) else row.deviation) ** 2
        + row.n * (row.value - mean) ** 2
        for row in scored
    )
    between = stats.mean_interval(mean, math.sqrt(spread / (n - 1)), int(n)) if n > 1 else None
    low, high = between or (None, None)
    return PathStep("evaluations", count.count, low=low, high=high, score=mean, status="ok")


def _status(kpi: str, rows: Sequence[Mapping[str, Any]]) -> str:
    found = {row[kpi].status for row in rows if kpi in row}
    return next((status for status in ("suppressed", "pending") if status in found), "no_data")


def ask_value(by: Mapping[Any, Mapping[str, Any]], dimension: str) -> str:
    """Which campaign (or source, …) the path is of, kept in the address; all known ones
    together go without saying.
    """
    titles = {EVERY: _describe_every(dimension)}
    titles |= {value: value for value in tables.largest_first(by, "received") if value is not None}
    if None in by:
        titles[NOT_KNOWN] = formatting.name(dimension, None)
    url_state.take("sources", "of", titles, EVERY)
    chosen = (
        st.selectbox(
            _("Of which"),
            list(titles),
            format_func=titles.get,
            key="of",
            label_visibility="collapsed",
        )
        or EVERY
    )
    url_state.give("sources", "of", chosen, EVERY)
    return chosen


def _describe_every(dimension: str) -> str:
    return {
        "campaign": _("All contacts with a known campaign"),
        "source": _("All contacts with a known source"),
        "medium": _("All contacts with a known medium"),
        "keyword": _("All contacts with a known keyword"),
    }.get(dimension) or _("All contacts on a tracking number")


def show_path(
    viewer: Viewer,
    look: FilterState,
    by: Mapping[Any, Mapping[str, Any]],
    dimension: str,
    value: str,
) -> None:
    """The steps of one value, or of all known ones together, under what was lost on the
    way.
    """
    chosen = _choose(by, value)
    with_missed = knows_missed(viewer, look)
    path = {step.key: step for step in build_path(chosen, with_missed)}
    if path["received"].status == "no_data":
        with st.container(border=True, height="stretch"):
            cards.show_heading(ChartTitle(_("No contact of this period among them")))
        return
    title = (
        _describe_every(dimension)
        if value == EVERY
        else formatting.name(dimension, None if value == NOT_KNOWN else value)
    )
    bars = [_draw(step) for step in path.values()]
    clickable = drill.is_open_to(viewer) and value != EVERY
    with st.container(border=True, height="stretch", gap="xxsmall"):
        finding = _describe(path, look)
        caption = _(
            "{what}, step by step; each bar is a share of its own base, with its 95 % interval",
            what=title,
        )
        cards.show_heading(finding, caption)
        on_select = (
            _on_step({dimension: None if value == NOT_KNOWN else value}) if clickable else None
        )
        cards.show_figure(
            charts.build_steps(bars, dark=cards.is_dark()),
            "path",
            f"{finding.text}. {_describe_in_words(path)}",
            on_select,
        )
        for line in _describe_limits(path, chosen, with_missed):
            st.caption(line)
        with tables.show_foot():
            _note_steps(look)


def _choose(by: Mapping[Any, Mapping[str, Any]], value: str) -> list[Mapping[str, Any]]:
    if value == EVERY:
        return [row for key, row in by.items() if key is not None]
    return [by[None if value == NOT_KNOWN else value]]


def _draw(step: PathStep) -> charts.Bar:
    label, opens = title_of(step.key), BEHIND.get(step.key)
    is_first = step.key in ("missed_callers", "first_contact_resolution", "evaluations")
    if step.count is None:
        word = {"suppressed": _("hidden"), "pending": _("pending")}.get(
            step.status, _(formatting.NO_DATA)
        )
        return charts.Bar(label, "", (word,), is_first=is_first)
    if step.key == "evaluations":
        between = formatting.interval(step.low, step.high, Unit.SCORE)
        score = "" if step.score is None else formatting.value(step.score, Unit.SCORE)
        text = tuple(filter(None, (formatting.number(step.count), score)))
        share = None if step.score is None else step.score / 100
        ends = (None, None) if step.low is None else (step.low / 100, step.high / 100)
        return charts.Bar(
            label,
            _("mean score, {between}", between=between)
            if between
            else _("mean score")
            if score
            else "",
            text,
            share,
            *ends,
            is_first=is_first,
        )
    if step.share is None:
        note = _("one per caller and window") if step.key == "missed_callers" else ""
        return charts.Bar(
            label, note, (formatting.number(step.count),), is_first=is_first, opens=opens
        )
    note = (
        f"{_(BASES[step.key], n=formatting.number(step.base))}, "
        f"{formatting.interval(step.low, step.high, Unit.RATE)}"
    )
    text = (formatting.number(step.count), formatting.percent(step.share, 0))
    return charts.Bar(
        label, note, text, step.share, step.low, step.high, step.key == "missed", is_first, opens
    )


def _on_step(values: dict[str, Any]):
    def open_step() -> None:
        points = st.session_state["path"]["selection"]["points"]
        data = points[0].get("customdata") if points else None
        behind = (
            data[0]
            if isinstance(data, list | tuple)
            else data.get("0")
            if isinstance(data, dict)
            else data
        )
        if behind:
            drill.to_contacts(values, behind)

    return open_step


def _describe(path: Mapping[str, PathStep], look: FilterState) -> ChartTitle:
    reached, missed = path["recovered_rate"], path["missed"]
    if reached.count is not None:
        lost = int(reached.base - reached.count)
        if not lost:
            return ChartTitle(_("Every missed caller was reached"), "better")
        return ChartTitle(
            ngettext(
                "{count} of {whole} missed callers was not reached",
                "{count} of {whole} missed callers were not reached",
                lost,
                count=formatting.number(lost),
                whole=formatting.number(reached.base),
            ),
            "attention",
        )
    if missed.count is not None:
        return ChartTitle(
            _(
                "{missed} of {whole} contacts were missed",
                missed=formatting.number(missed.count),
                whole=formatting.number(missed.base),
            )
        )
    return ChartTitle(_("What became of them"))


def _describe_in_words(path: Mapping[str, PathStep]) -> str:
    """The picture for who cannot see it."""
    return ". ".join(
        f"{bar.label}: {', '.join(filter(None, (*bar.text, bar.note)))}"
        for bar in map(_draw, path.values())
    )


def _describe_limits(
    path: Mapping[str, PathStep], rows: Sequence[Mapping[str, Any]], with_missed: bool
) -> list[str]:
    lines = []
    if not with_missed:
        lines.append(
            _(
                "Only answered contacts are counted here: those that nobody answered belong to "
                "nobody whose contacts you see."
            )
        )
    if path["missed_callers"].apart:
        lines.append(
            ngettext(
                "{count} missed contact came without a number: nobody can be called back, so "
                "it is in no bar below Missed.",
                "{count} missed contacts came without a number: nobody can be called back, so "
                "they are in no bar below Missed.",
                path["missed_callers"].apart,
                count=formatting.number(path["missed_callers"].apart),
            )
        )
    hidden = sum(any(one.status == "suppressed" for one in row.values()) for row in rows)
    if hidden and len(rows) > 1:
        lines.append(
            ngettext(
                "{n} line has numbers that are hidden; these are in no sum here.",
                "{n} lines have numbers that are hidden; these are in no sum here.",
                hidden,
            )
        )
    return lines


def _note_steps(look: FilterState) -> None:
    """What each step counts, on demand."""
    hours, days = (
        cached.current_settings().recovery_hours,
        cached.current_settings().first_contact_days,
    )
    with st.popover(_("What each step counts"), icon=":material/help:", type="tertiary"):
        st.caption(look.period_title)
        for line in (
            _(
                "**Received, answered, missed** count contacts: a person who calls three times "
                "is three."
            ),
            _(
                "**Missed callers** are persons: further tries within {hours} h of a miss are "
                "the same miss. Withheld numbers are left out.",
                hours=hours,
            ),
            _(
                "**Called back** and **reached** are both shares of missed callers: whoever "
                "called again and was answered is reached without a call-back."
            ),
            _(
                "**Did not come back** looks at answered first contacts whose window of {days} "
                "days is over.",
                days=days,
            ),
            _(
                "**Declared resolved** looks at answered contacts with a declaration of the "
                "advisor."
            ),
            _(
                "**Satisfied** is a share of ratings, not of contacts: most people are never "
                "asked or do not answer."
            ),
            _(
                "**Evaluated** counts published evaluations; a contact can have two. Its bar "
                "is the mean score, from 0 to 100."
            ),
            _(
                "So a step may be larger than the one before. Only shares with the same base "
                "can be compared."
            ),
        ):
            st.markdown(line)


def title_of(key: str) -> str:
    """What a step is called, in the language spoken; `answer_rate` is the share of the
    step answered.
    """
    known = "answered" if key == "answer_rate" else key
    return _(TITLES[known])
