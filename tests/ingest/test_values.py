"""Dates, durations, numbers, words and identities as files spell them: any spelling
that was seen gives the same value back.
"""

from __future__ import annotations

import hmac
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa_core.base.errors import Refusal
from qa_core.ingest.columns import durations, numbers, timestamps, vocabulary
from qa_core.ingest.columns.column_inference import ANSWER_WORDS
from qa_core.ingest.columns.date_order import decide_reading
from qa_core.ingest.columns.timezones import Zone
from qa_core.ingest.staging.pseudonyms import Pseudonyms, find_number
from qa_core.storage.facts.schema import Outcome

MONTHS_IN_FRENCH = (
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
)
MOMENTS = {
    "iso": lambda at: at.isoformat(sep=" "),
    "iso with T": lambda at: at.isoformat(),
    "iso unpadded": lambda at: f"{at.year}/{at.month}/{at.day} {at.hour}:{at:%M:%S}",
    "dmy slashes": lambda at: f"{at:%d/%m/%Y %H:%M:%S}",
    "dmy dashes unpadded": lambda at: f"{at.day}-{at.month}-{at.year} {at.hour}:{at:%M:%S}",
    "dmy dots": lambda at: f"{at:%d.%m.%Y %H:%M:%S}",
    "dmy short year": lambda at: f"{at:%d-%m-%y} {at.hour}:{at:%M:%S}",
    "mdy half days": lambda at: f"{at.month}/{at.day}/{at.year} {at:%I:%M:%S %p}",
    "mdy": lambda at: f"{at:%m-%d-%Y %H:%M:%S}",
    "english name": lambda at: f"{at:%d %b %Y %H:%M:%S}",
    "french name": lambda at: (
        f"{at.day} {MONTHS_IN_FRENCH[at.month - 1]} {at.year} à {at:%Hh%Mm%S}"
    ),
    "english name first": lambda at: f"{at:%B} {at.day}, {at.year} {at:%H:%M:%S}",
    "compact": lambda at: f"{at:%Y%m%d%H%M%S}",
    "spreadsheet number": lambda at: repr((at - datetime(1899, 12, 30)) / timedelta(days=1)),
}
DURATIONS = {
    "clock": lambda s: f"{s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}",
    "clock unpadded": lambda s: f"{s // 3600}:{s // 60 % 60:02}:{s % 60:02}",
    "time of day": lambda s: f"{(datetime(2000, 1, 1) + timedelta(seconds=s)):%I:%M:%S} AM",
    "1900": lambda s: f"1900-01-01 {s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}",
    "seconds": str,
    "float": lambda s: f"{s}.0",
    "minutes and seconds": lambda s: f"{s // 60}:{s % 60:02}",
    "words": lambda s: f"{s // 60} min {s % 60}",
    "letters": lambda s: f"{s // 60}m{s % 60:02}s",
    "iso": lambda s: f"PT{s // 60}M{s % 60}S",
    "with unit": lambda s: f"{s} sec",
    "milliseconds": lambda s: f"{s * 1000} ms",
}
moments_of_two_years = st.lists(
    st.datetimes(datetime(2023, 1, 1), datetime(2024, 12, 31)).map(
        lambda at: at.replace(microsecond=0)
    ),
    min_size=1,
    max_size=20,
)


def column(values):
    return vocabulary.clean_cells(list(values))


def read_moments(values, date_order=None):
    cells = column(values)
    evidence = timestamps.MomentEvidence("started_at", "Start")
    evidence.add(cells)
    reading, decisions = decide_reading(evidence, date_order)
    return reading.read(cells), decisions


def whole(found):
    return (found.day.astype("M8[us]") + found.clock).astype(object).tolist()


def read_durations(values, unit=None, hint=None):
    cells = column(values)
    evidence = durations.DurationEvidence("talk_seconds", "Talk")
    evidence.add(cells)
    return durations.decide_reading(evidence, unit, hint, None, []).read(cells)


