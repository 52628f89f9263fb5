"""A value and its unit as a person reads them, in the language spoken: rates, times,
money, counts, changes, dates and names of values.
"""

import functools
import math
import re
from collections.abc import Iterable
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from qa_core.base import declared, environment
from qa_core.base.i18n import N_, _, capitalise, language, ngettext, uncapitalise
from qa_core.metrics.kpis import Kpi, Unit
from qa_core.metrics.kpis.declaration import BOUNDS
from qa_core.metrics.kpis.dimensions import Period, get_dimension

NO_DATA = N_("no data")
MINUS, NO_BREAK, NARROW = "\u2212", "\u00a0", "\u202f"
_LOCALES = {"en": "en_GB", "fr": "fr_FR"}
_DECLARED = declared.read(__file__)
NAMES: dict[str, dict[str, str]] = _DECLARED["names"]
"""Names of the values of a dimension, by code; those that the centre gives are not among them."""


def _locale() -> str:
    return _LOCALES[language()]


def short_title(kpi: Kpi) -> str:
    """Return the short title of a KPI, for tiles and mails."""
    return _(kpi.short_title or kpi.title)


def heading(kpi: Kpi) -> str:
    return _(kpi.heading or kpi.short_title or kpi.title)


def dimension(key: str) -> str:
    """Return the title of a dimension."""
    return _(get_dimension(key).title)


def is_missing(value: object) -> bool:
    """Return whether there is no value: None, NaN or NaT."""
    return value is None or value != value


def number(value: float, digits: int = 0) -> str:
    """12345.678 → 12,346 or 12 346; the minus is the typographic one."""
    return _write_number(value, digits, _locale())


@functools.lru_cache(maxsize=10_000)  # a page writes a thousand, most of them again and again
def _write_number(value: float, digits: int, locale: str) -> str:
    from babel.numbers import format_decimal

    # Halves away from zero, as spreadsheets round what they hold of a number; never a
    # negative zero.
    rounded = (
        float(Decimal(f"{value:.15g}").quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)) + 0.0
    )
    pattern = "#,##0" + ("." + "0" * digits if digits else "")
    text = format_decimal(rounded, pattern, locale=locale, decimal_quantization=True)
    return text.replace("-", MINUS)


def percent(value: float, digits: int = 1) -> str:
    """0.742 → 74.2 % (both languages, with the narrow space that keeps the sign on the line)."""
    return f"{number(value * 100, digits)}{NARROW}%"


def duration(seconds: float) -> str:
    """225 → 3 min 45 s; one decimal under 10 s, no seconds from 1 h, only hours from 100 h on."""
    sign, seconds = (MINUS, -seconds) if seconds < 0 else ("", seconds)
    if round(seconds, 1) < 10:
        return f"{sign}{number(seconds, 0 if float(seconds).is_integer() else 1)}{NO_BREAK}s"
    whole = round(seconds)
    if whole < 60:
        return f"{sign}{whole}{NO_BREAK}s"
    if whole < 3600:
        return f"{sign}{whole // 60}{NO_BREAK}min{NO_BREAK}{whole % 60:02d}{NO_BREAK}s"
    if whole < 360_000:
        minutes = round(seconds / 60)
        return f"{sign}{minutes // 60}{NO_BREAK}h{NO_BREAK}{minutes % 60:02d}"
    return f"{sign}{number(seconds / 3600)}{NO_BREAK}h"


def time_band(start: float, end: float | None) -> str:
    """Format a band of times in seconds, its end open where it is None."""
    if end is None:
        return _("{duration} and more", duration=duration(start))
    return _("{low} to {high}", low=duration(start), high=duration(end))


def money(amount: float, currency: str | None) -> str:
    """7.4 EUR → €7.40 or 7,40 €; no cents from a thousand on; bare without a currency."""
    from babel.numbers import format_currency

    digits = 0 if abs(amount) >= 1000 else 2
    if not currency:
        return number(amount, digits)
    text = format_currency(
        round(amount, digits),
        currency,
        locale=_locale(),
        decimal_quantization=False,
        currency_digits=False,
        format=_money_pattern(digits),
    )
    return text.replace("-", MINUS)


