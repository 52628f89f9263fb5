"""Start of each row, from one column or a date and a time, on all clocks."""

from collections.abc import Iterable

import numpy as np
import pyarrow.compute as pc

from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_
from qa_core.files.decision import SET_BY_PERSON, VALUE
from qa_core.ingest.columns import timezones
from qa_core.ingest.columns.column_inference import FileContext, RowBatch, refuse_unread

MIDNIGHT = np.timedelta64(0, "us")
MAX_WITHOUT_DATE = 0.1
"""Share of rows with a time of day and no date from which on a file is refused."""
MIN_WITHOUT_START = 3
_MOMENT = r"^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}[T ]+\d"
_CLOCK = r"^(?:([01]?\d|2[0-3])(:[0-5]\d){1,2}(?: ?[AP]M)?|([01]\d|2[0-3])([0-5]\d){2})$"
_NIGHT = r"^(?:0?[0-5]:|0[0-5]\d{4}$)"
"""Times of day, and those at night, which may be durations."""
HALF_DAY = ({12}, {8, 9, 10, 11}, {1, 2, 3, 4, 5})
"""Hours that a day of work has, on a clock of twelve hours."""
MAX_OTHER_DAYS = 0.01
"""Share of rows on which two columns may give different days without a question."""


def decide_start(context: FileContext, name: str = "started_at") -> None:
    """Decide which columns give the start. Raises Refusal `missing_start`, `missing_date`."""
    context.drop_empty(name, "date", "time")
    whole, day = context.evidence.get(name), context.evidence.get("date")
    clock = context.evidence.get("time")
    has_whole, has_day, has_clock = context.has(name), context.has("date"), context.has("time")
    asked, is_whole = context.options.columns, has_whole and whole.has_day and whole.has_clock
    if "date" in asked and name not in asked:
        is_whole = False
    elif has_day and day.has_day and not asked.keys() & {name, "time"}:
        _require_same_days(context, name if is_whole else "time")
    if is_whole:
        parts = (name, name)
    elif has_clock and clock.has_clock and clock.has_day and "date" not in asked:
        parts = ("time", "time")
    elif has_day and has_clock:
        parts = ("date", "time")
        _require_dates(context)
    elif has_day and has_whole and not whole.has_day:
        parts = ("date", name)
    elif has_whole and whole.has_day:
        parts = (name, "time" if has_clock else None)
    elif has_day and day.has_day:
        parts = ("date", "date" if day.has_clock else None)
    else:
        clock_column = "time" if has_clock else name if has_whole else "date"
        if not context.has(clock_column):
            raise Refusal(
                "missing_start",
                "The columns for the start of each row are empty. Name the right column.",
                options=(f"--map {name}=COLUMN",),
            )
        if context.options.start_date is None:
            raise Refusal(
                "missing_date",
                "The column {column} holds times of day, but no column holds the date. Give "
                "the day, or name the date column.",
                options=("--start-date YYYY-MM-DD", "--map date=COLUMN"),
                column=context.get_header(clock_column),
            )
        parts = (None, clock_column)
    if parts[0] is not None and context.options.start_date is not None:
        raise refuse_twice(context.get_header(parts[0]), name)
    context.notes["start"] = parts
    for spare in ("date", "time", name):
        if context.has(spare) and spare not in parts:
            context.drop_replaced(spare, next(filter(None, parts)))
    if parts[1] is None:
        if name == "started_at":
            _require_clock(context)
        context.decide(parts[0], "no time of day: each row begins at midnight")
    if parts[0] is None:
        day = context.options.start_date.isoformat()
        context.decide(parts[1], VALUE, SET_BY_PERSON, value=day, day=day)
    decide_zone(context, *filter(None, dict.fromkeys(parts)))
    if parts[1] and context.is_open(parts[1]):
        _require_halves(context, parts[1])
        _require_starts(context, parts[1])


def _require_clock(context: FileContext) -> None:
    """Raise Refusal where rows begin at midnight, and an unread column has times of day."""
    clocks = [
        text
        for index, text in context.find_unused()
        if context.compute_share(index, _CLOCK) == 1 > context.compute_share(index, _NIGHT) * 2
    ]
    if clocks and not context.options.is_stated:
        raise refuse_unread("unread_time", clocks, N_("Time of day"), ("time", "ignore"))


