"""Figures as people read them, in both languages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime

import pytest

from qa_core import figures, wording
from qa_core.kpis import Unit
from qa_core.slices import Period

NB, NARROW = "\u00a0", "\u202f"


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    wording.use("en")
    yield
    wording.use("en")


def test_rates_are_shown_in_percent_with_one_decimal() -> None:
    assert figures.value(0.7423, Unit.RATE) == f"74.2{NARROW}%"
    wording.use("fr")
    assert figures.value(0.7423, Unit.RATE) == f"74,2{NARROW}%"


def test_a_missing_value_is_never_a_zero() -> None:
    assert figures.value(None, Unit.RATE) == "no data"
    assert figures.value(float("nan"), Unit.COUNT) == "no data"
    assert figures.value(0, Unit.COUNT) == "0"


def test_seconds_read_as_minutes_and_hours() -> None:
    assert figures.duration(4.2) == f"4.2{NB}s"
    assert figures.duration(45) == f"45{NB}s"
    assert figures.duration(225) == f"3{NB}min{NB}45{NB}s"
    assert figures.duration(59.6) == f"1{NB}min{NB}00{NB}s"
    assert figures.duration(5400) == f"1{NB}h{NB}30"
    assert figures.duration(-90) == f"−1{NB}min{NB}30{NB}s"


def test_counts_have_the_separator_of_the_language() -> None:
    assert figures.number(15204) == "15,204"
    wording.use("fr")
    assert figures.number(15204) == f"15{NARROW}204"


def test_money_loses_its_cents_from_a_thousand_on() -> None:
    assert figures.money(7.4, "EUR") == "€7.40"
    assert figures.money(12345.6, "EUR") == "€12,346"
    assert figures.money(7.4, None) == "7.40"
    wording.use("fr")
    assert figures.money(7.4, "EUR") == f"7,40{NB}€"


def test_changes_are_signed_and_rates_change_in_points() -> None:
    assert figures.change(-0.021, Unit.RATE) == "−2.1\u00a0pt"
    assert figures.change(0.0206, Unit.RATE) == "+2.1\u00a0pt"
    assert figures.change(12, Unit.COUNT) == "+12"
    assert figures.change(None, Unit.RATE) == ""


def test_an_interval_writes_its_unit_once_and_stays_on_its_scale() -> None:
    assert figures.interval(0.735, 0.749, Unit.RATE) == f"73.5–74.9{NARROW}%"
    assert figures.interval(-23.2, 197, Unit.SCORE) == "0.0–100.0"
    assert figures.interval(None, 0.5, Unit.RATE) == ""


def test_a_period_is_said_as_shortly_as_it_can_be() -> None:
    assert figures.period(Period(date(2026, 11, 2), date(2026, 11, 29))) == "2–29 Nov 2026"
    assert figures.period(Period(date(2026, 10, 1), date(2026, 10, 31))) == "Oct 2026"
    assert figures.period(Period(date(2026, 1, 1), date(2026, 3, 31))) == "Jan – Mar 2026"
    assert figures.period(Period(date(2025, 12, 20), date(2026, 1, 3))) == "20 Dec 2025 – 3 Jan 2026"
    wording.use("fr")
    assert figures.period(Period(date(2026, 10, 1), date(2026, 10, 31))) == "oct. 2026"


def test_dates_speak_the_language() -> None:
    assert figures.moment(datetime(2026, 11, 24, 14, 5)) == "24 Nov 2026, 14:05"
    wording.use("fr")
    assert figures.full_day(date(2026, 11, 24)) == "mardi 24 novembre 2026"
    assert figures.name("weekday", 1) == "Lundi"


def test_names_of_values_are_words_and_names_of_the_centre_stay() -> None:
    assert figures.name("channel", "email") == "E-mail"
    assert figures.name("queue", "Facturation") == "Facturation"
    assert figures.name("queue", None) == "Not known"
    assert figures.name("hour", 9) == "09:00"


def test_ticks_are_round() -> None:
    assert figures.nice_ticks(0.717, 0.803, Unit.RATE) == [0.72, 0.74, 0.76, 0.78, 0.8]
    assert figures.nice_ticks(100, 400, Unit.SECONDS) == [120, 180, 240, 300, 360]
    assert figures.nice_ticks(3, 3, Unit.COUNT) == []
