"""Files of totals into the lake: half-hours, hours and days, with averages, percentages
and without dates.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from builders.import_files import bring, describe_question, run_confirmed, write

from qa_core import ingest
from qa_core.access.roles import Viewer
from qa_core.files.options import ImportOptions
from qa_core.ingest.reading.registry import find_kind
from qa_core.ingest.reading.report import FileReport
from qa_core.metrics import query
from qa_core.storage import lake

SYSTEM = Viewer.SYSTEM
DATED = """Day,Incoming Calls,Answered Calls,Answer Rate,Abandoned Calls,Answer Speed (AVG),Talk Duration (AVG),Waiting Time (AVG),Service Level (20 Seconds)
2024-01-01,100,90,0.90,10,10,100,165,0.80
2024-01-02,50,40,0.80,10,20,200,415,0.50
2024-01-03,0,0,,0,0,0,0,
"""  # noqa: E501
UNDATED = """Index,Incoming Calls,Answered Calls,Answer Rate,Abandoned Calls,Answer Speed (AVG),Talk Duration (AVG),Waiting Time (AVG),Service Level (20 Seconds)
1,100,90,90.00%,10,0:00:10,0:01:40,0:02:45,80.00%
2,50,40,80.00%,10,0:00:20,0:03:20,0:06:55,50.00%
3,0,0,,0,0:00:00,0:00:00,0:00:00,
"""  # noqa: E501
HALF_HOURS = """Skill ID,Date,Skill Name,Time,Interval,Calls offered,Calls answered,Calls ans within 20 secs,Avg speed of ans,ACD time,Hold ACD time,ACW time,Total aban calls,Aban calls after 5 secs
12,11/24/2025,Sales,09:00,30,10,8,6,0:00:15,1600,80,160,2,1
12,11/24/2025,Sales,09:30,30,12,12,12,0:00:05,20400,0,240,0,0
13,11/24/2025,Care,09:00,30,20,15,9,0:00:30,4500,150,450,5,3
13,11/24/2025,Care,09:30,30,0,0,0,,0,0,0,0,0
"""  # noqa: E501
FRENCH = """Rapport par tranche;;;;;;;;
Date;Tranche horaire;File;Appels reçus;Appels traités;Appels abandonnés;Délai moyen de réponse;DMC;Niveau de service (30 s)
24/11/2025;08:00;Accueil;10;9;1;00:00:12;00:03:00;90,0 %
24/11/2025;09:00;Accueil;20;18;2;00:00:20;00:02:00;70,0 %
25/11/2025;08:00;Accueil;1 234;1 200;34;00:00:20;00:02:00;70,0 %
Total;;;1264;1227;37;;;
"""  # noqa: E501


def stored(*columns: str) -> list[tuple[Any, ...]]:
    with lake.working(others=["intervals"]) as connection:
        return connection.execute(
            f"SELECT {', '.join(columns)} FROM intervals ORDER BY local_start, queue"
        ).fetchall()


def measured(*keys: str) -> dict[str, Any]:
    return {row["kpi"]: row["value"] for row in query.to_json(query.measure(SYSTEM, keys))}


def refused(
    folder: Path, text: str, kind: str = "intervals", **options: Any
) -> tuple[str, tuple[str, ...]]:
    path = write(folder, "refused.csv", text)
    [report] = run_confirmed(SYSTEM, kind, [path], ImportOptions(**options))
    assert report.is_refused, report.as_text()
    error = describe_question(report)["error"]
    return error["code"], tuple(error["options"])


def said(report: FileReport, field: str) -> list[str]:
    return [
        decision.as_json()["decision"] for decision in report.decisions if decision.field == field
    ]


def test_averages_become_sums_and_percentages_become_counts(centre: Path) -> None:
    report = bring(centre, "intervals", DATED)
    assert (report.tally.read, report.tally.new, report.tally.rejected) == (3, 3, 0)
    columns = (
        "length_minutes",
        "received",
        "answered",
        "abandoned",
        "answered_in_threshold",
        "threshold_seconds",
        "wait_seconds",
        "talk_seconds",
        "queue",
        "channel",
    )
    assert stored(*columns) == [
        (1440, 100, 90, 10, 80, 20.0, 900.0, 9000.0, None, "phone"),
        (1440, 50, 40, 10, 25, 20.0, 800.0, 8000.0, None, "phone"),
        (1440, 0, 0, 0, None, 20.0, 0.0, 0.0, None, "phone"),
    ]
    assert measured(
        "received", "answer_rate", "service_level", "average_speed_of_answer", "average_talk_time"
    ) == {
        "received": 150,
        "answer_rate": 130 / 150,
        "service_level": 105 / 150,
        "average_speed_of_answer": 1700 / 130,
        "average_talk_time": 17000 / 130,
    }
    assert said(report, "wait_seconds") == [
        "the averages of Answer Speed (AVG), each multiplied by the count of answered"
    ]
    assert "Waiting Time (AVG)" in report.dropped


def test_days_without_a_date_are_a_question_and_count_on_from_the_start_date(centre: Path) -> None:
    assert refused(centre, UNDATED) == (
        "missing_date",
        ("--start-date YYYY-MM-DD", "--map date=COLUMN"),
    )
    assert lake.version("intervals") == -1
    bring(centre, "intervals", UNDATED, start_date=date(2024, 2, 28))
    assert [str(start) for (start,) in stored("local_start")] == [
        "2024-02-28 00:00:00",
        "2024-02-29 00:00:00",
        "2024-03-01 00:00:00",
    ]


def test_the_same_days_in_either_spelling_are_the_same_totals(centre: Path) -> None:
    bring(centre, "intervals", DATED)
    report = bring(centre, "intervals", UNDATED, start_date=date(2024, 1, 1))
    assert (report.tally.new, report.tally.updated, report.tally.unchanged) == (0, 0, 3)


def test_a_gap_among_rows_that_count_days_is_a_question(centre: Path) -> None:
    lines = UNDATED.splitlines()
    assert (
        refused(
            centre, "\n".join([*lines[:2], ",,,,,,,,", *lines[2:]]), start_date=date(2024, 1, 1)
        )[0]
        == "gap_in_days"
    )


def test_half_hours_of_skills_come_with_their_sums_and_the_threshold_of_the_header(
    centre: Path,
) -> None:
    report = bring(centre, "intervals", HALF_HOURS)
    columns = (
        "queue",
        "length_minutes",
        "received",
        "abandoned",
        "short_abandons",
        "answered_in_threshold",
        "wait_seconds",
        "talk_seconds",
        "hold_seconds",
    )
    assert stored(*columns) == [
        ("Care", 30, 20, 5, 2, 9, 450.0, 4500.0, 150.0),
        ("Sales", 30, 10, 2, 1, 6, 120.0, 1600.0, 80.0),
        ("Care", 30, 0, 0, 0, 0, 0.0, 0.0, 0.0),
        ("Sales", 30, 12, 0, 0, 12, 60.0, 20400.0, 0.0),
    ]
    assert (
        report.mapping["queue"] == "Skill Name"
        and report.mapping["answered_in_threshold"] == "Calls ans within 20 secs"
    )
    assert measured("service_level", "abandon_rate") == {
        "service_level": 27 / 39,
        "abandon_rate": 4 / 39,
    }
    by_hour = query.to_json(query.measure(SYSTEM, ("received",), ("hour",)), ("hour",))
    assert [(row["by"]["hour"], row["value"]) for row in by_hour] == [(9, 42)]


def test_a_french_report_by_hour_is_read_and_its_total_row_is_not(centre: Path) -> None:
    report = bring(centre, "intervals", FRENCH)
    assert (report.tally.new, report.tally.skipped_kinds) == (3, {"footer": 1})
    assert said(report, "length_minutes") == ["each row is 60 minutes"]
    assert stored("received", "answered_in_threshold", "threshold_seconds", "talk_seconds") == [
        (10, 9, 30.0, 1620.0),
        (20, 14, 30.0, 2160.0),
        (1234, 864, 30.0, 144000.0),
    ]


def test_what_the_handle_time_holds_beyond_talk_and_hold_is_work_afterwards(centre: Path) -> None:
    bring(
        centre,
        "intervals",
        "date,offered,answered,avg talk "
        "time,AHT\n2025-11-24,10,10,100,130\n2025-11-25,10,10,100,90\n",
    )
    assert stored("talk_seconds", "wrap_seconds") == [(1000.0, 300.0), (1000.0, 0.0)]
    assert measured("average_handle_time") == {"average_handle_time": 115.0}


def test_an_average_is_known_by_the_word_beside_what_it_is_of(centre: Path) -> None:
    bring(
        centre,
        "intervals",
        "date,appels reçus,appels traités,temps de communication moyen,Avg hold time "
        "(sec)\n2025-11-24,10,10,00:01:40,6\n",
    )
    assert stored("talk_seconds", "hold_seconds") == [(1000.0, 60.0)]


def test_field_names_need_no_mapping_and_hold_sums(centre: Path) -> None:
    bring(
        centre,
        "intervals",
        "start,length_minutes,queue,channel,team,received,answered,abandoned,short_abandons,"
        "answered_in_threshold,threshold_seconds,wait_seconds,talk_seconds\n"
        "2025-11-24 09:00,15,care,Tchat,North,10,8,2,1,6,20,80,1600\n",
    )
    assert stored(
        "length_minutes",
        "queue",
        "channel",
        "team",
        "short_abandons",
        "wait_seconds",
        "talk_seconds",
    ) == [(15, "care", "chat", "North", 1, 80.0, 1600.0)]


def test_seconds_that_may_be_sums_or_averages_are_a_question(centre: Path) -> None:
    text = "date,offered,answered,talk time\n2025-11-24,10,10,100\n2025-11-25,10,10,110\n"
    assert refused(centre, text) == (
        "sum_or_average",
        ("--map talk_seconds=talk time", "--map average_talk=talk time"),
    )
    bring(centre, "intervals", text, columns={"average_talk": "talk time"})
    assert stored("talk_seconds") == [(1000.0,), (1100.0,)]


def test_what_only_a_rate_says_is_counted_from_it(centre: Path) -> None:
    bring(
        centre,
        "intervals",
        "date,appels reçus,taux de décroché\n2025-11-24,200,94.5%\n2025-11-25,10,100%\n",
    )
    assert stored("received", "answered", "abandoned") == [(200, 189, 11), (10, 10, 0)]


def test_short_and_long_abandons_make_the_abandoned_and_calls_turned_away_are_none(
    centre: Path,
) -> None:
    bring(
        centre,
        "intervals",
        "date,appels offerts,appels décrochés,abandons < 5 s,abandons > 5 s,dissuadés\n"
        "2025-11-24,24,20,1,2,1\n2025-11-25,28,26,1,1,0\n",
    )
    assert stored("received", "answered", "abandoned", "short_abandons") == [
        (24, 20, 3, 1),
        (28, 26, 2, 1),
    ]


def test_rows_that_nothing_tells_apart_are_a_question_and_equal_ones_are_duplicates(
    centre: Path,
) -> None:
    head = "date,group,offered,answered\n"
    assert (
        refused(centre, "date,vendor,offered,answered\n2025-11-24,A,10,9\n2025-11-24,B,20,19\n")[0]
        == "several_rows_per_interval"
    )
    report = bring(
        centre, "intervals", head + "2025-11-24,A,10,9\n2025-11-24,B,20,19\n2025-11-24,B,20,19\n"
    )
    assert (report.tally.new, report.tally.duplicates) == (2, 1)


def test_impossible_rows_are_rejected_and_the_others_stay(centre: Path) -> None:
    report = bring(
        centre,
        "intervals",
        "date,queue,offered,answered\n2025-11-24,a,10,9\n2025-11-25,a,10,11\n2025-02-30,a,10,"
        "9\n2025-11-27,a,,\n2025-11-28,a,-4,2\n2025-11-29,a,many,2\n2025-11-30,a,5e21,2\n"
        + "".join(f"2025-10-{day:02d},a,10,9\n" for day in range(1, 25)),
    )
    assert (report.tally.new, report.tally.reasons) == (
        25,
        {
            "bad_number": 1,
            "impossible_date": 1,
            "missing_count": 1,
            "more_answered_than_received": 1,
            "off_scale": 2,
        },
    )


def test_a_list_of_calls_is_no_file_of_totals_and_totals_are_no_calls(centre: Path) -> None:
    assert refused(centre, "Call Id,Date,Answered (Y/N)\n1,2025-11-24,Y\n2,2025-11-24,N\n")[0] in (
        "not_totals",
        "unreadable_numbers",
    )
    code, options = refused(centre, DATED, kind="contacts")
    assert (code, options) == ("totals_not_contacts", ("python -m qa_core import intervals FILE",))
    assert find_kind(write(centre, "totals.csv", DATED)) == "intervals"


def test_an_interval_by_itself_does_not_tell_how_long_it_is(centre: Path) -> None:
    assert refused(centre, "start,offered,answered\n2025-11-24 09:00,10,9\n")[0] == "unknown_length"


def test_a_dry_run_counts_and_writes_nothing_and_a_batch_of_totals_is_undone(centre: Path) -> None:
    rehearsal = bring(centre, "intervals", DATED, dry_run=True)
    assert (rehearsal.tally.new, lake.version("intervals")) == (3, -1)
    bring(centre, "intervals", DATED)
    report = bring(centre, "intervals", DATED.replace("100,90", "99,90"))
    assert (report.tally.updated, report.tally.unchanged) == (1, 2)
    ingest.undo(SYSTEM, report.batch_id)
    assert measured("received") == {"received": 150}


def test_a_file_known_already_is_recognised(centre: Path) -> None:
    first = bring(centre, "intervals", DATED)
    again = bring(centre, "intervals", DATED)
    assert (again.recognised, again.tally.unchanged, again.batch_id) == (True, 3, first.batch_id)


def test_the_seconds_of_a_threshold_are_read_in_a_header_of_code_too(centre: Path) -> None:
    header, *rows = HALF_HOURS.splitlines()
    text = "\n".join((header.replace(" ", "_"), *rows)) + "\n"

    report = bring(centre, "intervals", text)

    assert report.mapping["answered_in_threshold"] == "Calls_ans_within_20_secs"
    assert measured("service_level") == {"service_level": 27 / 39}


def test_a_service_level_that_is_not_read_is_listed_as_left_out(centre: Path) -> None:
    text = DATED.splitlines()
    columns = ("Niveau de service 20s", "Service level 20s", "SL 80/20")
    lines = [",".join((text[0], *columns)), *(f"{line},75,75,75" for line in text[1:])]

    report = bring(centre, "intervals", "\n".join(lines) + "\n")

    unused = report.as_json()["reading"]["unused"]
    assert {*columns} <= {item["column"] for item in unused}


@pytest.mark.parametrize("zone", ["America/New_York", "UTC"])
def test_a_day_is_a_day_wherever_the_report_was_made(centre: Path, zone: str) -> None:
    bring(centre, "intervals", DATED, timezone=zone)
    assert str(stored("local_start")[0][0]) == "2024-01-01 00:00:00"


def test_ranges_say_when_each_row_begins_and_how_long_it_is(centre: Path) -> None:
    bring(
        centre,
        "intervals",
        "Date;Tranche horaire;Appels reçus;Appels "
        "traités\n13/03/2026;08:00-08:30;10;9\n13/03/2026;10h00 - 10h29;12;10\n",
    )
    assert [
        (str(start), minutes) for start, minutes in stored("local_start", "length_minutes")
    ] == [("2026-03-13 08:00:00", 30), ("2026-03-13 10:00:00", 30)]


@pytest.mark.parametrize(
    "text",
    [
        "Queue,Date,Slot,Offered,Handled\nCare,2026-03-13,09:00 - 09:15,12,10\n"
        "Care,2026-03-13,13:00 - 13:15,8,7\n",
        "Queue,Date,Period,Offered,Handled\nCare,2026-03-13,9:00am-9:15am,12,10\n"
        "Care,2026-03-13,1:00pm-1:15pm,8,7\n",
        "Queue,Start,End,Offered,Handled\nCare,2026-03-13 09:00,2026-03-13 09:15,12,10\n"
        "Care,2026-03-13 13:00,2026-03-13 13:15,8,7\n",
        "Queue,Date,Start,End,Offered,Handled\nCare,2026-03-13,09:00,09:15,12,10\n"
        "Care,2026-03-13,13:00,13:15,8,7\n",
    ],
)
def test_rows_of_a_quarter_of_an_hour_last_as_long_as_their_ends_say(
    centre: Path, text: str
) -> None:
    bring(centre, "intervals", text)
    rows = [(str(start), minutes) for start, minutes in stored("local_start", "length_minutes")]
    assert rows == [("2026-03-13 09:00:00", 15), ("2026-03-13 13:00:00", 15)]


def test_an_hour_beside_the_date_begins_its_row(centre: Path) -> None:
    bring(centre, "intervals", "Date,Hour,Offered,Handled\n2026-03-13,9,12,10\n2026-03-13,14,8,7\n")
    rows = [(str(start), minutes) for start, minutes in stored("local_start", "length_minutes")]
    assert rows == [("2026-03-13 09:00:00", 60), ("2026-03-13 14:00:00", 60)]


def test_a_line_above_half_hours_gives_their_day(centre: Path) -> None:
    text = "Date: {day},,\n\nTime,ACD Calls,Aban Calls\n09:00,20,2\n09:30,15,1\n"
    bring(centre, "intervals", text.format(day="13/03/2026"))
    assert [str(start) for (start,) in stored("local_start")][:1] == ["2026-03-13 09:00:00"]
    several = text.format(day="12/03/2026 - 13/03/2026")
    assert refused(centre, several)[0] == "missing_date"


def test_a_column_of_ends_tells_when_each_row_began(centre: Path) -> None:
    text = (
        "Fin de période;Appels reçus;Appels traités\n13/03/2026 08:30;10;9\n13/03/2026 09:00;12;9\n"
    )
    assert refused(centre, text) == ("missing_date", ("--map start=Fin de période",))
    bring(centre, "intervals", text, columns=(("start", "Fin de période"),))
    starts = [str(start) for (start,) in stored("local_start")]
    assert starts == ["2026-03-13 08:00:00", "2026-03-13 08:30:00"]


@pytest.mark.parametrize("backwards", [False, True])
def test_the_hour_that_comes_twice_in_october_is_told_apart_by_the_order_of_the_file(
    centre: Path, backwards: bool
) -> None:
    rows = [
        f"25/10/2026;{clock};A;{count};{count}"
        for count, clock in enumerate(
            ("01:30", "02:00", "02:30", "02:00", "02:30", "03:00"), start=1
        )
    ]
    bring(
        centre,
        "intervals",
        "Date;Heure;File;Appels reçus;Appels traités\n"
        + "\n".join(rows[::-1] if backwards else rows)
        + "\n",
        columns={"received": "Appels reçus"},
    )
    with lake.working(others=["intervals"]) as connection:
        found = connection.execute(
            "SELECT strftime(started_at, '%H:%M'), strftime(local_start, '%H:%M'), received "
            "FROM intervals ORDER BY started_at"
        ).fetchall()
    assert found == [
        ("23:30", "01:30", 1),
        ("00:00", "02:00", 2),
        ("00:30", "02:30", 3),
        ("01:00", "02:00", 4),
        ("01:30", "02:30", 5),
        ("02:00", "03:00", 6),
    ]


def test_a_total_of_all_queues_beside_them_counts_nobody_twice(centre: Path) -> None:
    text = (
        "Date;File;Appels reçus;Appels "
        "traités\n13/03/2026;A;10;9\n13/03/2026;B;20;19\n13/03/2026;Total;30;28\n"
    )
    assert bring(centre, "intervals", text).tally.skipped_kinds == {"footer": 1}
    assert measured("received") == {"received": 30}


def test_a_report_of_the_whole_centre_alone_is_no_total_of_others(centre: Path) -> None:
    bring(
        centre,
        "intervals",
        "Date;File;Appels reçus;Appels traités\n13/03/2026;Toutes les files;30;28\n",
    )
    assert measured("received") == {"received": 30}


def test_rows_that_come_twice_count_once_in_the_reading_too(centre: Path) -> None:
    text = """date,time,length_minutes,queue,received,answered,abandoned
