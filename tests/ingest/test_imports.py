"""Files of every kind into the stores: each row accounted for, the same again changes
nothing, a dry run leaves no trace.
"""

from __future__ import annotations

import csv
import stat
import threading
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa
from builders.import_files import (
    CALLS,
    SURVEYS,
    TRACKING,
    bring,
    describe_question,
    find_contacts,
    find_facts,
    find_files,
    find_waiting,
    write,
)

from qa_core import ingest
from qa_core.access.roles import Role, Viewer
from qa_core.base.errors import AccessDenied, Misuse
from qa_core.centre.rules import opening_hours
from qa_core.files.options import ImportOptions
from qa_core.storage import audit_log, lake
from qa_core.storage.lake import month_sums
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.imports import ImportBatch
from qa_core.storage.records.people import Advisor, Team

REPORT_KEYS = {
    *(
        "file",
        "system",
        "profile",
        "mapping",
        "read",
        "new",
        "updated",
        "unchanged",
        "duplicates",
        "rejected",
        "folded",
        "skipped",
    ),
    *("folded_kinds", "skipped_kinds", "reasons", "blanked", "quarantine", "decisions"),
    *("verdict", "plausibility", "reading"),
}


def test_calls_come_in_with_their_advisors_and_teams(centre: Path) -> None:
    report = bring(centre, "contacts", CALLS)
    assert (report.tally.read, report.tally.new) == (3, 3)
    assert find_contacts("advisor_id", "team", "direction", "channel") == [
        ("C1", "Diane", "North", "inbound", "phone"),
        ("C2", "Becky", "North", "inbound", "phone"),
        ("C3", "Diane", "North", "inbound", "phone"),
    ]
    with store.reading() as session:
        assert set(session.scalars(sa.select(Advisor.advisor_id))) == {"Diane", "Becky"}
        assert list(session.scalars(sa.select(Team.name))) == ["North"]
    said = {decision["field"]: decision for decision in report.as_json()["decisions"]}
    assert said["advisor"]["evidence"] == "2: Becky, Diane"
    assert said["direction"]["decision"] and said["channel"]["decision"]


def test_a_roster_with_sites_and_no_teams_brings_its_sites_and_takes_them_back(
    centre: Path,
) -> None:
    report = bring(
        centre, "advisors", "id,name,site\na1,Lea Roy,Lyon\na2,Max Fort,Lille\nTotal,2,\n"
    )
    assert report.tally.new == 2
    assert [site["site"] for site in opening_hours.find_sites(Viewer.SYSTEM)] == ["Lille", "Lyon"]

    ingest.undo(Viewer.SYSTEM, report.batch_id)
    assert opening_hours.find_sites(Viewer.SYSTEM) == []


def test_the_time_of_a_login_is_no_id_of_an_advisor(centre: Path) -> None:
    assert bring(centre, "advisors", "Agent,Login\nLea,08:00\nMax,08:00\n").tally.new == 2


def test_the_report_has_the_shape_of_the_contract(centre: Path) -> None:
    document = bring(centre, "contacts", CALLS).as_json()
    assert set(document) == REPORT_KEYS
    assert set(document["decisions"][0]) == {"field", "decision", "evidence"}
    refused = ingest.run(Viewer.SYSTEM, "contacts", [write(centre, "empty.csv", "")])[0].as_json()
    assert set(refused) == {"file", "verdict", "error", "reading"} and set(refused["error"]) == {
        "code",
        "message",
        "options",
    }


def test_a_refused_file_does_not_stop_the_next(centre: Path) -> None:
    paths = [centre / "missing.csv", write(centre, "calls.csv", CALLS)]
    refused, landed = ingest.run(Viewer.SYSTEM, "contacts", paths)
    assert refused.refusal.code == "no_file" and landed.tally.new == 3


def test_the_same_file_again_is_recognised_and_a_copy_with_other_bytes_changes_nothing(
    centre: Path,
) -> None:
    bring(centre, "contacts", CALLS)
    before = find_facts()
    again = bring(centre, "contacts", CALLS)
    assert again.recognised and (again.tally.read, again.tally.new, again.tally.unchanged) == (
        3,
        0,
        3,
    )
    other = bring(centre, "contacts", CALLS.replace("\n", "\r\n"))
    assert not other.recognised and (
        other.tally.new,
        other.tally.updated,
        other.tally.unchanged,
    ) == (0, 0, 3)
    assert find_facts() == before


def test_other_reading_options_make_it_another_import(centre: Path) -> None:
    bring(centre, "contacts", CALLS)
    other = bring(centre, "contacts", CALLS, system="second")
    assert other.tally.new == 3 and len(find_contacts()) == 6