def _money_pattern(digits: int) -> str:
    decimals = "." + "0" * digits if digits else ""
    return f"#,##0{decimals}\u00a0\u00a4" if language() == "fr" else f"\u00a4#,##0{decimals}"


def value(amount: float | None, unit: str, currency: str | None = None, short: bool = False) -> str:
    """Format a value in its unit; `short` drops decimals, for axes. Missing reads "no data"."""
    if is_missing(amount):
        return _(NO_DATA)
    if unit == Unit.RATE:
        return percent(amount, 0 if short else 1)
    if unit == Unit.SECONDS:
        return duration(amount)
    if unit == Unit.MONEY:
        return money(amount, currency)
    if unit == Unit.COUNT:
        return number(amount)
    if unit == Unit.NPS:
        return ("+" if round(amount, 0 if short else 1) > 0 else "") + number(
            amount, 0 if short else 1
        )
    if unit == Unit.SCORE:
        return number(amount, 0 if short else 1)
    return number(amount, 1 if short else 2)


def change(amount: float | None, unit: str, currency: str | None = None) -> str:
    """Format a difference of two values, always signed; of rates and scores in points: −2.1 pt."""
    if is_missing(amount):
        return ""
    sign = "+" if amount > 0 else ""
    if unit == Unit.RATE:
        return _("{number} pt", number=sign + number(amount * 100, 1)).replace(" ", NO_BREAK)
    if unit in (Unit.SCORE, Unit.NPS):
        return _("{number} pt", number=sign + number(amount, 1)).replace(" ", NO_BREAK)
    if unit == Unit.MONEY:
        return sign + money(amount, currency)
    return sign + value(amount, unit, currency)


def interval(low: float | None, high: float | None, unit: str, currency: str | None = None) -> str:
    """Both ends of an interval, the unit once: 73.5–74.9 %. Empty when there is none, and for
    one without width: two scores of 100 do not make the next one certain.
    """
    if is_missing(low) or is_missing(high) or math.isclose(low, high, rel_tol=1e-6):
        return ""
    # With two or three values, the interval of a mean can exceed the scale: cut it.
    least, most = BOUNDS.get(unit, (low, high))
    low, high = max(low, least), min(high, most)
    if unit == Unit.RATE:
        return f"{number(low * 100, 1)}–{percent(high)}"
    joint = " – " if unit in (Unit.SECONDS, Unit.MONEY, Unit.NPS, Unit.COEFFICIENT) else "–"
    return value(low, unit, currency) + joint + value(high, unit, currency)


def days(count: float) -> str:
    """7 → 7 days; a window may be two and a half."""
    if float(count).is_integer():
        return ngettext("{n} day", "{n} days", int(count))
    return _("{number} days", number=number(count, 1))


def _format(moment: date | datetime, pattern: str) -> str:
    from babel.dates import format_date

    text = format_date(moment, pattern, locale=_locale())
    is_first = language() == "fr" and moment.day == 1
    return re.sub(r"\b1 ", "1er ", text, count=1) if is_first else text


def day(moment: date, year: bool = False) -> str:
    """24 Nov or 24 nov.; with the year where asked."""
    return _format(moment, "d MMM y" if year else "d MMM")


def long_day(moment: date) -> str:
    """24 November 2026, as a letter or a contract writes it."""
    return _format(moment, "d MMMM y")


def full_day(moment: date) -> str:
    """Tuesday 24 November 2026."""
    return _format(moment, "EEEE d MMMM y")


def month(moment: date | str, year: bool = True) -> str:
    """Nov 2026 or nov. 2026, from a date or from `YYYY-MM`."""
    if isinstance(moment, str):
        moment = date(int(moment[:4]), int(moment[5:7]), 1)
    return _format(moment, "MMM y" if year else "MMM")


