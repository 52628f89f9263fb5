"""Figures as people read them, in both languages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime

import pytest

from qa_core.base import i18n
from qa_core.metrics.kpis import Unit, formatting
from qa_core.metrics.kpis.dimensions import Period

NB, NARROW = "\u00a0", "\u202f"


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    i18n.use("en")
    yield
    i18n.use("en")


def test_rates_are_shown_in_percent_with_one_decimal() -> None:
    assert formatting.value(0.7423, Unit.RATE) == f"74.2{NARROW}%"
    i18n.use("fr")
    assert formatting.value(0.7423, Unit.RATE) == f"74,2{NARROW}%"


def test_a_missing_value_is_never_a_zero() -> None:
    assert formatting.value(None, Unit.RATE) == "no data"
    assert formatting.value(float("nan"), Unit.COUNT) == "no data"
    assert formatting.value(0, Unit.COUNT) == "0"


def test_seconds_read_as_minutes_and_hours() -> None:
    assert formatting.duration(4.2) == f"4.2{NB}s"
    assert formatting.duration(9.94) == f"9.9{NB}s"
    assert formatting.duration(9.96) == formatting.duration(10) == f"10{NB}s"
    assert formatting.duration(45) == f"45{NB}s"
    assert formatting.duration(225) == f"3{NB}min{NB}45{NB}s"
    assert formatting.duration(59.6) == f"1{NB}min{NB}00{NB}s"
    assert formatting.duration(5400) == f"1{NB}h{NB}30"
    assert formatting.duration(-90) == f"−1{NB}min{NB}30{NB}s"


def test_counts_have_the_separator_of_the_language() -> None:
    assert formatting.number(15204) == "15,204"
    i18n.use("fr")
    assert formatting.number(15204) == f"15{NARROW}204"


def test_money_loses_its_cents_from_a_thousand_on() -> None:
    assert formatting.money(7.4, "EUR") == "€7.40"
    assert formatting.money(12345.6, "EUR") == "€12,346"
    assert formatting.money(7.4, None) == "7.40"
    i18n.use("fr")
    assert formatting.money(7.4, "EUR") == f"7,40{NB}€"


def test_changes_are_signed_and_rates_change_in_points() -> None:
    assert formatting.change(-0.021, Unit.RATE) == "−2.1\u00a0pt"
    assert formatting.change(0.0206, Unit.RATE) == "+2.1\u00a0pt"
    assert formatting.change(12, Unit.COUNT) == "+12"
    assert formatting.change(None, Unit.RATE) == ""


def test_an_interval_writes_its_unit_once_and_stays_on_its_scale() -> None:
    assert formatting.interval(0.735, 0.749, Unit.RATE) == f"73.5–74.9{NARROW}%"
    assert formatting.interval(-23.2, 197, Unit.SCORE) == "0.0–100.0"
    assert formatting.interval(None, 0.5, Unit.RATE) == ""
    assert formatting.interval(100.0, 100.0, Unit.SCORE) == ""
    assert formatting.interval(84.0, 84.00000001, Unit.SCORE) == ""  # from sums of squares


def test_a_period_is_said_as_shortly_as_it_can_be() -> None:
    assert formatting.period(Period(date(2026, 11, 2), date(2026, 11, 29))) == "2–29 Nov 2026"
    assert formatting.period(Period(date(2026, 10, 1), date(2026, 10, 31))) == "Oct 2026"
    assert formatting.period(Period(date(2026, 1, 1), date(2026, 3, 31))) == "Jan – Mar 2026"
    assert (
        formatting.period(Period(date(2025, 12, 20), date(2026, 1, 3)))
        == "20 Dec 2025 – 3 Jan 2026"
    )
    i18n.use("fr")
    assert formatting.period(Period(date(2026, 10, 1), date(2026, 10, 31))) == "oct. 2026"


def test_dates_speak_the_language() -> None:
    assert formatting.moment(datetime(2026, 11, 24, 14, 5)) == "24 Nov 2026, 14:05"
    i18n.use("fr")
    assert formatting.full_day(date(2026, 11, 24)) == "mardi 24 novembre 2026"
    assert formatting.name("weekday", 1) == "Lundi"


def test_names_of_values_are_words_and_names_of_the_centre_stay() -> None:
    assert formatting.name("channel", "email") == "E-mail"
    assert formatting.name("queue", "Facturation") == "Facturation"
    assert formatting.name("queue", None) == "Not known"
    assert formatting.name("hour", 9) == "09:00"


def test_ticks_are_round() -> None:
    assert formatting.nice_ticks(0.717, 0.803, Unit.RATE) == [0.72, 0.74, 0.76, 0.78, 0.8]
    assert formatting.nice_ticks(100, 400, Unit.SECONDS) == [120, 180, 240, 300, 360]
    assert formatting.nice_ticks(3, 3, Unit.COUNT) == []