def test_the_newest_row_of_an_id_is_kept(centre: Path) -> None:
    report = bring(
        centre,
        "contacts",
        CALLS + "C1,2026-03-02 09:00:00,Diane,North,0612345601,answered,10,500,+33170000001\n",
    )
    assert (report.tally.read, report.tally.new, report.tally.duplicates) == (4, 3, 1)
    assert find_contacts("talk_seconds", where="contact_id = 'C1'") == [("C1", 500.0)]


def test_rows_without_an_id_stay_apart_and_keep_their_ids(centre: Path) -> None:
    rows = "2026-03-02 09:00:00,Diane,answered\n"
    text = "started_at,advisor,outcome\n" + rows * 3 + rows.replace("Diane", "Becky")
    assert bring(centre, "contacts", text).tally.new == 4
    # The same rows in another file: the same ids, whatever stands around them.
    longer = text + "2026-03-02 10:00:00,Diane,answered\n"
    report = bring(centre, "contacts", longer)
    assert (report.tally.new, report.tally.unchanged) == (1, 4)


def test_a_later_file_updates_only_what_it_carries(centre: Path) -> None:
    bring(centre, "contacts", CALLS)
    bring(centre, "surveys", SURVEYS)
    bring(
        centre,
        "contacts",
        "contact_id,started_at,direction,outcome\nC1,2026-03-02 09:00:00,outbound,answered\n",
    )
    report = bring(
        centre,
        "contacts",
        "contact_id,started_at,outcome,talk_seconds\nC1,2026-03-02 09:00:00,answered,300\n",
    )
    assert report.tally.updated == 1
    # No column says the direction any more: the default is for new contacts alone.
    assert find_contacts(
        "direction", "csat", "talk_seconds", "advisor_id", where="contact_id = 'C1'"
    ) == [("C1", "outbound", 5.0, 300.0, "Diane")]


def test_rejected_rows_stand_in_a_private_quarantine_without_identities(centre: Path) -> None:
    report = bring(
        centre, "contacts", CALLS + "C4,2026-13-45 09:00:00,Diane,North,0612345604,answered,10,1,\n"
    )
    assert (report.tally.new, report.tally.rejected) == (3, 1)
    assert report.quarantine.parent == centre / "quarantine"
    assert stat.S_IMODE(report.quarantine.stat().st_mode) == 0o600
    with report.quarantine.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (
        row["line"] == "5" and row["reason"] in report.tally.reasons and row["contact_id"] == "C4"
    )
    assert "0612345604" not in report.quarantine.read_text()


@pytest.mark.parametrize(
    "kind,text", [("contacts", CALLS), ("surveys", SURVEYS), ("tracking", TRACKING)]
)
def test_a_dry_run_says_the_same_and_writes_nothing(centre: Path, kind: str, text: str) -> None:
    bring(
        centre, "contacts", CALLS.splitlines(keepends=True)[0] + CALLS.splitlines(keepends=True)[1]
    )
    path = write(centre, "file.csv", text)
    before = find_files(centre)
    rehearsed = ingest.run(Viewer.SYSTEM, kind, [path], ImportOptions(dry_run=True))[0]
    month_sums.forget()  # what was counted on the way
    assert find_files(centre) == before
    landed = ingest.run(Viewer.SYSTEM, kind, [path])[0]
    assert rehearsed.tally.as_counts() == landed.tally.as_counts()


def test_a_dry_run_needs_no_store_and_makes_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QA_HOME", str(tmp_path / "nowhere"))
    for kind, text in (
        ("contacts", CALLS),
        ("surveys", SURVEYS),
        ("advisors", "advisor_id,name,team\nA1,Diane,North\n"),
    ):
        report = ingest.run(
            Viewer.SYSTEM, kind, [write(tmp_path, f"{kind}.csv", text)], ImportOptions(dry_run=True)
        )[0]
        assert report.tally.read and not report.is_refused
    assert not (tmp_path / "nowhere").exists()


def test_amounts_of_several_days_are_a_question_and_those_of_one_day_are_not(centre: Path) -> None:
    head = "Campaign name,Reporting starts,Reporting ends,Amount spent (EUR)\n"
    week = write(centre, "week.csv", head + "Spring,2026-03-02,2026-03-08,700\n")
    [asked] = ingest.run(Viewer.SYSTEM, "spend", [week], ImportOptions())
    assert describe_question(asked)["error"]["code"] == "spend_of_periods"

    report = bring(centre, "spend", head + "Spring,2026-03-02,2026-03-02,100\n")
    assert (report.tally.new, report.mapping["day"]) == (1, "Reporting starts")
    # Days were confirmed, not weeks.
    [asked] = ingest.run(Viewer.SYSTEM, "spend", [week], ImportOptions())
    assert describe_question(asked)["error"]["code"] == "spend_of_periods"


