"""The clock of a file's times: of the centre, or of the zone that a header or a cell names."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders.import_files import bring, describe_question, find_contacts, run_confirmed, write

from qa_core.access.roles import Viewer
from qa_core.ingest.columns.timezones import find_zones

NINE_IN_PARIS = "2026-03-20 09:00:00"


@pytest.mark.parametrize(
    ("header", "cell"),
    [
        ("Start time (UTC)", "2026-03-20 08:00:00"),
        ("start_time_utc", "2026-03-20 08:00:00"),
        ("Start time (America/New_York)", "2026-03-20 04:00:00"),
        ("Start time", "03/20/2026 04:00:00 AM EDT"),
        ("Start time", "2026/03/20 10:00:00 AM GMT+2"),
        ("Start time", "2026/03/20 1:30:00 PM GMT+5:30"),
        ("Start time", "/Date(1773993600000+0100)/"),
        ("DATE ET HEURE", "20/03/2026 09:00:00"),
        ("Start time (ET)", "2026-03-20 04:00:00"),
        ("Start time", "20. Mär. 2026 09:00:00"),
        ("Start time", NINE_IN_PARIS),
    ],
)
def test_a_time_is_read_by_the_zone_that_its_header_or_cell_names(
    centre: Path, tmp_path: Path, header: str, cell: str
) -> None:
    bring(tmp_path, "contacts", f"Call ID,{header},Outcome\nC1,{cell},Answered\n")

    assert [str(row[1]) for row in find_contacts("local_start")] == [NINE_IN_PARIS]


@pytest.mark.parametrize(
    ("letters", "zones"),
    [
        ("GMT+1", ("Etc/GMT-1",)),
        ("EST", ("America/New_York", "Etc/GMT+5", "Australia/Sydney")),
        ("CST", ("America/Chicago", "Etc/GMT+6", "Asia/Shanghai")),
        ("IST", ("Asia/Kolkata", "Asia/Jerusalem", "Europe/Dublin")),
    ],
)
def test_a_header_that_names_one_season_or_several_zones_is_asked_about(
    centre: Path, tmp_path: Path, letters: str, zones: tuple[str, ...]
) -> None:
    text = f"Call ID,Start time ({letters}),Outcome\nC1,{NINE_IN_PARIS},Answered\n"

    [report] = run_confirmed(Viewer.SYSTEM, "contacts", [write(tmp_path, "calls.csv", text)])

    asked = describe_question(report)["error"]
    assert asked["code"] == "which_zone"
    assert asked["options"] == [f"--timezone {zone}" for zone in (*zones, "Europe/Paris")]


def test_letters_of_several_zones_are_the_centre_s_where_its_own_is_one_of_them(
    centre: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QA_TIMEZONE", "America/New_York")
    bring(tmp_path, "contacts", "Call ID,Start (EST),Outcome\nC1,2026-07-20 09:00:00,Answered\n")

    assert [str(row[1]) for row in find_contacts("local_start")] == ["2026-07-20 09:00:00"]


@pytest.mark.parametrize(
    "header", ["Date/Time", "Target", "Best time", "Client/Account", "IST ZEIT", "DATE ET HEURE"]
)
def test_words_that_are_no_zone_name_none(header: str) -> None:
    assert find_zones(header) == ()
