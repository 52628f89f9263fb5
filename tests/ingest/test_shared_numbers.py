"""Numbers that are no customers, and numbers that are campaigns: shared callers
identify nobody, tracking numbers are assigned day by day.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from builders.import_files import bring, find_contacts, find_facts

from qa_core import ingest
from qa_core.access.roles import Viewer
from qa_core.cli.app import run
from qa_core.ingest.load import contacts
from qa_core.ingest.staging.pseudonyms import Pseudonyms
from qa_core.metrics import query
from qa_core.upkeep import subjects

SYSTEM = Viewer.SYSTEM
ASSIGNED = """tracking_number,source,medium,campaign,from,to
+33170000001,Google,cpc,Spring,2026-03-01,2026-03-15
+33170000001,Bing,cpc,Summer,2026-03-16,
0170000002,Flyer,,Shop,,2026-03-10
"""
CALLS = """contact_id,started_at,tracking_number,outcome
A,2026-03-15 23:59,01 70 00 00 01,answered
B,2026-03-16 00:00,+33170000001,answered
C,2026-02-28 12:00,+33170000001,answered
D,2026-03-10 12:00,+33170000002,answered
E,2026-03-11 12:00,+33170000002,answered
F,2026-03-05 12:00,,answered
"""
JOINED = [
    ("A", "Google", "Spring", "number"),
    ("B", "Bing", "Summer", "number"),
    ("C", None, None, None),
    ("D", "Flyer", "Shop", "number"),
    ("E", None, None, None),
    ("F", None, None, None),
]


def find_joined() -> list[tuple[str | None, ...]]:
    return find_contacts("source", "campaign", "tracking_match")


def call_often(
    times: int, day: str = "2026-03-02", customer: str = "0612345601", first: int = 0
) -> str:
    rows = (
        f"{day[8:]}-{customer[-2:]}-{number},{day} "
        f"{9 + number // 60:02d}:{number % 60:02d},{customer},answered\n"
        for number in range(first, first + times)
    )
    return "contact_id,started_at,customer,outcome\n" + "".join(rows)


def find_unknown() -> int:
    return len(find_contacts(where="customer_key IS NULL"))


def test_contacts_follow_the_campaign_of_their_number_on_their_day(
    centre: Path, tmp_path: Path
) -> None:
    bring(tmp_path, "contacts", CALLS)

    report = bring(tmp_path, "tracking", ASSIGNED)

    assert (report.tally.read, report.tally.new) == (3, 3)
    assert report.mapping == {
        name: name for name in ("tracking_number", "source", "medium", "campaign", "from", "to")
    }
    assert find_joined() == JOINED
    rows = query.measure(SYSTEM, ("received",), ("campaign",))
    assert dict(zip(rows["campaign"].fillna("–"), rows["value"], strict=True)) == {
        "Spring": 1,
        "Summer": 1,
        "Shop": 1,
        "–": 3,
    }


def test_assignments_wait_for_the_contacts_to_come(centre: Path, tmp_path: Path) -> None:
    bring(tmp_path, "tracking", ASSIGNED)

    bring(tmp_path, "contacts", CALLS)

    assert find_joined() == JOINED


def test_importing_assignments_twice_changes_nothing(centre: Path, tmp_path: Path) -> None:
    bring(tmp_path, "contacts", CALLS)
    bring(tmp_path, "tracking", ASSIGNED)
    facts = find_facts()

    report = bring(tmp_path, "tracking", ASSIGNED + "0170000002,Flyer,,Shop,,2026-03-10\n")
    again = bring(tmp_path, "contacts", CALLS + "\n")

    assert (report.tally.new, report.tally.unchanged, report.tally.duplicates) == (0, 3, 1)
    assert (again.tally.updated, again.tally.unchanged) == (0, 6)
    assert find_facts() == facts


def test_undoing_assignments_takes_the_campaigns_back_whatever_came_since(
    centre: Path, tmp_path: Path
) -> None:
    bring(tmp_path, "contacts", CALLS)
    facts = find_facts()
    report = bring(tmp_path, "tracking", ASSIGNED)
    bring(tmp_path, "surveys", "contact_id,csat\nA,5\n", scales={"csat": "1-5"})

    ingest.undo(SYSTEM, report.batch_id)

    assert [row for row in find_facts() if row[1] != "A"] == [row for row in facts if row[1] != "A"]
    assert find_contacts("campaign", "tracking_match", "csat", where="contact_id = 'A'") == [
        ("A", None, None, 5.0)
    ]


def test_what_a_call_itself_says_goes_over_its_number(centre: Path, tmp_path: Path) -> None:
    bring(tmp_path, "contacts", CALLS)
    bring(tmp_path, "tracking", ASSIGNED)

    bring(tmp_path, "tracking", "contact_id,source,campaign\nA,Radio,Morning\n")
    bring(
        tmp_path,
        "contacts",
        "contact_id,started_at,tracking_number,campaign\nB,2026-03-16 00:00,+33170000001,Own\n",
    )

    assert find_joined()[:2] == [("A", "Radio", "Morning", "id"), ("B", "Bing", "Own", None)]


def test_a_later_assignment_ends_the_one_before(centre: Path, tmp_path: Path) -> None:
    bring(tmp_path, "contacts", CALLS)

    bring(
        tmp_path,
        "tracking",
        "tracking_number,campaign,from\n0170000001,First,2026-02-01\n0170000001,Second,"
        "2026-03-16\n",
    )

    assert [row[2] for row in find_joined()[:3]] == ["First", "Second", "First"]


def test_assignments_are_told_from_calls(centre: Path, tmp_path: Path) -> None:
    bring(tmp_path, "contacts", CALLS)

    french = bring(
        tmp_path,
        "tracking",
        "Numéro de suivi;Campagne;Date de création;Date début;Date "
        "fin\n0170000001;Printemps;01/02/2026;01/03/2026;20/03/2026\n",
        date_order="dmy",
    )
    calls = bring(
        tmp_path,
        "tracking",
        "tracking_number,started_at,from,to,campaign\n+33170000002,2026-03-10 "
        "12:00:05,0612345678,0170000002,Call\n",
    )

    assert french.mapping["from"] == "Date début" and french.tally.new == 1
    assert calls.mapping["customer"] == "from" and calls.tally.updated == 1
    assert find_contacts("campaign", "tracking_match", where="contact_id IN ('A', 'D')") == [
        ("A", "Printemps", "number"),
        ("D", "Call", "number_and_time"),
    ]


def test_rows_without_a_number_or_that_end_before_they_begin_are_rejected(
    centre: Path, tmp_path: Path
) -> None:
    report = bring(
        tmp_path,
        "tracking",
        "tracking_number,campaign,from,to\n,A,2026-03-01,2026-03-02\n0170000001,B,2026-03-02,"
        "2026-03-01\n"
        + "".join(f"0170000001,C,2026-03-{day:02d},2026-03-{day:02d}\n" for day in range(2, 12)),
    )

    assert report.tally.reasons == {"ends_before_start": 1, "missing_key": 1}
    assert report.tally.new == 10


def test_a_dry_run_of_assignments_writes_nothing(centre: Path, tmp_path: Path) -> None:
    bring(tmp_path, "contacts", CALLS)
    facts = find_facts()

    report = bring(tmp_path, "tracking", ASSIGNED, dry_run=True)

    assert report.tally.new == 3
    assert find_facts() == facts
    assert bring(tmp_path, "tracking", ASSIGNED).tally.new == 3


@pytest.mark.parametrize(("times", "unknown"), [(20, 0), (21, 21)])
def test_a_number_with_more_contacts_a_day_than_the_setting_identifies_nobody(
    centre: Path, tmp_path: Path, times: int, unknown: int
) -> None:
    report = bring(tmp_path, "contacts", call_often(times))

    assert find_unknown() == unknown
    said = [
        dict(item.params) for item in report.decisions if item.decision.startswith("shared numbers")
    ]
    assert said == ([{"distinct": 1, "seen": 21}] if unknown else [])


def test_a_shared_number_is_shared_on_its_quiet_days_too_and_others_are_not(
    centre: Path, tmp_path: Path
) -> None:
    text = (
        call_often(21)
        + call_often(1, "2026-03-09").split("\n", 1)[1]
        + call_often(2, customer="0612345602").split("\n", 1)[1]
    )

    bring(tmp_path, "contacts", text)

    assert find_unknown() == 22
    assert len(find_contacts(where="customer_key IS NOT NULL")) == 2


def test_contacts_of_several_files_are_counted_together_and_all_follow(
    centre: Path, tmp_path: Path
) -> None:
    bring(tmp_path, "contacts", call_often(15))
    before = find_facts()
    assert find_unknown() == 0

    second = bring(tmp_path, "contacts", call_often(6, first=15))
    assert find_unknown() == 21
    assert find_contacts(where="seconds_to_next IS NOT NULL") == []
    bring(tmp_path, "contacts", call_often(1, "2026-03-04"))
    assert find_unknown() == 22

    again = bring(tmp_path, "contacts", call_often(15) + "\n")
    assert (again.tally.updated, again.tally.unchanged) == (0, 15)
    ingest.undo(SYSTEM, second.batch_id)
    assert [
        row for row in find_facts() if not row[1].startswith("04") and row[1] != "02-01-14"
    ] == [row for row in before if row[1] != "02-01-14"]
    assert find_unknown() == 0


def test_changing_the_setting_changes_the_past(centre: Path, tmp_path: Path) -> None:
    bring(tmp_path, "contacts", call_often(21))
    assert find_unknown() == 21

    assert run(["settings", "set", "shared_number_contacts_a_day=30"]) == 0
    assert find_unknown() == 0
    assert len(find_contacts(where="seconds_to_next IS NOT NULL")) == 20
    assert run(["settings", "set", "shared_number_contacts_a_day=10", "--from", "2026-03-03"]) == 0
    assert find_unknown() == 0
    assert run(["settings", "set", "shared_number_contacts_a_day=10", "--from", "2026-03-02"]) == 0
    assert find_unknown() == 21


@pytest.mark.parametrize("few_rows", [contacts.MAX_LOOKUPS, 0])
def test_a_number_is_a_customer_again_when_a_file_gives_its_calls_to_others(
    centre: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few_rows: int
) -> None:
    monkeypatch.setattr(contacts, "MAX_LOOKUPS", few_rows)
    assert run(["settings", "set", "shared_number_contacts_a_day=5"]) == 0
    head, *rows = call_often(6).splitlines()
    bring(tmp_path, "contacts", "\n".join([head, *rows]) + "\n")
    assert find_unknown() == 6

    others = [row.replace("0612345601", f"061234561{n}") for n, row in enumerate(rows[:3])]
    bring(tmp_path, "contacts", "\n".join([head, *others]) + "\n")

    assert find_unknown() == 0


def test_a_file_with_advisors_makes_a_number_of_stored_contacts_shared(
    centre: Path, tmp_path: Path
) -> None:
    assert run(["settings", "set", "shared_number_contacts_a_day=5"]) == 0
    head, *rows = call_often(8).splitlines()
    for some in (rows[:4], rows[4:]):
        lines = [f"{head},advisor", *(f"{row},Anna" for row in some)]
        bring(tmp_path, "contacts", "\n".join(lines) + "\n")

    assert find_unknown() == 8


def test_a_file_whose_only_row_is_rejected_imports_nothing(centre: Path) -> None:
    bring(centre, "contacts", "contact_id,started_at,customer\na,2026-03-02T09:00:00,0612345678\n")

    report = bring(centre, "contacts", "contact_id,started_at,customer\nb,2026-13-32,0612345678\n")

    assert (report.tally.read, report.tally.new, report.tally.rejected) == (1, 0, 1)


def test_an_objection_holds_for_a_shared_number_and_when_it_is_a_customer_again(
    centre: Path, tmp_path: Path
) -> None:
    number = Pseudonyms.current().find_key("0612345601")
    bring(tmp_path, "contacts", call_often(21))
    subjects.object_to(SYSTEM, [number])
    assert len(find_contacts(where="customer_objected")) == 21

    assert run(["settings", "set", "shared_number_contacts_a_day=30"]) == 0

    assert len(find_contacts(where="customer_objected")) == 21


def test_where_the_caller_is_withheld_the_number_called_is_no_customer(
    centre: Path, tmp_path: Path
) -> None:
    """Of four calls, one withholds its number; a call made goes to the customer."""
    bring(
        tmp_path,
        "contacts",
        "call_id,started_at,direction,from,to,outcome\n"
        "A,2026-03-02 09:00,inbound,0612345601,0180000000,answered\n"
        "B,2026-03-02 09:10,inbound,,0180000000,answered\n"
        "C,2026-03-02 09:20,inbound,anonymous,0180000000,missed\n"
        "D,2026-03-02 09:30,outbound,0180000000,0612345601,answered\n",
    )

    known = find_contacts("customer_key", where="customer_key IS NOT NULL")

    assert [row[0] for row in known] == ["A", "D"]
    assert len({row[1] for row in known}) == 1
    assert find_unknown() == 2


def test_calls_that_all_go_out_by_an_option_are_of_the_number_called(
    centre: Path, tmp_path: Path
) -> None:
    rows = "".join(f"2026-03-02 09:{n},0180000000,06123456{n},answered\n" for n in range(10, 40))
    text = "started_at,from,to,outcome\n" + rows
    bring(tmp_path, "contacts", text, only={"direction": "outbound"})
    assert (len(find_contacts()), find_unknown()) == (30, 0)