@pytest.mark.parametrize("spelling", MOMENTS)
@settings(max_examples=12)
@given(drawn=moments_of_two_years)
def test_a_column_of_moments_in_any_seen_spelling_gives_the_same_moments(spelling, drawn):
    # The 13th to the 31st of one month tell day from month, as a real column does.
    wanted = [*(datetime(2024, 3, day, 8, 5, 9) for day in range(13, 32)), *drawn]
    found, _decisions = read_moments(MOMENTS[spelling](at) for at in wanted)
    assert whole(found) == wanted
    assert not found.bad.any()


@pytest.mark.parametrize("spelling", DURATIONS)
@settings(max_examples=12)
@given(drawn=st.lists(st.integers(0, 7200), max_size=30))
def test_a_column_of_durations_in_any_seen_spelling_gives_the_same_seconds(spelling, drawn):
    wanted = [143, 605, *drawn]
    found, bad, negative = read_durations(DURATIONS[spelling](seconds) for seconds in wanted)
    assert found.tolist() == wanted
    assert not bad.any() and not negative.any()


def test_fractions_of_a_day_are_durations_to_the_second():
    found, _bad, _negative = read_durations(["0.001655", "0.0028", "0"])
    assert found.tolist() == [143, 242, 0]


def test_a_unit_is_taken_from_the_header_or_asked_for():
    assert read_durations(["2", "3.5"], hint="min")[0].tolist() == [120, 210]
    assert read_durations(["2500"], unit="ms")[0].tolist() == [2.5]


def test_minutes_or_hours_is_a_question():
    with pytest.raises(Refusal) as refused:
        read_durations(["02:00", "01:30"])
    assert refused.value.code == "ambiguous_duration"
    assert refused.value.options == ("--unit talk_seconds=s", "--unit talk_seconds=min")
    assert read_durations(["02:00"], unit="s")[0].tolist() == [120]
    assert read_durations(["02:00"], unit="min")[0].tolist() == [7200]


def test_seconds_alone_after_a_colon_tell_what_the_other_pairs_are():
    """As Avaya's reports write them."""
    seconds, unreadable, _negative = read_durations([":12", "2:05", "1:02:03"])
    assert (seconds.tolist(), unreadable.any()) == ([12, 125, 3723], False)


def test_negative_and_unreadable_durations_are_told_apart():
    found, bad, negative = read_durations(["10", "-5", "1e99970", "20", "30"])
    assert bad.tolist() == [False, False, True, False, False]
    assert negative.tolist() == [False, True, False, False, False]
    assert np.isnan(found[1]) and np.isnan(found[2])


def test_day_and_month_that_cannot_be_told_apart_are_a_question():
    with pytest.raises(Refusal) as refused:
        read_moments(["01/02/2024", "03/04/2024"])
    assert refused.value.code == "ambiguous_dates"
    assert refused.value.options == ("--date-order dmy", "--date-order mdy")
    assert read_moments(["01/02/2024"], "dmy")[0].day.tolist() == [date(2024, 2, 1)]
    assert read_moments(["01/02/2024"], "mdy")[0].day.tolist() == [date(2024, 1, 2)]


def test_years_of_two_figures_after_strokes_never_come_first():
    assert read_moments(["13/01/24"])[0].day.tolist() == [date(2024, 1, 13)]
    with pytest.raises(Refusal) as refused:
        read_moments(["13-01-24"])
    assert refused.value.options == ("--date-order dmy", "--date-order ymd")


def test_one_column_in_two_orders_is_refused():
    with pytest.raises(Refusal) as refused:
        read_moments(["27/01/2024", "01/27/2024"] * 50)
    assert refused.value.code == "mixed_dates"


def test_days_that_no_calendar_has_are_marked():
    found, _decisions = read_moments(["2018/13/40", "2019-02-30", "2019-02-28"])
    assert found.bad.tolist() == [True, True, False]


