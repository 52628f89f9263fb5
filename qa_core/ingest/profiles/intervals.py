"""Totals by half-hour, hour or day; averages are multiplied by the contacts behind them."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa

from qa_core.base.errors import Refusal, require_known
from qa_core.base.i18n import N_
from qa_core.files.decision import NO_COLUMN, SET_BY_PERSON
from qa_core.files.header_text import separate_words, simplify
from qa_core.files.options import parse_scale
from qa_core.ingest.columns import header_matching
from qa_core.ingest.columns.column_inference import (
    NAME_OR_IGNORE,
    FileContext,
    RowBatch,
    refuse_unread,
)
from qa_core.ingest.columns.durations import DurationEvidence
from qa_core.ingest.columns.numbers import NumberEvidence, NumberReading
from qa_core.ingest.columns.table_bounds import is_footer
from qa_core.ingest.columns.timestamps import DAY_MINUTES, find_month, parse_period
from qa_core.ingest.columns.vocabulary import read_direction
from qa_core.ingest.profiles import starts
from qa_core.ingest.profiles.contacts import read_channel
from qa_core.ingest.profiles.handle_time import UNREAD, require_read
from qa_core.ingest.staging.arrays import as_moments, as_numbers, is_among
from qa_core.ingest.staging.declaration import Column, Profile, build_fields
from qa_core.ingest.words.tables import build_pattern, list_words
from qa_core.storage.facts.schema import Direction

AVERAGES = {
    "wait_seconds": ("average_wait", "answered"),
    "abandon_wait_seconds": ("average_abandon_wait", "abandoned"),
    "talk_seconds": ("average_talk", "answered"),
    "hold_seconds": ("average_hold", "answered"),
    "wrap_seconds": ("average_wrap", "answered"),
}
"""For each sum of seconds, the field of its average and the count to multiply that by."""
FIELDS = build_fields("intervals")

DEFAULT_THRESHOLD = 20
PERIODS = ("day", "week", "month")
"""Periods that a row of days may cover, for `--only period=`."""
MIN_GAPS = 3
_DATED = r"^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}"
_END = re.compile(r"(?i)\b(?:ending|ended|end|fin|fim|ende|fine)\b")
LONG_AVERAGE = 7_200
"""Nobody waits or talks two hours on average: greater numbers are sums."""

RATES = ("answer_rate", "abandon_rate", "service_level")
COUNTS = ("received", "answered", "abandoned", "short_abandons", "answered_in_threshold")
BY_LENGTH = ("short_abandons", "long_abandons")
LOW_RATE = 0.5
"""No centre answers less than that share of one per cent: such rates are shares of one."""
_AVERAGE = build_pattern("average")
_WEEK = re.compile(r"(?i)(?:week|semaine|sem|wk|kw|woche|semana|settimana|w|s)\.? ?\d{1,2}")
_OF_WEEK = re.compile(r"\b(?:weeks?|semaine|woche|semana|settimana)\b")
"""Header of the days of weeks."""
_TOTAL = re.compile(r"\b(total|totale|sum|somme|cumul\w*|acd|acw)\b", re.IGNORECASE)
_SECONDS = re.compile(
    r"(\d{1,4})\s*(?:s|secs?|seconds?|secondes?|sec\.)(?![a-z])|\b[5-9]\d ?/ ?(\d{1,3})\b",
    re.IGNORECASE,
)
"""Seconds in a header: `within 20 s`, also in `80/20`."""
_WITHIN = re.compile(
    r"\b(ans|answered|answer|handled|acd|acceptable|traites?|repondus?|decroches?|pris|"
    r"prises?)\b.*\b(within|in|under|sous|en|dans|avant|moins)\b",
    re.IGNORECASE,
)
_OF_ALL = list_words("of_all")
"""Labels of rows that sum up all others."""
_ABANDONS = re.compile(r"\b(aban|abandons?|abandoned|abandonn\w*|raccroch\w*)\b", re.IGNORECASE)
_AFTER = re.compile(r"\b(after|over|above|apres|plus de|au dela)\b|>", re.IGNORECASE)
_BEFORE = re.compile(r"\b(within|in|under|before|sous|en|dans|avant|moins)\b|<", re.IGNORECASE)


def claim(headers: tuple[str, ...], columns: dict[str, Column]) -> None:
    """Use columns whose header names seconds, and sums that it calls averages."""
    used = {column.index for column in columns.values()}
    candidates_by_field: dict[str, list[tuple[int, int]]] = {}
    for index, text in enumerate(headers):
        seconds, plain = find_seconds(text), simplify(text)
        if index in used:
            continue
        if _is_average(text):
            _claim_average(columns, index, text)
            continue
        if seconds is None:
            continue
        name = None
        rest = _SECONDS.sub(" ", separate_words(text))
        if header_matching.name_field(rest, FIELDS) == "service_level":
            name = "service_level"
        elif not _ABANDONS.search(plain):
            name = "answered_in_threshold" if _WITHIN.search(plain) or "<" in text else None
        elif _AFTER.search(plain) or ">" in text:
            name = "long_abandons"
        elif _BEFORE.search(plain) or "<" in text:
            name = "short_abandons"
        if name and name not in columns:
            candidates_by_field.setdefault(name, []).append(
                (abs(seconds - DEFAULT_THRESHOLD), index)
            )
    for name, candidates in candidates_by_field.items():
        index = min(candidates)[1]
        columns[name] = Column(
            PROFILE.get_field(name), index, header_matching.parse_header(headers[index])
        )
    for name, (average, _of) in AVERAGES.items():
        if name in columns and _is_average(columns[name].header.text):
            column = columns.pop(name)
            columns.setdefault(average, replace(column, field=PROFILE.get_field(average)))
    level = columns.get("service_level")
    if level and level.header.unit and find_seconds(level.header.text) is None:
        # `Service Level (Sec)` is the threshold of the level.
        field = PROFILE.get_field("threshold_seconds")
        columns.setdefault(field.name, replace(columns.pop("service_level"), field=field))
    waits, parsed = columns.get("average_wait"), [*map(header_matching.parse_header, headers)]
    others = [index for index, header in enumerate(parsed) if header.words == "tme"]
    if waits and waits.header.words == header_matching.UNCLEAR and others:
        columns["average_handle"] = replace(waits, field=PROFILE.get_field("average_handle"))
        columns["average_wait"] = Column(waits.field, others[0], parsed[others[0]])
    length = columns.get("length_minutes")
    if (
        length
        and length.header.words in ("interval", "intervalle")
        and not columns.keys() & {"start", "time", "hour"}
    ):
        columns["time"] = replace(columns.pop("length_minutes"), field=PROFILE.get_field("time"))


def _is_average(header: str) -> bool:
    return "ø" in header.casefold() or bool(_AVERAGE.search(simplify(header)))


def _claim_average(columns: dict[str, Column], index: int, header: str) -> None:
    """Use a column as the average of its other words: `Avg talk time`, `Communication moyenne`."""
    words = header_matching.parse_header(header).words
    name = header_matching.name_field(_AVERAGE.sub(" ", words), FIELDS)
    average, _count = AVERAGES.get(name, (name, ""))
    if average in dict(AVERAGES.values()):
        columns.setdefault(
            average, Column(PROFILE.get_field(average), index, header_matching.parse_header(header))
        )


def find_seconds(header: str) -> int | None:
    """Find the number of seconds in a header: `Service Level (20 Seconds)`."""
    match = _SECONDS.search(separate_words(header))
    return int(match[1] or match[2]) if match else None


def _decide_sums(context: FileContext) -> None:
    """Find rows that sum up the others, by the label of their queue or team; they are left out."""
    for name in ("queue", "team"):
        if not context.has(name):
            continue
        counts = context.evidence[name].seen
        sums = {label for label in counts if simplify(label) in _OF_ALL}
        sums |= {"*"} & {*counts}
        if sums and len(sums) < len(counts):
            context.notes.setdefault("sums", {})[name] = sorted(sums)
            message = N_("rows {labels} are totals of the others and are left out")
            count = sum(counts[label] for label in sums)
            context.decide(name, message, count, labels=", ".join(sums))


def _decide_titles(context: FileContext) -> None:
    """Decide which labels above the table hold for all rows; not one of all queues."""
    titles = context.notes["titles"]
    for name, text in list(titles.items()):
        if simplify(text) in _OF_ALL:
            del titles[name]
        else:
            context.decide(name, "{text}, from the title of the table", text=text)
            context.inferred.add(name)


def decide_columns(context: FileContext) -> None:
    """Decide what is counted, for which period, and its length."""
    if not context.has("received") and not context.has("answered"):
        raise Refusal(
            "not_totals",
            "No column counts received or answered contacts, so this is not a file of totals. "
            "Columns: {seen}. Name the right column.",
            options=("--map received=COLUMN", "--map answered=COLUMN"),
            seen=header_matching.format_headers(context.headers),
        )
    header_matching.require_clear(context.columns, context.options, "average_")
    _require_received(context)
    _decide_sums(context)
    _decide_titles(context)
    _decide_start(context)
    if "periods" not in context.notes:
        _decide_length(context)
    _decide_counts(context)
    _decide_threshold(context)
    for name in AVERAGES:
        _decide_seconds(context, name)
    if context.has("average_handle"):
        if context.has("wrap_seconds") or context.has("average_wrap"):
            context.drop_replaced("average_handle")
        else:
            header = context.get_header("average_handle")
            context.decide("wrap_seconds", "{other} minus talk and hold", other=header)
    for name, words in UNREAD.items():
        known = (name, AVERAGES[name][0], *(["average_handle"] if name != "wait_seconds" else []))
        if not any(map(context.has, known)):
            require_read(context, name, words, known[:2])
    if not context.has("channel"):
        context.decide("channel", "Phone", NO_COLUMN)
    _require_own_counts(context)


def _require_received(context: FileContext) -> None:
    """Raise Refusal where the file also has separate counts of those received and made, another
    count of those received, or counts of those made alone.
    """
    unused = context.find_unused()
    ways = {read_direction(text): text for _index, text in unused}
    is_open = not (context.options.is_stated or "received" in context.options.columns)
    if is_open and context.has("received"):
        others = [item for item in unused if _counts_otherwise(context, *item)]
        if others:
            raise context.refuse(
                "which_received",
                "{column} and {other} both count contacts received, and differ. Which counts those "
                "that reached the queue?",
                "received",
                *(f"--map received={text}" for _index, text in others),
                "--map received={column}",
                other=", ".join(text for _index, text in others),
            )
    elif is_open and not context.has("abandoned") and Direction.OUTBOUND in ways:
        made = ways[Direction.OUTBOUND]
        raise context.refuse(
            "which_received",
            "{other} counts outgoing contacts, and {column} may be of those. Totals are of "
            "contacts received. Leave the file out, or name {other} if they were received.",
            "answered",
            f"--map received={made}",
            other=made,
        )
    is_counted = {Direction.INBOUND, Direction.OUTBOUND} <= ways.keys()
    if context.has("received"):
        is_counted &= read_direction(context.get_header("received")) != Direction.INBOUND
    if is_counted and context.is_open("received"):
        raise context.refuse(
            "which_received",
            "{column} may count outgoing contacts too, beside {other}. Which counts those "
            "received?",
            "received",
            f"--map received={ways[Direction.INBOUND]}",
            "--map received={column}",
            other=ways[Direction.INBOUND],
        )


def _counts_otherwise(context: FileContext, index: int, header: str) -> bool:
    """Return whether an unused column counts contacts received too, and not the same."""
    if header_matching.name_field(header, FIELDS) != "received":
        return False
    sample = context.take_sample()
    counts = NumberReading(context.readings["received"].decimal).read(sample.cells[index])[0]
    return bool((np.abs(counts - sample.read_number("received")) > 0).any())


def _require_own_counts(context: FileContext) -> None:
    """Raise Refusal where counts only grow through each day, as a row counts the day up to it, or
    where the rows of one queue or team count all others.
    """
    name = "received" if context.has("received") else "answered"
    if not context.is_open(name) or "days" in context.notes:
        return
    sample = context.take_sample()
    start, counts = _build_start(context, sample)[0], _build_counts(context, sample)
    days = start.astype("M8[M]" if context.notes["daily"] else "M8[D]").tolist()
    texts = sample.read_texts("queue", "channel", "team")
    labels = {item: cells.to_pylist() for item, cells in texts.items()}
    known = [counts[item] for item in COUNTS[:3]]
    context.require_own(name, [*zip(days, *labels.values(), strict=True)], start, known)
    is_left_out = np.isnat(start)
    for item, sums in context.notes.get("sums", {}).items():
        is_left_out |= np.array([cell in sums for cell in labels[item]])
    known = [np.where(is_left_out, 0, count) for count in known[:2]]
    for item in filter(context.is_open, ("queue", "team")):
        others = [cells for other, cells in labels.items() if other != item]
        groups = [*zip(start.tolist(), *others, strict=True)]
        index = context.columns[item].index
        option = f"--map {item}={context.get_header(item)}"
        context.require_no_sums(sample, index, option, groups, known)


def _decide_periods(context: FileContext) -> bool:
    """Return whether a column labels weeks or months: the periods of the rows."""
    name = "period"
    if not context.has(name):
        return False
    labels = context.sample_cells(context.columns[name].index).unique().to_pylist()
    labels = [label for label in labels if not is_footer([label])]
    if labels and all(map(_has_no_year, labels)):
        column = context.get_header(name)
        raise Refusal(
            "missing_year",
            "The column {column} names weeks or months without their year, such as {example}. Add "
            "the year to each of them.",
            column=column,
            example=labels[0],
        )
    if not labels or not all(parse_period(label) for label in labels):
        return False
    context.notes |= {"periods": name, "daily": True, "length": None}
    context.zone = context.centre
    header = context.get_header(name)
    context.decide("start", "each row is a week or a month", labels[0], column=header)
    return True


def _has_no_year(label: str) -> bool:
    """Return whether a label is a week or a month of any year."""
    return bool(_WEEK.fullmatch(label) or (label.strip(".").isalpha() and find_month(label)))


def _decide_start(context: FileContext) -> None:
    if _decide_periods(context):
        return
    context.drop_empty("start", "date", "time")
    if context.columns.keys() & {"start", "date", "time"}:
        starts.decide_start(context, "start")
        clock = context.notes["start"][1]
        context.notes["daily"] = not context.has("hour") and (
            clock is None or not context.evidence[clock].has_clock
        )
    elif context.options.start_date is None:
        unused = context.find_unused()
        dated = [text for index, text in unused if context.compute_share(index, _DATED) == 1]
        if dated:
            raise refuse_unread("missing_date", dated, N_("The start of each row"), ("start",))
        raise Refusal(
            "missing_date",
            "No column gives the day of each row. If the rows are consecutive days, give the "
            "first day. Otherwise, name the date column.",
            options=("--start-date YYYY-MM-DD", "--map date=COLUMN"),
        )
    else:
        context.notes["daily"], context.notes["days"] = True, {}
        day = context.options.start_date.isoformat()
        context.decide("start", "the rows are consecutive days from {day}", SET_BY_PERSON, day=day)
    if context.notes["daily"]:
        context.zone = context.centre  # a day is a day, wherever the report was made
        _decide_spacing(context)
    else:
        _decide_ends(context)


def _decide_ends(context: FileContext) -> None:
    """Decide how long before their ends rows start: the shortest time between two of them."""
    name = context.notes["start"][1]
    column = context.get_header(name) if name else ""  # an hour stands beside the date
    if not _END.search(simplify(column)) or context.evidence[name].ranges:
        return
    ends = np.unique(starts.build_own_start(context, context.take_sample())[0])
    gaps = np.diff(ends[~np.isnat(ends)])
    if len(gaps):
        context.notes["before_end"] = length = gaps.min()
        minutes = int(length / np.timedelta64(1, "m"))
        message = N_("{minutes} minutes before {other}, which names the end of each row")
        context.decide("start", message, column, minutes=minutes, other=column)


def _decide_spacing(context: FileContext) -> None:
    """Decide whether each row is a day, or a week or month that is named by a day. Raises
    Refusal where the days come once a week or a month and nobody has said what they are.
    """
    period, name = context.options.only.get("period"), context.notes.get("start", (None,))[0]
    if period is not None:
        require_known(period, PERIODS, "bad_only")
    context.notes["period"] = period or "day"
    if name is None or period is not None or context.options.is_stated:
        return
    days = np.unique(context.take_sample().read_moment(name).day)
    days = days[~np.isnat(days)]
    is_week = _OF_WEEK.search(simplify(context.get_header(name)))
    gaps, firsts = np.diff(days).astype(int), days == days.astype("M8[M]").astype("M8[D]")
    if len(gaps) < (0 if is_week else MIN_GAPS) or ((gaps % 7).any() and not firsts.all()):
        return
    raise context.refuse(
        "days_or_periods",
        "The days in {column} come once a week or a month. Say whether each row is a week, a "
        "month or a day.",
        name,
        f"--only period={'month' if firsts.all() and not is_week else 'week'}",
        "--only period=day",
    )


def _decide_length(context: FileContext) -> None:
    evidence: NumberEvidence | None = context.evidence.get("length_minutes")
    clock = context.evidence.get(context.notes["start"][1]) if "start" in context.notes else None
    by_hour = context.has("hour") or (clock is not None and clock.number_meaning == "hour")
    context.notes["length"] = DAY_MINUTES if context.notes["daily"] else 60 if by_hour else None
    if not context.has("length_minutes") and context.notes["length"] is None:
        _decide_range(context)
    if not context.has("length_minutes"):
        if context.notes["length"]:
            message = N_("each row is {minutes} minutes")
            if context.notes["daily"]:
                is_day = context.notes.get("period", "day") == "day"
                message = N_("each row is a day") if is_day else "each row is a week or a month"
            context.decide("length_minutes", message, NO_COLUMN, minutes=context.notes["length"])
        return
    if (
        evidence.lowest != evidence.highest
        and "length_minutes" not in context.options.columns
        and not context.get_header("length_minutes").endswith("_minutes")
    ):
        context.leave_aside("length_minutes", f"{evidence.lowest:g} – {evidence.highest:g}")
    elif evidence.highest > DAY_MINUTES and evidence.lowest == evidence.highest:
        context.notes["length"] = minutes = int(evidence.highest / 60)
        seen = f"{evidence.highest:g}"
        context.drop_column(
            "length_minutes", "each row is {minutes} minutes", seen, minutes=minutes
        )
    else:
        context.readings["length_minutes"] = replace(
            context.readings["length_minutes"], low=1, high=DAY_MINUTES, is_whole=True
        )


def _decide_range(context: FileContext) -> None:
    """Decide the length by ranges, to `08:30` or its last minute `08:29`. Raises Refusal."""
    evidence = context.evidence[context.notes["start"][1]]
    lengths = {minutes + 1 if minutes % 5 == 4 else minutes for minutes in evidence.range_minutes}
    if len(lengths) > 1 and evidence.ranges:
        raise refuse_unknown_length()
    context.notes["length"] = next(iter(lengths), None) or _measure_ends(context)


def _measure_ends(context: FileContext) -> int | None:
    """Measure the length of all rows by a column of their ends; None where there is none."""
    name, sample = context.notes["start"][1], context.take_sample()
    for index, text in context.find_unused():
        if _END.search(simplify(text)):
            ends = context.readings[name].read(sample.cells[index]).clock
            gaps = (ends - sample.read_moment(name).clock) % np.timedelta64(1, "D")
            lengths = np.unique(gaps[~np.isnat(gaps)] // np.timedelta64(1, "m")).tolist()
            if len(lengths) == 1 and lengths[0]:
                return lengths[0]
    return None


def refuse_unknown_length() -> Refusal:
    return Refusal(
        "unknown_length",
        "The starts of the rows do not show how long each row is. Name the column with the "
        "length in minutes.",
        options=("--map length_minutes=COLUMN",),
    )


def _decide_counts(context: FileContext) -> None:
    has = context.has
    for rate, count in (("answer_rate", "answered"), ("abandon_rate", "abandoned")):
        if has(rate) and has(count):
            context.drop_replaced(rate, count)
    for name in RATES:
        if has(name):
            # `94.01%` and `94.01` are hundredths where any value has the sign or exceeds
            # one; `0.94` is a share already.
            evidence: NumberEvidence = context.evidence[name]
            factor = 0.01 if evidence.percents or evidence.highest > 1 else 1.0
            scale = context.options.scales.get(name)
            is_low = 0 < evidence.highest <= (1 if name == "abandon_rate" else LOW_RATE)
            is_open = factor == 1 and is_low and "%" in evidence.column
            if scale:
                factor, context.scales[name] = 1 / parse_scale(scale)[1], scale
            elif is_open and not context.options.is_stated:
                raise evidence.refuse_scale(f"--scale {name}=0-1", f"--scale {name}=0-100")
            context.readings[name] = replace(
                context.readings[name], low=0.0, high=1.0, factor=factor
            )
            is_constant = evidence.lowest == evidence.highest and evidence.total >= MIN_GAPS
            if is_constant and evidence.lowest * factor not in (0, 1) and context.is_open(name):
                raise context.refuse(
                    "constant_rate",
                    "{column} is the same in all rows, so it may be a target or a threshold. Say "
                    "what it is.",
                    name,
                    "--map ignore={column}",
                    *(["--map threshold_seconds={column}"] if name == "service_level" else []),
                    *NAME_OR_IGNORE[:1],
                )
    is_summed = has(*BY_LENGTH) and not has("abandoned") and not has("abandon_rate")
    is_known = has("abandoned") or is_summed
    has_answered = has("received") and (has("answered") or has("answer_rate"))
    subtraction = N_("received minus abandoned")
    for count, rate, is_derivable, decision in (
        ("received", "", is_known, N_("answered plus abandoned")),
        ("answered", "answer_rate", is_known or has("abandon_rate"), subtraction),
        ("abandoned", "abandon_rate", has_answered, N_("received minus answered")),
    ):
        if count == "abandoned" and is_summed:
            short, long = map(context.get_header, BY_LENGTH)
            context.decide(count, "{short} plus {long}", short=short, long=long)
        elif has(rate) and not has(count):
            header = context.get_header(rate)
            context.decide(count, "the share of received contacts in {other}", other=header)
        elif not has(count):
            context.decide(count, decision if is_derivable else N_("not known"), NO_COLUMN)
    if has("long_abandons") and not is_summed:
        if has("short_abandons"):
            context.drop_replaced("long_abandons", "short_abandons")
        else:
            header = context.get_header("long_abandons")
            context.decide("short_abandons", "all abandoned minus {other}", other=header)


def _decide_threshold(context: FileContext) -> None:
    if context.has("answered_in_threshold") and context.has("service_level"):
        context.drop_replaced("service_level", "answered_in_threshold")
    name = next(
        (name for name in ("answered_in_threshold", "service_level") if context.has(name)), None
    )
    if name is None:
        return
    if name == "service_level":
        context.decide(
            "answered_in_threshold",
            "{other} × answered and abandoned contacts, without short abandons",
            other=context.get_header(name),
        )
    if context.has("threshold_seconds"):
        return
    seconds = find_seconds(context.get_header(name))
    context.notes["threshold"] = np.nan if seconds is None else float(seconds)
    if seconds is None:
        message = N_("unknown, so the service level leaves these totals out")
        context.decide("threshold_seconds", message, NO_COLUMN)
    else:
        header = context.get_header(name)
        context.decide("threshold_seconds", "{seconds} seconds", header, seconds=seconds)


def _decide_seconds(context: FileContext, name: str) -> None:
    """Decide by header or size if seconds are sums or averages. Raises Refusal for neither."""
    average, of = AVERAGES[name]
    if context.has(name) and context.has(average):
        context.drop_replaced(average, name)
    if context.has(average):
        context.decide(
            name,
            "the averages of {other}, each multiplied by the count of {of}",
            other=context.get_header(average),
            of=of,
        )
    elif context.has(name):
        header = context.columns[name].header
        evidence: DurationEvidence = context.evidence[name]
        is_stated = (
            name in context.options.columns
            or header.text == name
            or _TOTAL.search(simplify(header.text))
        )
        if not is_stated and not (
            evidence.numbers.total and evidence.numbers.highest > LONG_AVERAGE
        ):
            raise context.refuse(
                "sum_or_average",
                "The column {column} may hold the sum of each row or its average. Say which it is.",
                name,
                f"--map {name}={{column}}",
                f"--map {average}={{column}}",
            )
        _require_unit(context, name, of)
        context.decide(name, "sums", "" if is_stated else f"≤ {evidence.numbers.highest:g}")


def _require_unit(context: FileContext, name: str, of: str) -> None:
    """Raise Refusal where sums of numbers would be hours for each contact: milliseconds are."""
    evidence: DurationEvidence = context.evidence[name]
    if (
        name in context.options.units
        or context.columns[name].header.unit
        or not evidence.numbers.total
    ):
        return
    sample = context.take_sample()
    count = next((item for item in (of, "answered", "received") if context.has(item)), None)
    if count and np.nansum(sample.read_number(name)) > LONG_AVERAGE * np.nansum(
        sample.read_number(count)
    ):
        raise evidence.refuse(
            "ambiguous_unit",
            "The sums in the column {column} would be more than two hours for each contact in "
            "seconds. Choose seconds or milliseconds.",
            options=(f"--unit {name}=ms", f"--unit {name}=s"),
        )


def build(context: FileContext, batch: RowBatch) -> Mapping[str, pa.Array]:
    own_start, utc, local = _build_start(context, batch)
    for name, sums in context.notes.get("sums", {}).items():
        batch.reject(is_among(batch.read_text(name), sums), "footer")
    batch.reject(np.isnat(own_start), "missing_start")
    utc = _separate_repeated_hour(context, batch, own_start, utc)
    columns = {"started_at": as_moments(utc), "local_start": as_moments(local)}
    if "lengths" in context.notes:
        columns["length_minutes"] = as_numbers(context.notes["lengths"], pa.int32())
    elif context.has("length_minutes"):
        length = batch.read_number("length_minutes")
        batch.reject(np.isnan(length), "missing_length")
        columns["length_minutes"] = as_numbers(length, pa.int32())
    elif context.notes["length"]:
        columns["length_minutes"] = pa.array([context.notes["length"]] * len(batch), pa.int32())
    columns |= batch.read_texts("queue", "team")
    columns |= {
        name: pa.array([text] * len(batch), pa.string())
        for name, text in context.notes["titles"].items()
    }
    columns["channel"] = (
        read_channel(batch.read_text("channel"))
        if context.has("channel")
        else pa.array(["phone"] * len(batch), pa.string())
    )
    counts = _build_counts(context, batch)
    batch.reject(np.isnan(counts["received"]) & np.isnan(counts["answered"]), "missing_count")
    batch.reject(counts["answered"] > counts["received"], "more_answered_than_received")
    columns |= {name: as_numbers(counts[name], pa.int32()) for name in COUNTS if name in counts}
    if context.has("threshold_seconds"):
        columns["threshold_seconds"] = as_numbers(batch.read_number("threshold_seconds"))
    elif "threshold" in context.notes:
        columns["threshold_seconds"] = as_numbers(np.full(len(batch), context.notes["threshold"]))
    seconds = {name: _build_seconds(context, batch, name, counts) for name in AVERAGES}
    if context.has("average_handle"):
        rest = _multiply_average(batch.read_number("average_handle"), counts["answered"])
        for name in ("talk_seconds", "hold_seconds"):
            rest = rest - _fill_zeros(seconds[name])
        seconds["wrap_seconds"] = np.maximum(rest, 0)
    return columns | {
        name: as_numbers(values) for name, values in seconds.items() if values is not None
    }


def _build_start(
    context: FileContext, batch: RowBatch
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if "periods" in context.notes:
        own_start = _read_periods(context, batch)
    elif "days" in context.notes:
        own_start = _count_days(context, batch)
    else:
        own_start, *clocks = starts.build_start(context, batch)
        if length := context.notes.get("before_end"):
            own_start, utc = own_start - length, clocks[0] - length
            clocks = [utc, context.centre.to_local(utc)]
        if context.has("hour"):
            hours = batch.read_number("hour")
            own_start = own_start.astype("M8[D]").astype("M8[us]") + np.where(
                np.isnan(hours), np.nan, hours * 3_600_000_000
            ).astype("m8[us]")
            batch.reject(np.isnan(hours), "missing_start")
        elif context.notes.get("period", "day") == "day":
            return own_start, *clocks
        else:
            own_start = _begin_period(context, own_start)
    return own_start, *starts.to_clocks(context, own_start, np.zeros(len(batch), bool))


def _begin_period(context: FileContext, days: np.ndarray) -> np.ndarray:
    """Find the first day of the weeks or months that days name; notes their lengths."""
    if context.notes["period"] == "week":
        is_last = _END.search(simplify(context.get_header(context.notes["start"][0])))
        context.notes["lengths"] = np.full(len(days), 7 * DAY_MINUTES)
        return days - np.timedelta64(6, "D") if is_last else days
    months = days.astype("M8[M]")
    lengths = (months + 1).astype("M8[D]") - months.astype("M8[D]")
    context.notes["lengths"] = lengths.astype(float) * DAY_MINUTES
    return months.astype("M8[us]")


def _separate_repeated_hour(
    context: FileContext, batch: RowBatch, own_start: np.ndarray, utc: np.ndarray
) -> np.ndarray:
    """Separate two rows of a queue in a repeated hour, by the order of the file."""
    clock = context.notes.get("start", (None, None))[1]
    gains = context.zone.find_gains(own_start)
    if not gains.any() or (clock and batch.read_moment(clock).fixed.any()):
        return utc
    labels = [
        batch.read_text(name).to_pylist() if context.has(name) else [None] * len(batch)
        for name in ("queue", "channel", "team")
    ]
    seen, latest = context.notes.setdefault("repeated", {}), {}
    shifted = utc.copy()
    for row in np.flatnonzero(~np.isnat(own_start)):
        series = tuple(values[row] for values in labels)
        before = latest.get(series)
        if not gains[row]:
            latest[series] = (own_start[row], before is not None and own_start[row] < before[0])
            continue
        backwards = before is not None and (own_start[row] < before[0] if not before[1] else True)
        seen.setdefault((*series, own_start[row]), []).append((row, backwards))
    for (*_series, _start), rows in seen.items():
        if len(rows) > 1:
            later = rows[0] if rows[0][1] else rows[1]
            shifted[later[0]] += np.timedelta64(int(gains[later[0]]), "s")
            context.zone.repeated -= 1
            context.notes["second_hours"] = context.notes.get("second_hours", 0) + 1
    seen.clear()
    return shifted


def finish(context: FileContext) -> None:
    if context.notes.get("second_hours"):
        message = N_(
            "the clock shows an hour twice; the order of the file decides which row is earlier"
        )
        context.decide("start", message, context.notes["second_hours"])


def _read_periods(context: FileContext, batch: RowBatch) -> np.ndarray:
    """Read the first day of the week or month of each row; notes their lengths."""
    periods = [
        None if text is None else parse_period(text)
        for text in batch.read_text(context.notes["periods"]).to_pylist()
    ]
    context.notes["lengths"] = np.array([np.nan if item is None else item[1] for item in periods])
    return np.array([None if item is None else item[0] for item in periods], "M8[D]").astype(
        "M8[us]"
    )


def _count_days(context: FileContext, batch: RowBatch) -> np.ndarray:
    """Number the rows of each queue as consecutive days. Raises Refusal where one is missing."""
    parts = [cells.to_pylist() for cells in batch.read_texts("queue", "channel", "team").values()]
    days_by_series, first = context.notes["days"], context.options.start_date
    lines = np.append(context.notes.get("last_line", batch.lines[:1] - 1), batch.lines)
    gaps = np.flatnonzero(np.diff(lines) != 1)
    if len(gaps):
        raise Refusal(
            "gap_in_days",
            "Line {line} does not directly follow the row before it, so the days cannot be "
            "counted. Name the date column.",
            options=("--map date=COLUMN",),
            line=int(lines[gaps[0] + 1]),
        )
    context.notes["last_line"] = batch.lines[-1:]
    days = []
    for key in zip(*parts, strict=True) if parts else [()] * len(batch):
        days.append(first + timedelta(days=days_by_series.get(key, 0)))
        days_by_series[key] = days_by_series.get(key, 0) + 1
    return np.array(days, "M8[D]").astype("M8[us]")


def _build_counts(context: FileContext, batch: RowBatch) -> dict[str, np.ndarray]:
    numbers = {
        name: batch.read_number(name)
        for name in (*COUNTS, "long_abandons", *RATES)
        if context.has(name)
    }
    nothing = np.full(len(batch), np.nan)
    received, answered, abandoned = (
        numbers.get(name, nothing) for name in ("received", "answered", "abandoned")
    )
    has_abandons = not {"abandoned", "abandon_rate"}.isdisjoint(numbers)
    is_summed = not has_abandons and numbers.keys() >= set(BY_LENGTH)
    if is_summed:
        abandoned = sum(numbers[name] for name in BY_LENGTH)
    if "received" not in numbers:
        received = answered + abandoned
    if "abandon_rate" in numbers:
        abandoned = np.round(numbers["abandon_rate"] * received)
    if "answered" not in numbers:
        rate = numbers.get("answer_rate")
        answered = received - abandoned if rate is None else np.round(rate * received)
    if not has_abandons and not is_summed:
        abandoned = received - answered
    counts = {"received": received, "answered": answered, "abandoned": abandoned}
    if "short_abandons" in numbers:
        counts["short_abandons"] = numbers["short_abandons"]
    elif "long_abandons" in numbers:
        counts["short_abandons"] = abandoned - numbers["long_abandons"]
    if "short_abandons" in counts:
        batch.reject(
            (counts["short_abandons"] < 0) | (counts["short_abandons"] > abandoned),
            "more_short_abandons_than_abandoned",
        )
    if "answered_in_threshold" in numbers:
        counts["answered_in_threshold"] = numbers["answered_in_threshold"]
    elif "service_level" in numbers:
        queued = answered + abandoned - _fill_zeros(counts.get("short_abandons"))
        counts["answered_in_threshold"] = np.minimum(
            np.round(numbers["service_level"] * queued), answered
        )
    return counts


def _build_seconds(
    context: FileContext, batch: RowBatch, name: str, counts: Mapping[str, np.ndarray]
) -> np.ndarray | None:
    average, of = AVERAGES[name]
    if context.has(average):
        return _multiply_average(batch.read_number(average), counts[of])
    return batch.read_number(name) if context.has(name) else None


def _multiply_average(averages: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Compute the sum behind an average: 0 for no contacts, whatever is printed."""
    return np.where(rows == 0, 0.0, averages * rows)


def _fill_zeros(values: np.ndarray | None) -> np.ndarray | float:
    return 0.0 if values is None else np.nan_to_num(values)


PROFILE = Profile(
    "generic",
    "intervals",
    FIELDS,
    (("received", "answered"),),
    decide_columns,
    build,
    finish,
    claim,
)
