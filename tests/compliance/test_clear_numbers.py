"""A caller's number in a cell where nobody looks for one: it is kept nowhere in clear."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from builders.erasure import find_traces
from builders.import_files import bring, find_contacts, run_confirmed
from builders.listening_centre import accredit, open_gates
from builders.sounds import make

from qa_core.access.roles import Viewer
from qa_core.base import masking
from qa_core.cli.app import run
from qa_core.files.options import ImportOptions
from qa_core.metrics.law.centre_counts import count_customer_keys
from qa_core.metrics.rows import contacts
from qa_core.storage.records import store
from qa_core.storage.records.imports import ImportBatch
from qa_core.upkeep import subjects

SYSTEM = Viewer.SYSTEM
ID = "20261119-100000-0612345678"
CALLS = f"""contact_id,started_at,customer,outcome,ticket,reason,keyword,landing_page,wait_seconds
{ID},2026-11-19 10:00,0612345678,answered,+33612345678,on 06 12 34 56 78,x 0612345678,{{}},1
B2,2026-11-19 11:00,0612345679,answered,T-2,Billing,shoes,/p/20261119100000,1
B3,never,0612345679,answered,tel 0612345678,ask ann@x.fr,shoes,/p,1
""".format("/p?t=0612345678&m=ann%40x.fr")
SURVEYS = f"contact_id,answered_at,csat,scale\n{ID},2026-11-19 12:00,4,1-5\n"
CLEAR = ("0612345678", "612345678", "06 12 34 56 78", "ann@x.fr", "ann%40x.fr")


@pytest.fixture
def sent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sent")


def find_clear(home: Path) -> list[str]:
    return [f"{text} in {name}" for text in CLEAR for name in find_traces(home, text)]


def test_numbers_inside_ids_and_texts_are_kept_nowhere(
    centre: Path, sent: Path, add_person: Callable[..., str]
) -> None:
    path = sent / "export ann@x.fr 0612345678.csv"
    path.write_text(CALLS, encoding="utf-8")
    [report] = run_confirmed(SYSTEM, "contacts", [path])
    assert (report.tally.new, report.tally.rejected) == (2, 1)
    bring(sent, "surveys", SURVEYS)

    assert find_clear(centre) == []
    [[keyed]] = find_contacts(where="csat = 4")
    assert keyed.startswith("20261119-100000-n")
    texts = find_contacts("reason", "keyword", "landing_page", "ticket", where="contact_id = 'B2'")
    assert texts == [("B2", "Billing", "shoes", "/p/20261119100000", "T-2")]
    with store.reading() as session:
        assert "export ••• •••.csv" in session.scalars(sa.select(ImportBatch.file_name)).all()
    assert count_customer_keys(SYSTEM) == (2, 0)

    # Everybody who knows the id of the tool finds the contact, and acts on it.
    assert [found["contact_id"] for found in contacts.find_by_id(SYSTEM, ID)] == [keyed]
    audio = make(sent / f"{ID}.wav")
    add_person("eve", "evaluator")
    open_gates()
    accredit("eve")
    options = ImportOptions(purpose="quality", columns={}, pattern="{contact_id}")
    bring(sent, "contacts", f"contact_id,started_at,notice_played\n{ID},2026-11-19 10:00,yes\n")
    [report] = run_confirmed(SYSTEM, "recordings", [audio], options)
    assert report.tally.new == 1, report.tally
    assert subjects.delete_audio(SYSTEM, subjects.read_contacts([ID]), "asked").kinds
    assert run(["objections", "add", "--contact", f"generic/{ID}"]) == 0
    assert find_contacts(where="customer_objected") == [(keyed,)]
    assert find_clear(centre) == []


QUEUES = """contact_id,started_at,customer,queue
Q1,2026-11-19 10:00,0612345678,0612345678
Q2,2026-11-19 10:01,06 12 34 56 78,Back to +33612345678
Q3,2026-11-19 10:02,ann@x.fr,ann@x.fr
Q4,2026-11-19 10:03,0612345678,0144556677
Q5,2026-11-19 10:04,,0612345678
m-ann@x.fr-1,2026-11-19 10:05,ann@x.fr,care@shop.fr
"""


def test_a_queue_that_is_the_callers_own_number_is_masked_and_a_line_is_not(
    centre: Path, sent: Path
) -> None:
    """Addresses in ids stay, since Call-IDs look like them: the reading says so."""
    (sent / "q.csv").write_text(QUEUES, encoding="utf-8")
    [report] = run_confirmed(SYSTEM, "contacts", [sent / "q.csv"])
    found = dict(find_contacts("queue"))
    assert found == {
        "Q1": "•••",
        "Q2": "Back to •••",
        "Q3": "•••",
        "Q4": "0144556677",
        "Q5": "0612345678",
        "m-ann@x.fr-1": "care@shop.fr",
    }
    [note] = [item for item in report.decisions if item.field == "contact_id"]
    assert note.decision.startswith("e-mail addresses in ids stay")


@pytest.mark.parametrize(
    ("text", "length"),
    [("out-0612345678_0123456789", 31), (f"{ID}@2026-11-19", 40), ("+33 6 12 34 56 78", 13)],
)
def test_an_id_is_keyed_once_with_all_its_numbers_and_its_day(text: str, length: int) -> None:
    keyed = masking.key_number(text, b"key")
    assert not masking.has_number(keyed)
    assert (len(keyed), keyed[-11:] == "@2026-11-19") == (length, "@" in text)
    assert masking.key_number(keyed, b"key") == keyed
    assert masking.key_number(f"{ID}@2026-11-19") == masking.key_number(ID) + "@2026-11-19"


@pytest.mark.parametrize(
    "text",
    ["06 12 34 56 78", "06.12.34.56.78", "+33 6 12 34 56 78", "0033612345678", "a_0612345678_b"],
)
def test_a_number_is_found_inside_of_a_text(text: str) -> None:
    assert masking.MASK in masking.mask_inside(f"on {text}, please")


@pytest.mark.parametrize(
    "text",
    ["pbx-01 2026-11-30", "07-20261130-091500", "1732441234.56", "/p/20261119100000", "T0012"],
)
def test_days_and_other_numbers_are_no_telephone_numbers(text: str) -> None:
    assert masking.mask_inside(text) == text == masking.key_number(text)
