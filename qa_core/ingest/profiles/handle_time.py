"""Talk, hold and after-contact work beside totals, whose meaning is tested on the rows."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_
from qa_core.files.header_text import simplify
from qa_core.ingest.columns.column_inference import FileContext, RowBatch, refuse_unread
from qa_core.ingest.columns.header_matching import parse_header
from qa_core.ingest.profiles.outcomes import build_outcome
from qa_core.ingest.staging.declaration import DURATION_IS_TALK
from qa_core.ingest.words.tables import build_pattern
from qa_core.storage.facts.schema import Outcome

PARTS = ("talk_seconds", "hold_seconds", "wrap_seconds")
WITHIN_SECONDS = 1.01
MAX_ROWS, SOME_ROWS = 0.95, 0.02
MIN_ROWS = 3
MIN_CODE = 3
"""Times that a code is above all others."""
MAX_DIFFERENCE = 0.05
UNREAD = {
    "talk_seconds": build_pattern("talk"),
    "wait_seconds": build_pattern("queue", "ringing", "answering"),
    "hold_seconds": build_pattern("hold"),
    "wrap_seconds": build_pattern("wrap"),
}
"""Words in the header of a column that may be that time."""
_TIME = build_pattern("time")
_UNIT = re.compile(r" (?:s|secs?|seconds?|mins?|ms)$")
_SPELT = r"(?:PT[\dHMS.]+|(?:\d+ ?(?:h|m|s|min|mn|sec|sek|seg|hrs?|std)\b\.? ?){1,3})"
_DURATION = rf"^(?:\d+(?:[.,]\d+)?|\d{{1,4}}:\d{{2}}(?::\d{{2}}(?:[.,]\d+)?)?|{_SPELT})$"
_CLEAR = rf"(?i)^(?:0?0:\d{{2}}:\d{{2}}(?:[.,]\d+)?|{_SPELT})$"
"""Cells that are times for sure, whatever their header says."""
_REPEATED = re.compile(r" \(\d\)$")
"""Number that the second of two equal headers gets."""
_AMOUNT = r"^(?:[2-9]|\d{2,})(?:[.,]\d+)?$"
_WHOLE = r"^\d+$"
_CLOCK = rf"(?i)^(?:\d{{1,4}}:\d{{2}}(?::\d{{2}}(?:[.,]\d+)?)?|{_SPELT})$"


@dataclass
class TalkPlan:
    """Source of the talk time: a column, less the parts that it contains.
    `handle_column`: the column of the handle time, from which blank parts follow.
    """

    source: str | None = None
    contained: tuple[str, ...] = ()
    handle_column: str | None = None


def decide_times(context: FileContext, batch: RowBatch, wait: np.ndarray | None) -> None:
    """Decide from sampled rows, with their `wait`, what each column contains. Raises Refusal."""
    plan = context.notes["talk"] = TalkPlan()
    times = {
        name: batch.read_number(name)
        for name in (*PARTS, "duration", "handle_seconds", "call_seconds")
        if context.has(name)
    }
    if wait is not None:
        times["wait_seconds"] = wait
    _require_units(context, times)
    _require_no_codes(context, times)
    _require_one_column(context, times)
    for name in UNREAD:
        if times.keys().isdisjoint((name, "handle_seconds" if name != "wait_seconds" else name)):
            require_read(context, name, UNREAD[name])
    if times.keys() <= {"wait_seconds"} and not context.has("ended_at"):
        require_read(context, "talk_seconds", re.compile(""), cells=_CLEAR)
        require_read(context, "talk_seconds", _UNIT)
    wait_header = context.get_header("wait_seconds") if context.has("wait_seconds") else ""
    is_stated = "wait_seconds" in context.options.columns
    if not is_stated and build_pattern("ringing").search(simplify(wait_header)):
        require_read(context, "wait_seconds", build_pattern("queue"))
    for name in ("handle_seconds", "duration", "call_seconds"):
        if "talk_seconds" in times and name in times:
            _decide_beside_talk(context, plan, name, times)
    if "talk_seconds" in times:
        plan.source = "talk_seconds"
    elif context.has("handle_seconds"):
        plan.source = plan.handle_column = "handle_seconds"
        plan.contained = tuple(name for name in PARTS if name in times)
        _describe(context, plan)
    elif context.has("answered_at", "ended_at"):
        context.guesses.add("talk_seconds")
        context.decide("talk_seconds", "the time from the answer to the end")
    elif context.has("duration") or context.has("call_seconds"):
        _decide_duration(context, batch, plan, times)
    elif context.has("ended_at"):
        message = N_("the time from the start to the end, minus the wait")
        context.decide("talk_seconds", message, context.get_header("ended_at"))
    if plan.source in context.guesses:
        context.guesses.add("talk_seconds")


def _require_units(context: FileContext, times: dict[str, np.ndarray]) -> None:
    """Raise Refusal where numbers are seconds by default, and moments say another unit."""
    span = context.notes.get("sample_span")
    if span is None:
        return
    for name in ("talk_seconds", "duration"):
        if name not in times or name in context.options.units or name not in context.guesses:
            continue
        rows = (times[name] > 0) & (span > 0)
        if rows.sum() < MIN_ROWS - 1:
            continue
        ratio = float(np.median(span[rows] / times[name][rows]))
        unit = "min" if 45 < ratio < 120 else "ms" if ratio < 0.01 else None
        if unit:
            raise context.refuse(
                "unit_and_moments",
                "Read as seconds, {column} does not fit the time between start and end, which "
                "is {ratio} times as long. Choose the unit.",
                name,
                f"--unit {name}={unit}",
                f"--unit {name}=s",
                ratio=f"{ratio:.3g}",
            )


def _require_no_codes(context: FileContext, times: dict[str, np.ndarray]) -> None:
    """Raise Refusal where 9999 or the like recurs far above all other times, as for none."""
    for name in filter(context.is_open, times):
        known = times[name][~np.isnan(times[name])]
        greatest = known.max(initial=0)
        others = known[known < greatest]
        is_code = re.fullmatch("9{4,}", f"{greatest:.0f}") and len(known) - len(others) > 1
        if is_code and len(others) and greatest > MIN_CODE * others.max():
            raise context.refuse(
                "code_among_times",
                "{value} recurs in {column} far above all other times, so it may stand for none. "
                "Say that it is missing, or name the column if it is a time.",
                name,
                f"--word {{column}}:{greatest:.0f}=missing",
                "--map {field}={column}",
                value=f"{greatest:.0f}",
            )


def _require_one_column(context: FileContext, times: Iterable[str]) -> None:
    """Raise Refusal where another column has the header of a time."""
    for name in filter(context.has, times):
        own = context.columns[name].header
        for index, text in context.find_unused():
            other = parse_header(text)
            is_part = {own.unit, other.unit} == {"min", "s"} and other.words == own.words
            is_part &= context.compute_share(index, r"^[0-5]?\d$") == 1
            if is_part or _REPEATED.sub("", text) == own.text:
                raise Refusal(
                    "repeated_header",
                    "Two columns have the header {column}. Say what the second is.",
                    options=tuple(
                        f"--map {field}={text}"
                        for field in ("talk_seconds", "wait_seconds", "ignore")
                        if not context.has(field)
                    ),
                    column=own.text,
                )


def require_read(
    context: FileContext,
    name: str,
    words: re.Pattern[str],
    fields: tuple[str, ...] = (),
    cells: str = _DURATION,
) -> None:
    """Raise Refusal where an unread column may be the time of that field. `fields`: what it may
    be among totals, where only clocks and words for a time tell it from counts.
    """
    is_talk = name == "talk_seconds"
    unread_columns = [
        text
        for index, text in context.find_unused()
        if words.search(simplify(text))
        and context.compute_share(index, cells) == 1
        and ((is_talk and not fields) or _is_time(context, index, text, is_count=bool(fields)))
    ]
    if not unread_columns or (context.profile.signatures and not is_talk):
        return
    first = "handle_seconds" if words.pattern else "duration"
    fields = fields or ((name, first) if is_talk else (name,))
    meaning = N_("Handle time") if is_talk else name
    raise refuse_unread("unread_time", unread_columns, meaning, (*fields, "ignore"))


def _is_time(context: FileContext, index: int, header: str, is_count: bool) -> bool:
    """Return whether a column holds times, by the words of its header, its unit or its cells;
    where it may count, neither amounts nor a number in the header tell it.
    """
    if is_count and (re.search(r"[\d%]", header) or context.compute_share(index, _WHOLE) == 1):
        return bool(_TIME.search(simplify(header)))
    return bool(
        _TIME.search(simplify(header))
        or parse_header(header).unit
        or context.compute_share(index, _CLOCK) == 1
        or (" " not in simplify(header) and context.compute_share(index, _AMOUNT) > 1 / 2)
    )


def _decide_beside_talk(
    context: FileContext, plan: TalkPlan, name: str, times: dict[str, np.ndarray]
) -> None:
    """Decide what talk time contains, by the parts of a total. Raises Refusal if they differ."""
    total, talk = times[name], times["talk_seconds"]
    others = [other for other in ("hold_seconds", "wrap_seconds", "wait_seconds") if other in times]
    positive = [other for other in others if (times[other] > 0).any()]
    rows = ~np.isnan(total) & ~np.isnan(talk) & (talk > 0)
    if rows.sum() < MIN_ROWS or not positive:
        return
    sizes = range(len(positive), -1, -1)
    choices = (chosen for size in sizes for chosen in combinations(positive, size))

    def is_total(chosen: Iterable[str]) -> bool:
        return _is_sum(total[rows], [talk[rows], *(times[other][rows] for other in chosen)])

    fitting = next(filter(is_total, choices), None)
    if fitting is None:
        handled = np.nansum([np.where(rows, times[other], 0) for other in PARTS if other in times])
        differs = abs(handled - total[rows].sum()) > MAX_DIFFERENCE * total[rows].sum()
        if name == "handle_seconds" and differs:
            known = [*filter(context.has, (name, *PARTS))]
            raise context.refuse(
                "handle_time_and_parts",
                "{column} is not the sum of all or some of {parts}. Leave the wrong column aside.",
                name,
                *(f"--map ignore={context.get_header(other)}" for other in known),
                parts=_show(context, known[1:]),
            )
        return
    parts = ("hold_seconds", "wrap_seconds") if name == "handle_seconds" else ("hold_seconds",)
    within = tuple(other for other in parts if other in positive and other not in fitting)
    if name == "handle_seconds" or ("wait_seconds" not in fitting and "wrap_seconds" in fitting):
        plan.handle_column = name
    if within:
        plan.contained = within
        _describe(context, plan, "talk_seconds", context.get_header(name))


def _is_sum(total: np.ndarray, parts: Iterable[np.ndarray]) -> bool:
    added = np.sum([np.nan_to_num(part) for part in parts], axis=0)
    return bool((np.abs(total - added) <= WITHIN_SECONDS).mean() >= MAX_ROWS)


def _decide_duration(
    context: FileContext, batch: RowBatch, plan: TalkPlan, times: dict[str, np.ndarray]
) -> None:
    plan.source = "duration" if context.has("duration") else "call_seconds"
    contains = ["hold_seconds"] if "hold_seconds" in times else []
    wait = times.get("wait_seconds")
    if plan.source == "call_seconds":
        contains.append("wait_seconds")
    elif np.nansum(wait if wait is not None else 0) > 0 or _has_unanswered(context, batch, times):
        is_wait_contained = None
        if wait is not None:
            is_wait_contained = _contains_wait(context, batch, times["duration"], wait)
        if is_wait_contained is None:
            raise context.refuse(
                "duration_and_wait",
                "It is unclear whether {column} includes the wait. Choose call_seconds if it "
                "does, talk_seconds if not.",
                "duration",
                "--map call_seconds={column}",
                "--map talk_seconds={column}",
            )
        if is_wait_contained:
            contains.append("wait_seconds")
    plan.contained = tuple(contains)
    if contains:
        _describe(context, plan)
    else:
        context.decide("talk_seconds", DURATION_IS_TALK, context.get_header(plan.source))


def _has_unanswered(context: FileContext, batch: RowBatch, times: dict[str, np.ndarray]) -> bool:
    """Return whether contacts that nobody answered have a duration, which is their wait."""
    outcome = build_outcome(context, batch, None)
    if outcome is None or "duration" in context.options.columns:
        return False
    missed = np.isin(outcome.astype(str), [Outcome.ABANDONED, Outcome.UNANSWERED])
    return missed.sum() >= MIN_ROWS and (times["duration"][missed] > 0).mean() > 1 / 2


def _contains_wait(
    context: FileContext, batch: RowBatch, duration: np.ndarray, wait: np.ndarray
) -> bool | None:
    """Return whether the duration contains the wait; None where the rows do not tell."""
    comparable = ~np.isnan(duration) & ~np.isnan(wait)
    outcome = build_outcome(context, batch, None)
    answered = comparable if outcome is None else comparable & (outcome == Outcome.ANSWERED)
    missed = comparable & (wait > WITHIN_SECONDS)
    if outcome is not None:
        missed &= np.array([item in (Outcome.ABANDONED, Outcome.UNANSWERED) for item in outcome])
        if missed.sum() >= MIN_ROWS - 1:
            same = np.abs(duration[missed] - wait[missed]) <= WITHIN_SECONDS
            if same.mean() >= MAX_ROWS:
                return True
            if (duration[missed] == 0).mean() >= MAX_ROWS:
                return False
    shorter = duration[answered] < wait[answered] - WITHIN_SECONDS
    if answered.sum() >= MIN_ROWS and shorter.mean() > SOME_ROWS:
        return False
    if context.has("ended_at") and "start" in context.notes:
        span = context.notes["sample_span"]
        spanned = answered & ~np.isnan(span)
        if spanned.sum() >= MIN_ROWS:
            if _is_sum(span[spanned], [duration[spanned]]):
                return True
            if _is_sum(span[spanned], [duration[spanned], wait[spanned]]):
                return False
    return None


def _describe(context: FileContext, plan: TalkPlan, source: str = "", total: str = "") -> None:
    source, less = _show(context, [source or plan.source]), _show(context, plan.contained)
    message = N_("{source} minus {less}") if less else "{source}"
    context.decide("talk_seconds", message, total, source=source, less=less)


def _show(context: FileContext, names: Iterable[str]) -> str:
    """List the headers of these fields; a field without a column by its own name."""
    return ", ".join(context.get_header(name) if context.has(name) else name for name in names)


def build_times(
    context: FileContext,
    batch: RowBatch,
    answer: np.ndarray | None,
    end: np.ndarray | None,
    wait: np.ndarray | None,
) -> dict[str, np.ndarray]:
    """Build talk, hold and after-contact work of a batch in seconds, NaN where missing;
    only those that the file carries. `answer`, `end`: seconds after the start.
    """
    plan: TalkPlan = context.notes["talk"]
    times = {name: batch.read_number(name) for name in PARTS[1:] if context.has(name)}
    unknown = np.full(len(batch), np.nan)
    waited = unknown if wait is None else wait
    contained_times = [waited if name == "wait_seconds" else times[name] for name in plan.contained]
    talk: np.ndarray | None = None
    if plan.source:
        talk = batch.read_number(plan.source)
        for name, part in zip(plan.contained, contained_times, strict=True):
            # A blank hold or after-work did not happen; a blank wait is not known.
            deduction = part if name == "wait_seconds" else np.nan_to_num(part)
            talk = np.maximum(talk - deduction, 0)
    elif answer is not None and end is not None:
        talk = end - answer
        batch.blank(talk < 0, "ended_at", "negative_duration")
        talk[talk < 0] = np.nan
    elif end is not None:
        talk = end if wait is None else np.maximum(end - np.nan_to_num(wait), 0)
    if talk is None:
        return times
    if plan.handle_column and plan.handle_column != plan.source:
        handle_time = batch.read_number(plan.handle_column)
        for name, values in times.items():
            other_parts = [talk, *(part for other, part in times.items() if other != name)]
            rest = handle_time - np.sum(other_parts, axis=0)
            times[name] = np.where(np.isnan(values) & (rest >= 0), rest, values)
    elif plan.handle_column:
        for name, part in times.items():
            times[name] = np.where(np.isnan(talk), part, np.nan_to_num(part))
    return {"talk_seconds": talk, **times}
