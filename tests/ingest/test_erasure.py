"""A customer who is erased: no file of the stores holds their key any more, and nobody
else's contacts are touched.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from builders.erasure import ANN, BOB, CALLS, find_traces, forget
from builders.import_files import bring, find_contacts, find_waiting
from builders.long_seeds import leave_to_long

from qa_core.access.roles import Role, Viewer
from qa_core.base import environment
from qa_core.base.errors import AccessDenied
from qa_core.centre.settings import set_value
from qa_core.ingest.staging.pseudonyms import Pseudonyms
from qa_core.ingest.watch.queue_log import Follower
from qa_core.quality.evaluations.imports import EvaluationImporter, ImportedEvaluation
from qa_core.storage import replay_list
from qa_core.storage.facts.personal_data import CUSTOMER, ColumnContent, find_columns
from qa_core.storage.facts.schema import CONTACTS
from qa_core.storage.lake import maintenance
from qa_core.storage.records import store
from qa_core.storage.records.imports import ImportBatch
from qa_core.upkeep import erasure

QUEUE_LOG = f"""{{at}}|1.1|600|NONE|ENTERQUEUE||{ANN}|1
{{at}}|1.2|600|NONE|ENTERQUEUE||{BOB}|2
"""


@pytest.fixture
def ann(centre: Path) -> str:
    return Pseudonyms.current().find_key(ANN)


def test_no_file_holds_the_key_of_an_erased_customer(
    centre: Path, ann: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(centre, "contacts", CALLS)
    bring(centre, "contacts", CALLS.replace("Sales", "Help"))
    bring(
        centre,
        "surveys",
        f"customer,answered_at,csat,comment\n{ANN},2026-07-01 12:00:00,1,my "
        f"story\n{BOB},2026-07-01 12:00:00,4,fine\n",
    )
    bring(
        centre,
        "surveys",
        "ticket,answered_at,comment\nT1,2026-03-02 08:00:00,about mine\nT8,2026-03-02 "
        "08:00:00,another\n",
    )
    for path in centre.glob("*.csv"):
        path.unlink()  # what was delivered is not ours
    assert [place.split("/")[0] for place in find_traces(centre, ann)].count("lake") >= 3
    erased = forget(ann, monkeypatch)
    assert (erased["contacts"], erased["rows"]) == (2, 1)
    assert find_traces(centre, ann) == []
    assert find_contacts("queue") == [("C2", "Help")]
    assert len(find_waiting()) == 2, "Bob's, and one of a ticket that nobody knows"
    assert set(forget(ann, monkeypatch).values()) == {0}


def test_a_survey_that_joined_leaves_nothing_of_what_the_customer_wrote(
    centre: Path, ann: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(
        centre,
        "surveys",
        "ticket,answered_at,comment\nT1,2026-03-02 12:00:00,my unmistakable story\n",
    )
    bring(centre, "contacts", CALLS)
    for path in centre.glob("*.csv"):
        path.unlink()
    assert find_contacts("survey_comment", where="contact_id = 'C1'") == [
        ("C1", "my unmistakable story")
    ]
    assert forget(ann, monkeypatch)["rows"] == 1
    assert find_traces(centre, "unmistakable") == []


def test_the_key_of_a_shared_number_goes_and_its_contacts_stay(
    centre: Path, ann: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(centre, "contacts", CALLS)
    with store.writing() as session:
        set_value(session, Viewer.SYSTEM, "shared_number_contacts_a_day", "2")
    busy = "".join(
        f"S{number},,2026-04-02 09:{number:02}:00,{ANN},answered,Sales\n" for number in range(3)
    )
    bring(centre, "contacts", CALLS.splitlines()[0] + "\n" + busy)
    for path in centre.glob("*.csv"):
        path.unlink()
    assert find_contacts(
        "customer_key", "given_customer_key", where="contact_id IN ('C1', 'S0')"
    ) == [("C1", None, ann), ("S0", None, ann)]
    assert forget(ann, monkeypatch)["contacts"] == 5
    assert find_traces(centre, ann) == []
    assert find_contacts("given_customer_key") == [
        ("C1", None),
        ("C2", None),
        ("C3", None),
        ("S0", None),
        ("S1", None),
        ("S2", None),
    ]


def test_a_call_in_progress_goes_on_without_its_customer(
    centre: Path, ann: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    log = centre / "asterisk" / "queue_log"
    log.parent.mkdir()
    log.write_text(QUEUE_LOG.format(at=int(time.time()) - 5))
    follower = Follower(Viewer.SYSTEM, log)
    list(follower.catch_up())
    log.write_text(log.read_text() + f"{int(time.time())}|1.3|600|NONE|ENTERQUEUE||{BOB}|1\n")
    kept = next((centre / "watching").glob("*.parquet"))
    assert ann in pq.read_table(kept)["customer_key"].to_pylist()
    assert forget(ann, monkeypatch)["events"] >= 1
    list(follower.catch_up())
    assert ann not in pq.read_table(kept)["customer_key"].to_pylist()
    assert len(set(pq.read_table(kept)["callid"].to_pylist())) == 3


def test_who_is_erased_while_a_piece_of_a_log_is_imported_stays_erased(
    centre: Path, ann: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    log = centre / "asterisk" / "queue_log"
    log.parent.mkdir()
    at = int(time.time())
    log.write_text(QUEUE_LOG.format(at=at - 20))
    follower = Follower(Viewer.SYSTEM, log)
    list(follower.catch_up())
    kept = next((centre / "watching").glob("*.parquet"))
    call = f"{at - 9}|1.9|600|NONE|ENTERQUEUE||{BOB}|1\n{at - 8}|1.9|600|Bo|CONNECT|1|x|1\n"
    log.write_text(f"{log.read_text()}{call}{at - 7}|1.9|600|Bo|COMPLETECALLER|1|1|1\n")
    steps = follower.catch_up()
    next(steps)
    assert forget(ann, monkeypatch)["events"] >= 1
    list(steps)
    assert ann not in pq.read_table(kept)["customer_key"].to_pylist()


def test_backups_kept_for_longer_make_the_list_of_the_erased_no_older(
    centre: Path, ann: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(centre, "contacts", CALLS)
    forget(ann, monkeypatch)
    replay_list.add("objection", "lifted with its backups")
    now, day = environment.now(), timedelta(days=1)
    replay_list.forget_before(now, now - 390 * day)
    oldest = min(entry.at for entry in replay_list.find().entries)
    replay_list.forget_before(oldest + timedelta(microseconds=1), now - 390 * day)

    assert replay_list.find().complete_since == now


SAID = "unmistakable"
FIELDS = {"survey_comment": "comment", "keyword": "keyword", "landing_page": "landing_page"}
"""Headers of the columns that hold words of a customer, by column."""


@pytest.mark.parametrize("is_contact_first", leave_to_long([True, False], but=[True]))
def test_what_an_erased_customer_said_comes_with_no_later_file(
    centre: Path, ann: str, monkeypatch: pytest.MonkeyPatch, is_contact_first: bool
) -> None:
    texts = find_columns(CONTACTS, ColumnContent.TEXT, CUSTOMER)
    assert set(texts) == set(FIELDS), "bring each of them with the files below"
    bring(centre, "contacts", CALLS)
    forget(ann, monkeypatch)
    # As the purge does where backups are kept for a short time.
    now = environment.now()
    replay_list.forget_before(now, now - timedelta(days=390))
    head, first, *_others = CALLS.splitlines()
    said = ",".join([SAID] * len(texts))
    files = {
        "contacts": f"{head},{','.join(texts)}\n{first},{said}\n",
        "surveys": f"contact_id,ticket,customer,answered_at,csat,comment\n"
        f"C1,,,2026-03-02 12:00:00,4,{SAID}\n,T3,,2026-03-06 12:00:00,4,{SAID}\n"
        f",,{ANN},2026-03-02 13:00:00,5,{SAID}\n",
        "tracking": f"contact_id,source,keyword,landing_page\nC1,web,{SAID},{SAID}\n",
    }
    kinds = list(files) if is_contact_first else reversed(files)
    for kind in kinds:
        bring(centre, kind, files[kind])
    with store.writing() as session:
        batch = session.scalars(sa.select(ImportBatch.id)).first()
        at = datetime(2026, 3, 3, 9, tzinfo=UTC)
        of_contact = {"source_system": "generic", "contact_id": "C1", "score": 80.0}
        spoken = {"comment": SAID, "tags": (SAID,)}
        item = ImportedEvaluation("k", at.date(), at, **of_contact, **spoken)
        EvaluationImporter(session, batch, [item]).import_one(item)
    for path in centre.glob("*.csv"):
        path.unlink()
    assert find_traces(centre, SAID) == find_traces(centre, ann) == []
    csat = find_contacts("csat", "customer_key", where="contact_id = 'C1'")
    assert csat == [("C1", 4.0, None)], "it counts, without its customer"


def test_contacts_from_before_an_erasure_do_not_name_the_advisor_again(
    centre: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = (
        "contact_id,started_at,advisor,outcome\nC1,2026-03-02 09:00:00,Diane Roux,answered\n"
        "C2,2026-03-02 09:05:00,Becky Lane,answered\n"
    )
    bring(centre, "contacts", calls)
    monkeypatch.setattr(maintenance, "READER_SECONDS", 0)
    erasure.erase(Viewer.SYSTEM, "advisor", "Diane Roux")
    bring(centre, "contacts", f"{calls}C3,2026-03-02 09:10:00,Diane  ROUX,answered\n")
    for path in centre.glob("*.csv"):
        path.unlink()
    assert find_traces(centre, "Diane") == []
    assert find_contacts("advisor_id") == [("C1", None), ("C2", "Becky Lane"), ("C3", None)]
    later = (environment.now() + timedelta(minutes=1)).astimezone(ZoneInfo("Europe/Paris"))
    bring(centre, "contacts", f"{calls}C4,{later:%Y-%m-%d %H:%M:%S},Diane Roux,answered\n")
    names = dict(find_contacts("advisor_id"))
    assert names["C4"] == "Diane Roux", "who works here again is named again"


def test_nobody_who_is_signed_in_erases_by_themselves(centre: Path, ann: str) -> None:
    with pytest.raises(AccessDenied):
        erasure.erase(Viewer("adam", Role.ADMIN), "customer", ann)