def test_amounts_of_months_are_refused_with_what_to_do(centre: Path) -> None:
    months = write(centre, "months.csv", "Month,Campaign,Cost\nJan 2026,Brand,1200\n")
    [refused] = ingest.run(Viewer.SYSTEM, "spend", [months], ImportOptions())
    assert refused.refusal.code == "spend_of_periods"
    assert "Export one row per day" in str(refused.refusal)

    rows = "".join(f"2026-0{month}-01,Brand,1000\n" for month in (1, 2, 3))
    firsts = write(centre, "firsts.csv", f"Day,Campaign,Cost\n{rows}")
    [asked] = ingest.run(Viewer.SYSTEM, "spend", [firsts], ImportOptions())
    assert describe_question(asked)["error"]["options"] == ["--map day=Day"]


@pytest.mark.parametrize(
    ("head", "first", "second"),
    [
        ("segments.date,campaign.name,metrics.cost_micros", 12_500_000, 8_000_000),
        ("Day,Campaign,Cost (cents)", 1250, 800),
        ("Day,Campaign,Cost (k€)", 0.0125, 0.008),
    ],
)
def test_parts_and_multiples_in_the_header_are_amounts(
    centre: Path, head: str, first: float, second: float
) -> None:
    rows = f"2026-03-16,Brand,{first}\n2026-03-17,Brand,{second}\n"
    bring(centre, "spend", f"{head}\n{rows}", decimal=".")
    with lake.working(others=["spend"]) as connection:
        amounts = connection.execute("SELECT amount FROM spend ORDER BY day").fetchall()
    assert amounts == [(12.5,), (8.0,)]


@pytest.mark.parametrize(
    "text",
    [
        "Tag;Kampagne;Kosten;Währung\n16.03.2026;Marke;1.008,50;EUR\n",
        "Día;Campaña;Coste (€)\n16/03/2026;Marke;1008,50\n",
        "Gregorian date,Campaign,Spend,Currency code\n3/16/2026,Marke,1008.50,EUR\n",
    ],
)
def test_costs_are_read_in_other_languages_too(centre: Path, text: str) -> None:
    bring(centre, "spend", text)
    with lake.working(others=["spend"]) as connection:
        spent = connection.execute("SELECT day, campaign, amount, currency FROM spend").fetchall()
    assert spent == [(date(2026, 3, 16), "Marke", 1008.5, "EUR")]


def test_the_time_to_abandon_is_the_wait_of_abandoned_contacts(centre: Path) -> None:
    calls = (
        "Call ID,Start time,Outcome,Speed of answer (s),Time to abandon (s)\n"
        "C1,2026-03-20 09:00:00,Answered,10,\nC2,2026-03-20 09:05:00,Abandoned,,3\n"
    )
    bring(centre, "contacts", calls)
    assert find_contacts("wait_seconds") == [("C1", 10.0), ("C2", 3.0)]


def test_a_word_for_nobody_is_no_advisor(centre: Path) -> None:
    calls = (
        "Call ID,Start time,Answered by,Talk time (s)\n"
        "C1,2026-03-20 09:00:00,Ann,60\nC2,2026-03-20 09:05:00,Not answered,0\n"
    )
    bring(centre, "contacts", calls)
    assert find_contacts("advisor_id") == [("C1", "Ann"), ("C2", None)]


def test_the_one_advisor_of_a_list_answered_the_call(centre: Path) -> None:
    calls = (
        '[{"id": "C1", "start_time": "2026-03-20T09:00:00Z", "outcome": "answered",'
        ' "users": [{"id": 7, "name": "Ann"}]},'
        ' {"id": "C2", "start_time": "2026-03-20T09:05:00Z", "outcome": "missed", "users": []}]'
    )
    bring(centre, "contacts", calls, name="calls.json")
    assert find_contacts("advisor_id") == [("C1", "Ann"), ("C2", None)]


def test_spend_of_the_same_day_and_campaign_is_added_up_and_replaced_by_a_later_file(
    centre: Path,
) -> None:
    head = "day,source,campaign,amount,currency\n"
    report = bring(
        centre,
        "spend",
        head + "2026-03-01,Google,Spring,10,EUR\n2026-03-01,Google,Spring,5,EUR\n2026-03-01,Bing,"
        "Spring,7,EUR\n",
    )
    assert (report.tally.read, report.tally.new, report.tally.folded) == (3, 2, 1)
    assert bring(
        centre, "spend", head + "2026-03-01,Bing,Spring,8,EUR\n2026-03-01,Google,Spring,15,EUR\n"
    ).tally.as_counts() | {"reasons": {}} == {
        **dict.fromkeys(("new", "duplicates", "rejected", "folded", "skipped"), 0),
        **{
            "read": 2,
            "updated": 1,
            "unchanged": 1,
            "folded_kinds": {},
            "skipped_kinds": {},
            "reasons": {},
            "blanked": {},
        },
    }
    assert sorted(row[4] for row in find_facts()) == ["Spring", "Spring"]


