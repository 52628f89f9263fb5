"""A customer who is erased: no file of the stores holds their key any more, and nobody
else's contacts are touched.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from builders.erasure import ANN, BOB, CALLS, find_traces, forget
from builders.import_files import bring, find_contacts, find_waiting

from qa_core.access.roles import Role, Viewer
from qa_core.base.errors import AccessDenied
from qa_core.centre.settings import set_value
from qa_core.ingest.staging.pseudonyms import Pseudonyms
from qa_core.ingest.watch.queue_log import Follower
from qa_core.storage.records import store
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


def test_nobody_who_is_signed_in_erases_by_themselves(centre: Path, ann: str) -> None:
    with pytest.raises(AccessDenied):
        erasure.erase(Viewer("adam", Role.ADMIN), "customer", ann)