def moment(at: datetime) -> str:
    """24 Nov 2026, 14:05."""
    return f"{day(at.date(), year=True)}, {at:%H:%M}"


def local_moment(utc: datetime) -> str:
    return moment(environment.to_local(utc))


def local_day(utc: datetime) -> str:
    """Format the day of a moment by the clock of the centre, with its year."""
    return day(environment.to_local(utc).date(), year=True)


def period(span: Period) -> str:
    """Format a bounded period as short as it can be: 2–29 Nov 2026, Oct 2026, Jan – Mar 2026."""
    if not span.is_bounded:
        return uncapitalise(_("All data"))
    first, last = span.first_day, span.last_day
    if span.is_whole_months:
        if (first.year, first.month) == (last.year, last.month):
            return month(first)
        return f"{month(first, year=first.year != last.year)} – {month(last)}"
    if first == last:
        return day(first, year=True)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{day(last, year=True)}"
    return f"{day(first, year=first.year != last.year)} – {day(last, year=True)}"


def period_of_data(span: Period, first_day: date, compare: Period | None = None) -> str:
    """Format a period with the first day of the data, if that is later; else with the period
    compared with.
    """
    text = period(span)
    if span.is_bounded and span.first_day < first_day:
        return _("{period}; data starts on {day}", period=text, day=day(first_day, year=True))
    if compare:
        return _("{period}, compared with {before}", period=text, before=period(compare))
    return text


def listing(words: Iterable[str]) -> str:
    """List words as a sentence does: a, b and c."""
    from babel.lists import format_list

    return format_list(list(words), locale=_locale())


def name(dimension: str, key: object) -> str:
    """Name one value of a dimension, or say that it is missing. Names by the centre stay."""
    if is_missing(key):
        return capitalise(_("not known"))
    if dimension in NAMES:
        return _(NAMES[dimension][key]) if key in NAMES[dimension] else str(key)
    if dimension == "weekday":
        from babel.dates import get_day_names

        return get_day_names("wide", locale=_locale())[int(key) - 1].capitalize()
    if dimension == "hour":
        return f"{int(key):02d}:00"
    if dimension in ("day", "week"):
        first_day = date.fromisoformat(str(key)[:10])
        if dimension == "week":
            return _("week of {day}", day=day(first_day, year=True))
        return day(first_day, year=True)
    if dimension == "month":
        return month(str(key))
    return str(key)


def nice_ticks(low: float, high: float, unit: str, count: int = 5) -> list[float]:
    """Round values between two ends, for an axis: 1, 2 or 5 × a power of ten; times in minutes."""
    if not math.isfinite(low) or not math.isfinite(high) or high <= low:
        return []
    raw = (high - low) / count
    if unit == Unit.SECONDS and high >= 90:
        steps = [10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 36_000]
        step = next((candidate for candidate in steps if candidate >= raw), 86_400)
    else:
        power = 10 ** math.floor(math.log10(raw))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.999)
        step = max(step, 1) if unit == Unit.COUNT else step
    first = math.ceil(low / step - 1e-9)
    ticks = [
        round(position * step, 10) for position in range(first, math.floor(high / step + 1e-9) + 1)
    ]
    is_enough = len(ticks) > 1 or count > 20
    return ticks if is_enough else nice_ticks(low, high, unit, 2 * count)


def setting_value(name: str, value: Any) -> str:
    if value is None:
        return "–"
    if name == "service_level_formula":
        return _(_DECLARED["formulas"][value])
    if name == "second_factor":
        return _(_DECLARED["second_factors"][value])
    if name.endswith("_seconds"):
        return duration(value)
    if name.endswith("_days"):
        return days(value)
    if not isinstance(value, int | float):
        return str(value)
    count = number(value, 0 if float(value).is_integer() else 1)
    if name.endswith("_hours"):
        return ngettext("{count} hour", "{count} hours", int(value), count=count)
    return count


def since(start: date | None) -> str:
    """Format the day from which a value applies."""
    return _("since {day}", day=day(start, year=True)) if start else _("since the beginning")