def test_destroyed_timestamps_are_refused():
    with pytest.raises(Refusal) as refused:
        read_moments(["12:38.9", "21:38.9", "04:38.9"])
    assert refused.value.code == "destroyed_timestamps"
    assert "12:38.9" in str(refused.value)


def swap(day):
    """What a spreadsheet that expects month first makes of a day written day first."""
    return f"{day.year}-{day.day:02}-{day.month:02}" if day.day <= 12 else f"{day:%d/%m/%Y}"


def test_days_swapped_by_a_spreadsheet_are_swapped_back_when_that_is_certain():
    wanted = [date(2021, month, day) for month in (1, 2, 3) for day in range(1, 29)]
    found, decisions = read_moments(map(swap, wanted))
    assert found.day.tolist() == wanted
    assert any("swapped" in decision.decision for decision in decisions)


def test_days_perhaps_swapped_by_a_spreadsheet_are_refused():
    wanted = [date(2021, month, day) for month in range(1, 13) for day in range(1, 29)]
    with pytest.raises(Refusal) as refused:
        read_moments(map(swap, wanted))
    assert refused.value.code == "swapped_dates"


def test_offsets_and_epochs_are_utc_already():
    found, _decisions = read_moments(
        ["2024-07-01T10:00:00+02:00", "Mon, 01 Jul 2024 04:00:00 -0400", "2024-07-01T08:00:00Z"]
    )
    assert whole(found) == [datetime(2024, 7, 1, 8)] * 3
    assert found.fixed.all()
    found, _decisions = read_moments(["1719820800", "1719820800"])
    assert whole(found) == [datetime(2024, 7, 1, 8)] * 2 and found.fixed.all()
    found, _decisions = read_moments(["1719820800000"])
    assert whole(found) == [datetime(2024, 7, 1, 8)]


def test_times_of_day_in_every_seen_spelling():
    for texts in (
        ["9:12:58"],
        ["09:12:58"],
        ["9h12m58"],
        ["9:12:58 AM"],
        [repr((9 * 3600 + 12 * 60 + 58) / 86400)],
    ):
        found, _decisions = read_moments(texts)
        assert found.clock.tolist() == [timedelta(hours=9, minutes=12, seconds=58)], texts


@settings(max_examples=30)
@given(st.times())
def test_half_days_are_read_as_clocks_show_them(at):
    at = at.replace(microsecond=0)
    found, _decisions = read_moments([f"{at:%I:%M:%S %p}"])
    assert (datetime.min + found.clock[0].astype(object)).time() == time(
        at.hour, at.minute, at.second
    )


def test_the_hour_that_is_missing_in_march_and_the_one_that_comes_twice_in_october():
    zone = Zone("Europe/Paris")
    local = np.array(
        ["2024-03-31T02:30", "2024-10-27T02:30", "2024-07-01T10:00", "2024-01-01T10:00"], "M8[us]"
    )
    assert zone.to_utc(local).tolist() == [
        datetime(2024, 3, 31, 1, 30),
        datetime(2024, 10, 27, 0, 30),
        datetime(2024, 7, 1, 8),
        datetime(2024, 1, 1, 9),
    ]
    assert (zone.missing, zone.repeated) == (1, 1)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1)))
@settings(max_examples=50)
def test_utc_to_local_and_back_is_the_same_but_for_the_repeated_hour(at):
    zone = Zone("Europe/Paris")
    utc = np.array([at], "M8[us]")
    back = zone.to_utc(zone.to_local(utc))
    assert back[0] == utc[0] or zone.repeated == 1


