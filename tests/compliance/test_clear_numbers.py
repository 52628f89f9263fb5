"""A caller's number in a cell where nobody looks for one: it is kept nowhere in clear."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from builders.centres import contact, land
from builders.erasure import find_traces
from builders.import_files import bring, find_contacts, run_confirmed
from builders.listening_centre import accredit, open_gates
from builders.sounds import make

from qa_core.access.roles import Viewer
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


def test_a_contact_of_before_keeps_its_id_and_comes_no_second_time(
    centre: Path, sent: Path
) -> None:
    land([contact(datetime(2026, 11, 19, 10), ID)])
    bring(sent, "contacts", CALLS)
    assert [number for (number,) in find_contacts()] == [ID, "B2"]
    assert [found["contact_id"] for found in contacts.find_by_id(SYSTEM, ID)] == [ID]
    assert subjects.read_contacts([f"generic/{ID}", "B2"]) == [("generic", ID), (None, "B2")]