def test_a_mapping_is_saved_and_used_by_its_name(centre: Path) -> None:
    text = "ref;moment;who\nC1;02/03/2026 09:00;Diane\n"
    columns = {"contact_id": "ref", "started_at": "moment", "advisor": "who"}
    bring(centre, "contacts", text, columns=columns, date_order="dmy", save_mapping="old-tool")
    report = bring(centre, "contacts", text + "C2;03/03/2026 09:00;Diane\n", profile="old-tool")
    assert report.profile == "old-tool" and report.mapping["advisor"] == "who"
    assert [row[0] for row in find_contacts(where="source_system = 'old-tool'")] == ["C1", "C2"]


def test_two_imports_at_once_both_land_and_one_file_twice_counts_once(centre: Path) -> None:
    other = CALLS.replace("C1", "D1").replace("C2", "D2").replace("C3", "D3")
    paths = [
        write(centre, "a.csv", CALLS),
        write(centre, "b.csv", other),
        write(centre, "c.csv", CALLS),
    ]
    reports = []
    threads = [
        threading.Thread(
            target=lambda path=path: reports.extend(ingest.run(Viewer.SYSTEM, "contacts", [path]))
        )
        for path in paths
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [row[0] for row in find_contacts()] == ["C1", "C2", "C3", "D1", "D2", "D3"]
    assert sorted(report.tally.new for report in reports) == [0, 3, 3]
    with store.reading() as session:
        assert (
            session.scalar(
                sa.select(sa.func.count())
                .select_from(ImportBatch)
                .where(ImportBatch.state == "done")
            )
            == 2
        )


def test_only_who_may_import_can_and_it_is_journalled(centre: Path) -> None:
    path = write(centre, "calls.csv", CALLS)
    for role in Role:
        viewer = Viewer("someone", role)
        if role == Role.ADMIN:
            assert ingest.run(viewer, "contacts", [path])[0].tally.new == 3
            continue
        for call in (
            lambda viewer=viewer: ingest.run(viewer, "contacts", [path]),
            lambda viewer=viewer: ingest.find_batches(viewer),
            lambda viewer=viewer: ingest.undo(viewer, "x"),
        ):
            with pytest.raises(AccessDenied):
                call()
    with store.reading() as session:
        assert session.execute(sa.select(JournalRow.actor, JournalRow.action)).all() == [
            ("someone", "import")
        ]
        assert audit_log.verify(session).ok


def test_an_unknown_kind_is_wrong_usage(centre: Path) -> None:
    with pytest.raises(Misuse):
        ingest.run(Viewer.SYSTEM, "horoscopes", [])


def test_an_import_reports_its_progress_by_step(centre: Path) -> None:
    reports: list[tuple[str, float]] = []
    ingest.run(
        Viewer.SYSTEM,
        "contacts",
        [write(centre, "calls.csv", CALLS)],
        progress=lambda step, share: reports.append((step, share)),
    )
    assert {step for step, _share in reports} == {"Reading", "Writing"}
    assert all(0 <= share <= 1 for _step, share in reports)


def test_no_temporary_file_stays(centre: Path) -> None:
    bring(centre, "contacts", CALLS)
    bring(centre, "surveys", SURVEYS)
    assert find_waiting() == [("surveys", "C9")]
    assert list((centre / "tmp").iterdir()) == []


def test_who_hangs_up_waited_to_the_end_and_the_one_number_called_is_no_advisor(
    centre: Path,
) -> None:
    bring(
        centre,
        "contacts",
        "Call ID,Start time,Answered at,Ended at,Caller,Called\n"
        "C1,2026-03-20 09:00:00,2026-03-20 09:00:10,2026-03-20 09:01:50,+33612345601,4410\n"
        "C2,2026-03-20 09:10:00,,2026-03-20 09:10:30,+33612345602,4410\n"
        "C3,2026-03-20 09:20:00,2026-03-20 09:20:05,2026-03-20 09:21:50,+33612345603,4410\n",
    )
    assert find_contacts("wait_seconds", "advisor_id") == [
        ("C1", 10, None),
        ("C2", 30, None),
        ("C3", 5, None),
    ]