@given(
    st.sampled_from(
        [
            "Europe/Paris",
            "America/Havana",
            "Asia/Beirut",
            "Australia/Lord_Howe",
            "Africa/Casablanca",
            "Asia/Kathmandu",
            "UTC",
        ]
    ),
    st.lists(st.datetimes(datetime(1970, 1, 2), datetime(2099, 12, 30)), min_size=1, max_size=20),
)
@settings(max_examples=100)
def test_offsets_are_those_of_the_zone(name, seen):
    zone, whole = Zone(name), [at.replace(microsecond=0, fold=0) for at in seen]
    expected = [at.replace(tzinfo=zone._zone).astimezone(UTC).replace(tzinfo=None) for at in whole]
    assert zone.to_utc(np.array(whole, "M8[us]")).tolist() == expected
    assert zone.to_local(np.array(whole, "M8[us]")).tolist() == [
        at.replace(tzinfo=UTC).astimezone(zone._zone).replace(tzinfo=None) for at in whole
    ]


def test_a_decimal_comma_is_seen_on_the_whole_column():
    evidence = numbers.NumberEvidence("amount", "Montant")
    values = column(["1 234,50 €", "12,5", "1.234,56", "8"])
    evidence.add(values)
    reading = numbers.NumberReading(numbers.decide_decimal(evidence, None, []))
    found, bad, _off = reading.read(values)
    assert found.tolist() == [1234.5, 12.5, 1234.56, 8]
    assert not bad.any()


@pytest.mark.parametrize(
    ("cells", "numbers_read"),
    [
        (["34.50", "1,061.20", "31.00"], [34.5, 1061.2, 31.0]),
        (["34,50", "1.061,20", "31,00"], [34.5, 1061.2, 31.0]),
        (["1,061.20", "12,034,061.20"], [1061.2, 12034061.2]),
        (["-1,061.20 €", "10,5"], [None, 10.5]),
        (["34,50", "34.50"], [34.5, None]),
        (["1,06,120.50", "10.5"], [106120.5, 10.5]),
        (["-£250.00", "(£20.50)", "£ -3.5", "(4.5 €)"], [-250.0, -20.5, -3.5, -4.5]),
    ],
)
def test_of_comma_and_point_the_last_is_the_decimal_sign(cells, numbers_read) -> None:
    """A cell that the sign of its column cannot spell is no number, never another one."""
    evidence = numbers.NumberEvidence("amount", "Cost")
    evidence.add(column(cells))
    reading = numbers.NumberReading(numbers.decide_decimal(evidence, None, []))

    found, _bad, _off = reading.read(column(cells))

    assert [None if number != number else number for number in found.tolist()] == numbers_read


def test_three_digits_after_a_sign_are_a_question():
    for values in (["1,234", "12"], ["1.234", "12"]):
        evidence = numbers.NumberEvidence("amount", "Amount")
        evidence.add(column(values))
        with pytest.raises(Refusal) as refused:
            numbers.decide_decimal(evidence, None, [])
        assert refused.value.code == "ambiguous_decimal"
        assert numbers.decide_decimal(evidence, ".", []) == "."


@pytest.mark.parametrize(
    ("values", "scale", "kept"),
    [
        (["1", "5", "3"], "1-5", [1, 5, 3]),
        (["1", "10", "3"], "1-10", [1, 10, 3]),
        (["80 %", "100%", "35,5 %"], "0-100", [80, 100, 35.5]),
        (["4/5", "5/5"], "1-5", [4, 5]),
        (["not scored", "0", "4"], "1-5", [None, None, 4]),
    ],
)
def test_the_scale_of_marks_is_inferred(values, scale, kept):
    evidence = numbers.NumberEvidence("csat", "Note", is_zero_none=True)
    cells = vocabulary.clear_non_answers(column(values))
    evidence.add(cells)
    reading, found = numbers.decide_mark(evidence, None, None, None, [])
    assert found == scale
    assert [None if np.isnan(mark) else mark for mark in reading.read(cells)[0]] == kept


