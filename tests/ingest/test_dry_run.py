"""The import doctor: what a dry run shows before anything is written, and what a person
may say otherwise.
"""

from __future__ import annotations

import os
import signal
import stat
import subprocess
from pathlib import Path

import pytest
from builders.forked_python import forked_python
from builders.import_files import CALLS, SURVEYS, bring, find_contacts, find_facts, write

from qa_core import ingest
from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.files import uploads
from qa_core.files.options import ImportOptions
from qa_core.ingest.load import layouts
from qa_core.ingest.reading.report import FileReport
from qa_core.ingest.staging import reason_texts
from qa_core.storage.records import store

MORE = """contact_id,started_at,advisor,queue,customer,outcome
D1,2026-03-02 09:20:00,Diane,,0612345601,answered
D2,2026-10-25 02:30:00,Diane,,0612345602,answered
"""


@pytest.fixture
def centre(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QA_HOME", str(tmp_path / "home"))
    store.migrate()
    return tmp_path


def rehearse(folder: Path, kind: str, text: str, **options) -> FileReport:
    report = ingest.run(
        Viewer.SYSTEM,
        kind,
        [write(folder, "coming.csv", text)],
        ImportOptions(dry_run=True, **options),
    )[0]
    assert not report.is_refused, report.as_text()
    return report


def test_rows_stand_beside_what_they_become_without_any_number_of_a_customer(centre: Path) -> None:
    found = rehearse(centre, "contacts", CALLS).examination

    assert [row.line for row in found.rows] == [2, 3, 4]
    assert (
        found.rows[0].cells["wait_seconds"] == "10" and found.rows[0].values["wait_seconds"] == 10.0
    )
    assert found.rows[0].cells["customer"] == "•••" and found.rows[0].values[
        "customer_key"
    ].startswith("••")
    assert "0612345601" not in str(found)
    assert found.pseudonymised == ("customer",)


def test_the_effect_on_figures_is_that_of_the_import_itself_and_leaves_the_stores_alone(
    centre: Path,
) -> None:
    bring(centre, "contacts", CALLS)
    before = find_facts()

    effects = {
        effect.kpi: effect for effect in rehearse(centre, "surveys", SURVEYS).examination.effects
    }

    # Two of three calls were answered, and nobody had rated them; the survey brings a 5
    # and a 2.
    assert (effects["received"].before, effects["received"].after) == (3, 3)
    assert effects["answer_rate"].after == pytest.approx(2 / 3)
    assert (effects["csat"].before, effects["csat"].after) == (None, 0.5)
    assert find_facts() == before
    assert not list(environment.current().temporary_folder.glob("upload-*"))


def test_new_contacts_of_days_that_stand_are_counted_with_them(centre: Path) -> None:
    bring(centre, "contacts", CALLS)

    effects = {
        effect.kpi: effect
        for effect in rehearse(centre, "contacts", MORE, system="other").examination.effects
    }

    assert (effects["received"].before, effects["received"].after) == (3, 5)


def test_contacts_that_another_tool_has_brought_for_the_same_days_and_queues_are_told(
    centre: Path,
) -> None:
    bring(centre, "contacts", CALLS)

    found = rehearse(centre, "contacts", MORE, system="other").examination

    assert [(item.system, item.contacts, item.rows) for item in found.overlaps] == [
        ("generic", 3, 1)
    ]
    assert rehearse(centre, "contacts", MORE).examination.overlaps == ()


def test_the_hour_that_the_clock_shows_twice_is_told(centre: Path) -> None:
    hours = rehearse(centre, "contacts", MORE).examination.clock_hours

    assert [(f"{hour.start:%Y-%m-%d %H:%M}", hour.rows) for hour in hours] == [
        ("2026-10-25 02:00", 1)
    ]


def test_a_column_can_be_left_aside(centre: Path) -> None:
    report = bring(
        centre,
        "contacts",
        CALLS,
        columns=(("ignore", "talk_seconds"), ("ignore", "tracking_number")),
    )

    assert "talk_seconds" not in report.mapping and set(report.dropped) == {
        "talk_seconds",
        "tracking_number",
    }
    assert find_contacts("talk_seconds") == [("C1", None), ("C2", None), ("C3", None)]


def test_a_mapping_kept_under_a_name_says_what_to_leave_aside_too_and_is_listed(
    centre: Path,
) -> None:
    bring(
        centre,
        "contacts",
        CALLS,
        columns=(("queue", "team"), ("ignore", "talk_seconds")),
        save_mapping="nord",
    )

    bring(centre, "contacts", CALLS.replace("C1", "X1"), profile="nord")

    listed = [(item["layout"], item["kind"]) for item in layouts.find_layouts(Viewer.SYSTEM)]
    assert ("nord", "contacts") in listed
    assert find_contacts("queue", "talk_seconds", where="contact_id = 'X1'") == [
        ("X1", "North", None)
    ]


def test_what_a_person_says_goes_over_a_saved_mapping(centre: Path) -> None:
    bring(centre, "contacts", CALLS, columns={"queue": "team"}, save_mapping="nord")

    report = bring(
        centre, "contacts", CALLS.replace("C1", "X1"), profile="nord", columns=(("ignore", "team"),)
    )

    assert "queue" not in report.mapping


def test_every_reason_of_a_rejected_row_is_said_in_words(centre: Path) -> None:
    report = bring(centre, "contacts", CALLS.replace("2026-03-02 09:05:00", "2026-02-30 09:05:00"))

    assert report.tally.reasons == {"impossible_date": 1}
    assert "a date that does not exist" in report.as_text()
    assert all(reason_texts.describe(code) != code for code in reason_texts.TEXTS)


def test_a_file_that_was_sent_is_readable_by_us_alone_and_gone_afterwards(centre: Path) -> None:
    with uploads.store_temporarily("calls.csv.gz", b"x") as path:
        assert path.is_relative_to(environment.current().temporary_folder) and path.suffixes == [
            ".csv",
            ".gz",
        ]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        uploads.remove_leftovers()
        assert path.exists()
    assert not path.parent.exists()


def test_a_file_that_a_killed_server_left_behind_is_removed_at_the_next_start(centre: Path) -> None:
    script = """
import os, signal
from qa_core.files import uploads
with uploads.store_temporarily("calls.csv", b"0612345601"):
    os.kill(os.getpid(), signal.SIGKILL)
"""

    killed = subprocess.run(
        [*forked_python(), "-c", script], cwd=environment.PROJECT, env=dict(os.environ), check=False
    )

    assert killed.returncode == -signal.SIGKILL
    assert list(environment.current().temporary_folder.glob("upload-*"))
    ingest.resume()
    assert not list(environment.current().temporary_folder.glob("upload-*"))