def _require_starts(context: FileContext, name: str) -> None:
    """Raise Refusal where rows without a start have a moment in a column that is not used."""
    sample = context.take_sample()
    missing = sample.read_text(name).is_null()
    for index, text in context.find_unused():
        cells = sample.cells[index]
        is_there = pc.and_(missing, pc.fill_null(pc.match_substring_regex(cells, _MOMENT), False))
        count = int(pc.sum(is_there).as_py() or 0)
        if count >= MIN_WITHOUT_START and cells.null_count == 0:
            raise context.refuse(
                "missing_start",
                "{column} is empty on {count} rows that have a moment in {other}. Say which is "
                "the start.",
                name,
                f"--map {name}={text}",
                f"--map {name}={{column}}",
                count=count,
                other=text,
            )


def _require_halves(context: FileContext, name: str) -> None:
    """Raise Refusal where hours go from 1 to 12, as without AM and PM."""
    moments = context.take_sample().read_moment(name)
    clocks = moments.clock[~moments.fixed & ~np.isnat(moments.clock)]
    hours = set((clocks // np.timedelta64(1, "h")).tolist())
    if hours <= {*range(1, 13)} and all(map(hours.intersection, HALF_DAY)):
        raise context.refuse(
            "half_days",
            "The times in {column} go from 1 to 12, so AM and PM may be missing. Export them "
            "again with it, or name the column if they are right.",
            name,
        )


def _require_dates(context: FileContext) -> None:
    """Raise Refusal where many rows have a time of day and no date, as under merged cells."""
    sample = context.take_sample()
    days, clocks = sample.read_text("date"), sample.read_text("time")
    missing = int(pc.sum(pc.and_(days.is_null(), clocks.is_valid())).as_py() or 0)
    if missing > MAX_WITHOUT_DATE * len(sample) and days[0].is_valid:
        raise Refusal(
            "blank_dates",
            "{count} rows have a time in {time} and no {date}, as under merged cells. Write the "
            "date in each row.",
            count=missing,
            time=context.get_header("time"),
            date=context.get_header("date"),
        )


def refuse_twice(column: str, name: str) -> Refusal:
    return Refusal(
        "given_twice",
        "{column} holds {field} row by row: one value for all rows does not fit beside it.",
        options=(f"--map ignore={column}",),
        column=column,
        field=name,
    )


def decide_zone(context: FileContext, *names: str) -> None:
    """Read moments by the zone that a person or their header names, else by the centre's, and
    record it. Raises Refusal where it may be of one season alone or one of several, or where
    another column names it.
    """
    are_fixed = _are_fixed(context, names)
    column = _find_zone(context, names, are_fixed) if context.options.timezone is None else ""
    if column or not are_fixed:
        zone = context.zone.name
        context.decide(names[0], "read by the clock of {zone}", column, zone=zone)


def _find_zone(context: FileContext, names: Iterable[str], are_fixed: bool) -> str:
    """Take the zone that the header of these moments names; return the header, if any."""
    for column in (context.get_header(name) for name in names if context.has(name)):
        zones = timezones.find_zones(column)
        if context.centre.name in zones:
            zones = (context.centre.name,)
        elif context.options.is_stated:
            zones = zones[:1]  # what a person has confirmed
        if len(zones) == 1 and not zones[0].startswith("Etc/"):
            context.zone = timezones.Zone(zones[0])
            return column
        if zones:
            raise _refuse_zone(context, column, *zones)
    if are_fixed:
        return ""
    for line in context.notes["beside"]:
        others = _find_other_zones(context, line)
        if others and not context.options.is_stated:
            raise _refuse_zone(context, line, *others)
    if context.has("time_zone"):
        values = context.sample_cells(context.columns["time_zone"].index).unique().to_pylist()
        named = [timezones.find_zones(value) for value in values]
        others = {zone for value in values for zone in _find_other_zones(context, value)}
        if (others or not all(named)) and not _are_of_centre(context):
            raise _refuse_zone(context, context.get_header("time_zone"), *sorted(others))
    return ""


def _are_of_centre(context: FileContext) -> bool:
    """Return whether each row has the offset of the centre's clock at its start."""
    sample = context.take_sample()
    own_start, _fixed = build_own_start(context, sample)
    names = np.array(sample.read_text("time_zone").to_pylist(), object)
    for name in set(names) - {None}:
        zones, moments = timezones.find_zones(name), own_start[(names == name)]
        moments = moments[~np.isnat(moments)]
        clocks = (timezones.Zone(zone) for zone in (*zones[:1], context.centre.name))
        utc, *others = (clock.to_utc(moments) for clock in clocks)
        if not others or (utc != others[0]).any():
            return False
    return True


def _find_other_zones(context: FileContext, text: str) -> tuple[str, ...]:
    """Find the zones that a text names, where the centre's clock is not theirs."""
    zones = timezones.find_zones(text)
    if any(timezones.have_same_clock(zone, context.centre.name) for zone in zones):
        return ()
    return zones


def _are_fixed(context: FileContext, names: Iterable[str]) -> bool:
    """Return whether the cells of these moments say themselves how far they are from UTC."""
    sample = context.take_sample()
    moments = [sample.read_moment(name) for name in names if context.has(name)]
    return all((moment.fixed | np.isnat(moment.clock)).all() for moment in moments)


def _refuse_zone(context: FileContext, column: str, *zones: str) -> Refusal:
    return Refusal(
        "which_zone",
        "{column} names a time zone that is not the centre's. Say by which clock the times are "
        "written.",
        options=tuple(f"--timezone {zone}" for zone in (*zones, context.centre.name)),
        column=column,
    )


def _require_same_days(context: FileContext, other: str) -> None:
    """Raise Refusal where the date column and a column of moments give different days."""
    if not context.has(other) or context.options.is_stated:
        return
    sample = context.take_sample()
    days, others = sample.read_moment("date").day, sample.read_moment(other).day
    both = ~np.isnat(days) & ~np.isnat(others)
    if (days != others)[both].sum() <= MAX_OTHER_DAYS * both.sum():
        return
    date, column = context.get_header("date"), context.get_header(other)
    row = int(np.flatnonzero(both & (days != others))[0])
    raise Refusal(
        "other_days",
        "{date} and {column} give different days ({examples}). Say which is the day of the row.",
        options=(f"--map date={date}", f"--map {other}={column}"),
        date=date,
        column=column,
        examples=f"{sample.read_text('date')[row]}, {sample.read_text(other)[row]}",
    )


def build_start(context: FileContext, batch: RowBatch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Build starts on the file's clock, in UTC, and on the centre's (datetime64[us] or NaT)."""
    own_start, fixed = build_own_start(context, batch)
    return own_start, *to_clocks(context, own_start, fixed)


def build_own_start(context: FileContext, batch: RowBatch) -> tuple[np.ndarray, np.ndarray]:
    """Build the start on the file's own clock, and the mask of those in UTC."""
    day_name, clock_name = context.notes["start"]
    days = (
        batch.read_moment(day_name).day
        if day_name
        else np.full(len(batch), np.datetime64(context.options.start_date, "D"))
    )
    clocks = batch.read_moment(clock_name).clock if clock_name else np.full(len(batch), MIDNIGHT)
    fixed = batch.read_moment(clock_name).fixed if clock_name else np.zeros(len(batch), bool)
    if clock_name == day_name or context.profile.kind == "contacts":
        # A bare date, or a contact without a time of day, is a start at midnight.
        clocks = np.where(find_timeless(context, batch), MIDNIGHT, clocks)
    return days.astype("M8[us]") + clocks, fixed


def find_timeless(context: FileContext, batch: RowBatch) -> np.ndarray:
    """Find the rows with a day and no time of day, as a mask; midnight is none where all are."""
    day_name, clock_name = context.notes["start"]
    timeless = np.ones(len(batch), bool)
    if clock_name:
        moments = batch.read_moment(clock_name)
        timeless = np.isnat(moments.clock) & ~moments.bad
        if context.notes.get("is_daily"):
            timeless |= moments.clock == MIDNIGHT
    if day_name:
        timeless &= ~np.isnat(batch.read_moment(day_name).day)
    return timeless


def to_clocks(
    context: FileContext, own_moment: np.ndarray, fixed: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Convert moments to UTC, and to the centre's clock; those marked `fixed` are UTC already."""
    if fixed.all() and len(fixed):
        utc = own_moment
    else:
        utc = context.zone.to_utc(np.where(fixed, np.datetime64("NaT", "us"), own_moment))
        utc = np.where(fixed, own_moment, utc)
    return utc, context.centre.to_local(utc)


def build_moment(context: FileContext, batch: RowBatch, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Read moments in UTC and on the centre's wall clock; a bare date is midnight."""
    moments = batch.read_moment(name)
    own_moment = moments.day.astype("M8[us]") + np.where(
        np.isnat(moments.clock), MIDNIGHT, moments.clock
    )
    return to_clocks(context, own_moment, moments.fixed)
