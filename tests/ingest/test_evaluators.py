"""Imported evaluations have persons behind them: accounts whose role listens, or people whom
the data protection officer confirmed, each accredited on the day of the evaluation.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from builders.import_files import bring, run_confirmed, write
from builders.listening_centre import allow_evaluations

from qa_core import ingest
from qa_core.access.roles import Viewer
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.compliance.conditions import accreditations, evaluators, notices
from qa_core.compliance.rules.findings import RuleState
from qa_core.files.options import ImportOptions
from qa_core.ingest.staging.tally import ImportTally
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import Evaluation
from qa_core.upkeep import after_import, purge

HEADER = "contact_id,advisor,evaluator,evaluated_at,grid,score\n"
UNTIL = date(2026, 12, 31)


def row(number: int, evaluator: str, day: str = "2026-03-05", advisor: str = "Becky") -> str:
    return f"C{number},{advisor},{evaluator},{day} 10:00,Service,{60 + number}\n"


@pytest.fixture
def folder(start_from: Callable[..., Any], tmp_path: Path) -> Path:
    start_from(bring_calls, tmp_path)
    return tmp_path


def bring_calls(folder: Path) -> None:
    """Three contacts of Becky, who has an account too; nobody of the file is accredited."""
    calls = "".join(f"C{n},2026-03-0{n} 09:00,answered,Becky\n" for n in range(1, 7))
    bring(folder, "contacts", f"contact_id,started_at,outcome,advisor\n{calls}")
    allow_evaluations("Becky")


def find_stored() -> list[tuple[str, str, float]]:
    statement = sa.select(Evaluation.contact_id, Evaluation.evaluator, Evaluation.score)
    with store.reading() as session:
        query = Unscoped(statement.order_by(Evaluation.contact_id), "a test reads all")
        return [tuple(found) for found in session.execute(query)]


def bring_rows(folder: Path, *rows: str):
    return bring(folder, "evaluations", HEADER + "".join(rows))


def test_only_persons_known_to_the_centre_bring_evaluations(
    folder: Path, add_person: Callable[..., str]
) -> None:
    add_person("nora", "executive", display_name="Nora Weiss")
    add_person("becky", "advisor", advisor_id="Becky")
    report = bring_rows(
        folder,
        row(1, "Eve"),
        row(2, "speech-analytics"),
        row(3, "Nora Weiss"),
        row(4, "becky"),
        row(5, "Eve"),
        row(6, "eve"),
    )
    # An advisor's account listens to nobody but themselves.
    assert report.tally.reasons == {"unknown_evaluator": 1, "never_evaluates": 2}
    assert find_stored() == [("C1", "Eve", 61.0), ("C5", "Eve", 65.0), ("C6", "Eve", 66.0)]


def test_nobody_evaluates_their_own_contacts(folder: Path) -> None:
    evaluators.confirm(Viewer.SYSTEM, "Tilda", "listens for the agency")
    accreditations.accredit(Viewer.SYSTEM, "Tilda", UNTIL, (), date(2026, 1, 1), "history")
    bring(
        folder,
        "contacts",
        "contact_id,started_at,outcome,advisor\nT1,2026-03-02 08:00,answered,Tilda\n",
    )
    report = bring_rows(folder, row(1, "Tilda"), "T1,Tilda,Tilda,2026-03-05 10:00,Service,99\n")
    assert report.tally.reasons == {"own_evaluation": 1}
    assert find_stored() == [("C1", "Tilda", 61.0)]


def test_evaluations_from_before_an_accreditation_wait_and_come_in_with_it(folder: Path) -> None:
    evaluators.confirm(Viewer.SYSTEM, "Greta Ohm", "listened for the agency until May")
    report = bring_rows(
        folder, row(1, "greta ohm", "2026-03-05"), row(2, "Greta Ohm", "2026-04-05")
    )
    assert report.tally.skipped_kinds == {"before_accreditation": 2}
    assert (report.tally.read, report.tally.skipped, find_stored()) == (2, 2, [])
    with pytest.raises(Refusal) as refused:
        accreditations.accredit(Viewer.SYSTEM, "Greta Ohm", UNTIL, (), date(2026, 4, 1))
    assert refused.value.code == "no_reason"
    accreditations.accredit(Viewer.SYSTEM, "Greta Ohm", UNTIL, (), date(2026, 4, 1), "contract")
    after_import.do_due()
    assert find_stored() == [("C2", "Greta Ohm", 62.0)]
    again = bring_rows(folder, row(1, "greta ohm", "2026-03-05"), row(2, "Greta Ohm", "2026-04-05"))
    assert (again.tally.unchanged, again.tally.skipped_kinds) == (1, {"before_accreditation": 1})
    ingest.undo(Viewer.SYSTEM, report.batch_id)
    assert find_stored() == []


def test_an_evaluation_waits_for_its_contact_and_for_the_accreditation(folder: Path) -> None:
    evaluators.confirm(Viewer.SYSTEM, "Greta Ohm", "listened for the agency")
    report = bring_rows(folder, "L1,Becky,Greta Ohm,2026-03-05 10:00,Service,70\n")
    assert report.tally.skipped_kinds == {"unmatched": 1}
    late = "contact_id,started_at,outcome,advisor\nL1,2026-03-04 09:00,answered,Becky\n"
    bring(folder, "contacts", late)
    assert find_stored() == []
    accreditations.accredit(Viewer.SYSTEM, "Greta Ohm", UNTIL, (), date(2026, 3, 1), "contract")
    after_import.do_due()
    assert find_stored() == [("L1", "Greta Ohm", 70.0)]


def test_the_same_file_comes_in_once_the_advisor_is_informed(folder: Path) -> None:
    calls = "contact_id,started_at,outcome,advisor\nZ1,2026-03-04 09:00,answered,Zoe\n"
    bring(folder, "contacts", calls)
    path = write(folder, "e.csv", HEADER + row(1, "Eve") + row(9, "Eve").replace("C9,Becky", "Z1,"))

    def bring_again() -> ImportTally:
        return run_confirmed(Viewer.SYSTEM, "evaluations", [path], ImportOptions())[0].tally

    assert bring_again().reasons == {"advisor_not_informed": 1}
    assert [found[0] for found in find_stored()] == ["C1"]
    notices.inform(Viewer.SYSTEM, ["Zoe"], date(2026, 1, 5))
    again = bring_again()
    assert (again.new, again.unchanged, again.rejected) == (1, 1, 0)
    assert [found[0] for found in find_stored()] == ["C1", "Z1"]


def test_a_file_whose_evaluators_are_unknown_is_refused_with_the_command(folder: Path) -> None:
    path = write(folder, "e.csv", HEADER + row(1, "Nobody Here") + row(2, "Nobody Here"))
    [report] = ingest.run(Viewer.SYSTEM, "evaluations", [path], ImportOptions())
    assert report.is_refused
    assert "evaluators confirm NAME --reason R" in report.as_text()


@pytest.mark.parametrize(
    "text",
    [
        "contact_id,advisor,evaluator,evaluated_at,Greeting (/2),Emotion (/2)\n"
        "C1,Becky,Eve,2026-03-05 10:00,2,1\n",
        "contact_id,advisor,evaluator,evaluated_at,grid,criterion,points,possible\n"
        "C1,Becky,Eve,2026-03-05 10:00,Service,Stress du conseiller,1,2\n",
        "contact_id,advisor,evaluator,evaluated_at,grid,score,sentiment\n"
        "C1,Becky,Eve,2026-03-05 10:00,Service,80,0.4\n",
    ],
    ids=["wide", "long", "beside a score"],
)
def test_criteria_that_read_emotions_are_refused_by_name(folder: Path, text: str) -> None:
    path = write(folder, "emotions.csv", text)
    [report] = ingest.run(Viewer.SYSTEM, "evaluations", [path], ImportOptions())
    assert report.refusal.code == "emotion_criteria"
    assert any(
        name in report.as_text() for name in ("Emotion", "Stress du conseiller", "sentiment")
    )
    assert find_stored() == []


def test_programs_are_not_confirmed_and_only_the_officer_confirms(folder: Path) -> None:
    for name in ("speech-analytics", "Scoring Bot", "IA qualité"):
        with pytest.raises(Refusal) as refused:
            evaluators.confirm(Viewer.SYSTEM, name, "it scores every call")
        assert refused.value.code == "machine_evaluator"
    with pytest.raises(AccessDenied):
        evaluators.confirm(Viewer("mona", "manager"), "Greta Ohm", "known to me")


def test_rules_count_evaluations_of_nobody_and_of_emotions_that_are_stored(folder: Path) -> None:
    bring_rows(folder, row(1, "Eve"), row(2, "Eve"))

    def find_states() -> dict[str, RuleState]:
        verdicts = purge.judge_rules(Viewer.SYSTEM)
        return {verdict.rule.number: verdict.state for verdict in verdicts}

    assert find_states()["R18"] == RuleState.IN_ORDER
    with store.writing() as session:
        change = sa.update(Evaluation).where(Evaluation.contact_id == "C2")
        session.execute(Unscoped(change.values(evaluator="speech-analytics"), "as before"))
    assert find_states()["R18"] == RuleState.NOT_IN_ORDER