def test_effort_is_marked_from_one_to_seven_unless_many_marks_leave_that_open():
    def decide(values, scale=None):
        evidence = numbers.NumberEvidence("ces", "Effort")
        evidence.add(column(values))
        return numbers.decide_mark(evidence, None, scale, None, [])[1]

    assert decide(["5", "4", "2"]) == "1-7"
    assert decide(["6", "7", "1"] * 20) == "1-7"
    assert decide(["8", "10", "1"] * 20) == "1-10"
    with pytest.raises(Refusal) as refused:
        decide(["5", "4", "1"] * 20)
    assert refused.value.options == ("--scale ces=1-5", "--scale ces=1-7")
    assert decide(["5", "4", "1"] * 20, "1-5") == "1-5"


def test_one_mark_off_the_scale_does_not_change_the_scale():
    evidence = numbers.NumberEvidence("csat", "Note")
    values = column(["5", "4", "2", "1"] * 100 + ["9.9"])
    evidence.add(values)
    reading, scale = numbers.decide_mark(evidence, None, None, None, [])
    _marks, _bad, off = reading.read(values)
    assert scale == "1-5" and off.sum() == 1


@pytest.mark.parametrize(
    ("word", "outcome"),
    [
        ("Y", Outcome.ANSWERED),
        ("Répondu", Outcome.ANSWERED),
        ("NON RÉPONDU", Outcome.UNANSWERED),
        ("Manqué", Outcome.UNANSWERED),
        ("NO ANSWER", Outcome.UNANSWERED),
        ("HANG", Outcome.ABANDONED),
        ("AGENT", Outcome.ANSWERED),
        ("Occupé", Outcome.REFUSED),
        ("BUSY", Outcome.REFUSED),
        ("FAILED", Outcome.FAILED),
        ("Messagerie vocale", Outcome.VOICEMAIL),
        ("out_of_opening_hours", Outcome.CLOSED),
        *((item.value, item) for item in Outcome),
    ],
)
def test_words_for_how_a_contact_ended(word, outcome):
    assert vocabulary.read_words(column([word]), ANSWER_WORDS)[0].tolist() == [outcome]


def test_cells_that_only_look_filled_are_missing():
    assert column(["", "  ", "NULL", "NaN", "NaT", "n/a", "None", "0", " x "]).to_pylist() == [
        None
    ] * 7 + ["0", "x"]


FRENCH = Pseudonyms("FR", b"k" * 32)


@pytest.mark.parametrize(
    "spelling",
    [
        "0612345678",
        "06 12 34 56 78",
        "06.12.34.56.78",
        "+33612345678",
        "0033 6 12 34 56 78",
        "+33 (0)6 12 34 56 78",
        "612345678",
    ],
)
def test_one_number_in_any_spelling_has_one_key(spelling):
    assert FRENCH.find_key(spelling) == FRENCH.find_key("+33 6 12 34 56 78")
    assert "612345678" not in FRENCH.find_key(spelling)


def test_withheld_numbers_have_no_key():
    withheld = ("anonymous", "Numéro masqué", "0", "Private", "unknown", "+266696687")
    hidden_in_part = ("06XXXXXX12", "+336*****78", "06 12 xx xx 78", "j***@example.org")
    assert {FRENCH.find_key(text) for text in (*withheld, *hidden_in_part)} == {None}
    assert FRENCH.find_key("client xx7")


def test_another_secret_gives_other_keys():
    assert FRENCH.find_key("0612345678") != Pseudonyms("FR", b"x" * 32).find_key("0612345678")


def test_numbers_that_a_tool_wrote_with_a_decimal_are_the_same_caller():
    """A column of numbers with a gap becomes one of decimals in many tools."""
    written = column(
        ["33612345678.0", "", "anonymous", "+33612345678", "612345678.0", "2025550123.0"]
    )
    assert FRENCH.find_keys(written).to_pylist() == [
        FRENCH.find_key("06 12 34 56 78"),
        None,
        None,
        FRENCH.find_key("06 12 34 56 78"),
        FRENCH.find_key("06 12 34 56 78"),
        FRENCH.find_key("2025550123"),
    ]