2026-03-20,09:00,30,Orders,10,8,2
2026-03-20,09:00,30,Orders,10,8,2
2026-03-20,09:30,30,Orders,5,5,0
"""
    report = bring(centre, "intervals", text)
    assert report.tally.duplicates == 1
    assert report.reading.headline == {"received": 15, "answered": 13, "abandoned": 2}


def test_a_service_level_in_seconds_is_the_threshold_of_the_level(centre: Path) -> None:
    report = bring(
        centre,
        "intervals",
        "CSQ Name,Interval Start Time,Service Level (Sec),Calls Presented,Calls Handled,"
        "Calls Abandoned,Calls Handled < Svc Lvl\n"
        "Care,2026-03-20 08:00,20,12,10,2,8\nCare,2026-03-20 08:30,20,6,5,1,4\n",
    )
    assert report.refusal is None
    assert stored("received", "answered_in_threshold", "threshold_seconds") == [
        (12, 8, 20.0),
        (6, 4, 20.0),
    ]


SPLIT = """Split/Skill Daily Report
Split/Skill: {split};;;
Date;ACD Calls;Aban Calls;Avg Speed Ans
16/03/2026;{first};1;12
17/03/2026;{second};2;10
"""


def test_reports_of_two_splits_named_in_their_titles_stay_apart(centre: Path) -> None:
    bring(centre, "intervals", SPLIT.format(split="Support", first=10, second=20))
    bring(centre, "intervals", SPLIT.format(split="Sales", first=5, second=6))

    assert stored("queue", "answered") == [
        ("Sales", 5),
        ("Support", 10),
        ("Sales", 6),
        ("Support", 20),
    ]
    assert measured("answered") == {"answered": 41}


def test_two_splits_one_below_the_other_are_to_be_put_apart(centre: Path) -> None:
    first = SPLIT.format(split="Support", first=10, second=20)
    second = SPLIT.format(split="Sales", first=5, second=6).replace("/03/", "/04/")

    assert refused(centre, first + second)[0] == "several_tables"


def test_a_service_level_names_its_seconds_in_any_language(centre: Path) -> None:
    bring(
        centre,
        "intervals",
        "Fecha;Cola;Recibidas;Atendidas;Abandonadas;Nivel de servicio 20s;TMO (s)\n"
        "16/03/2026;Soporte;20;18;2;80%;240\n17/03/2026;Soporte;10;10;0;90%;180\n",
    )
    # 16 of 20 and 9 of 10 in time; 18 and 10 calls of 240 and 180 seconds
    assert measured("service_level", "average_handle_time") == {
        "service_level": pytest.approx(25 / 30),
        "average_handle_time": pytest.approx((18 * 240 + 10 * 180) / 28),
    }


def test_sheets_of_two_queues_in_one_workbook_stay_apart(centre: Path) -> None:
    path = centre / "queues.xlsx"
    with xlsxwriter.Workbook(path) as book:
        for queue, answered in (("Support", 10), ("Sales", 5), ("March 2026", 3)):
            sheet = book.add_worksheet(queue)
            sheet.write_row(0, 0, ("Date", "Calls received", "Calls answered"))
            sheet.write_row(1, 0, ("2026-03-16", answered + 1, answered))
    for queue in ("Support", "Sales"):
        [report] = run_confirmed(SYSTEM, "intervals", [path], ImportOptions(sheet=queue))
        assert not report.is_refused, report.as_text()

    assert sorted(stored("queue", "answered")) == [("Sales", 5), ("Support", 10)]
    [report] = run_confirmed(SYSTEM, "intervals", [path], ImportOptions(sheet="March 2026"))
    assert (None, 3) in stored("queue", "answered"), "a month is no queue"
