"""The clock of a file's times: of the centre, or of the zone that a header or a cell names."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders.import_files import bring, describe_question, find_contacts, run_confirmed, write

from qa_core.access.roles import Viewer
from qa_core.ingest.columns.timezones import find_zone

NINE_IN_PARIS = "2026-03-20 09:00:00"


@pytest.mark.parametrize(
    ("header", "cell"),
    [
        ("Start time (UTC)", "2026-03-20 08:00:00"),
        ("start_time_utc", "2026-03-20 08:00:00"),
        ("Start time (America/New_York)", "2026-03-20 04:00:00"),
        ("Start time", "03/20/2026 04:00:00 AM EDT"),
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


def test_an_offset_of_one_season_in_a_header_is_asked_about(centre: Path, tmp_path: Path) -> None:
    text = f"Call ID,Start time (GMT+1),Outcome\nC1,{NINE_IN_PARIS},Answered\n"

    [report] = run_confirmed(Viewer.SYSTEM, "contacts", [write(tmp_path, "calls.csv", text)])

    asked = describe_question(report)["error"]
    assert asked["code"] == "which_zone"
    assert asked["options"] == ["--timezone Etc/GMT-1", "--timezone Europe/Paris"]


@pytest.mark.parametrize("header", ["Date/Time", "Target", "Best time", "Client/Account"])
def test_words_that_are_no_zone_name_none(header: str) -> None:
    assert find_zone(header) is None