def test_decimals_stay_beside_fractions_and_accents_have_one_form():
    assert column(["10.0", "1.667", None]).to_pylist() == ["10.0", "1.667", None]
    assert column(["10.0", "-2.0", "n/a"]).to_pylist() == ["10", "-2", None]
    others = ["2026-03-20 09:00:00.0", "10.0.0.1", "1266833905.0"]
    assert column(others).to_pylist() == others, "a time, an address, an id of Asterisk"
    assert column(["E\u0301te\u0301 2026"]).to_pylist() == ["Été 2026"]


@given(
    st.sampled_from(["FR", "BE", "DE", "GB", "CH", "US", "ES"]),
    st.from_regex(r"\A(\+|00|0)?[1-9][0-9]{7,10}\Z"),
)
@settings(max_examples=150)
def test_the_quick_way_agrees_with_the_library(country, text):
    pseudonyms, slow = Pseudonyms(country, b"k" * 32), Pseudonyms(country, b"k" * 32)
    slow._national = None
    assert pseudonyms.find_key(text) == slow.find_key(text), find_number(text, country)


@pytest.mark.parametrize("secret", [b"k" * 32, b"k" * 64, b"k" * 100])
def test_a_key_is_the_hmac_of_the_number(secret):
    assert (
        Pseudonyms("FR", secret).find_key("06 12 34 56 78")
        == hmac.digest(secret, b"tel:+33612345678", "sha256").hex()[:32]
    )


def test_keys_stay_the_same_when_more_cells_come_than_are_remembered(monkeypatch):
    monkeypatch.setattr("qa_core.ingest.staging.pseudonyms.MAX_CACHED_KEYS", 3)
    pseudonyms = Pseudonyms("FR", b"k" * 32)
    for texts in (["a", "b"], ["b", "c", "d"], ["a", "e", "f", "g", "b"]):
        assert pseudonyms.find_keys(pa.array(texts)).to_pylist() == [
            FRENCH.find_key(text) for text in texts
        ]


def test_keys_keep_the_order_and_the_gaps_of_their_column():
    keys = FRENCH.find_keys(
        pa.array(["0612345678", None, "anonymous", "client 7", "0612345678"])
    ).to_pylist()
    assert (
        keys[0] == keys[4]
        and keys[1] is None
        and keys[2] is None
        and keys[3] not in (None, keys[0])
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1'05", 65),
        ("1'234", 1234),
        ("2'", 120),
        ("00:00:65", 65),
        ("00:90:00", 5400),
        ("1.5h", 5400),
        ("1.01:00:00", 90_000),
        ("00.01.05", 65),
        ("PT1M5.5S", 65.5),
        ("136s (2m 16s)", 136),
    ],
)
def test_a_duration_is_what_it_says(text: str, seconds: float) -> None:
    values, bad, _negative = durations.DurationReading().read(pa.array([text]))
    assert values.tolist() == [seconds] and not bad.any()


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("Très satisfaite", "5"),
        ("Plutôt pas satisfait", "2"),
        ("4 - Satisfait", "4"),
        ("3 étoiles", "3"),
        ("★★★☆☆", "3"),
        ("4 sur 5", None),
        ("Marseille", None),
    ],
)
def test_marks_in_words_and_stars(text: str, mark: str | None) -> None:
    assert vocabulary.find_mark(text) == mark


def test_shares_of_one_are_marks_on_a_hundred():
    evidence = numbers.NumberEvidence("csat", "Satisfaction")
    evidence.add(pa.array(["0.8", "1", "0.45"]))
    reading, scale = numbers.decide_mark(evidence, None, None, None, [])
    assert (reading.read(pa.array(["0.8", "1"]))[0].tolist(), scale) == ([80, 100], "0-100")
