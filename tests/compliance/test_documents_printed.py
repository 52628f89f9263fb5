"""Documents of the law: what they say is the configuration, in both languages and formats,
and the journal says who printed which version.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import docx
import pytest
from builders.centres import add_people, contact, evaluation, land
from builders.listening_centre import accredit, inform, keep_audio, open_gates
from builders.long_seeds import leave_to_long
from builders.sounds import make
from docx.oxml.ns import qn
from streamlit.testing.v1 import AppTest

from qa_core.access.roles import Permission, Role, Viewer, find_reach
from qa_core.base import environment
from qa_core.base.errors import AccessDenied
from qa_core.base.i18n import LANGUAGES
from qa_core.centre import settings
from qa_core.cli.app import run
from qa_core.compliance import audit_report
from qa_core.compliance.conditions import gates
from qa_core.compliance.documents import capabilities, printing
from qa_core.compliance.documents.blocks import Grid
from qa_core.compliance.recordings import playback_list
from qa_core.compliance.recordings.playback_list import OwnCounts
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.listening import Playback
from qa_core.storage.records.people import SignInThrottle
from qa_core.upkeep import purge, purge_certificate

SYSTEM = Viewer.SYSTEM
DETAILS = {
    "organisation_name": "Rives & <Fils>",
    "organisation_contact": "12 quai Perrache, Lyon",
    "dpo_contact": "dpo@rives.example",
    "processors": "none",
}


@pytest.fixture
def ready(centre: Path, add_person: Callable[..., str]) -> Path:
    """A centre in which nothing is missing."""
    open_gates()
    add_people({"a1": "Ann", "a2": "Bob"}, {"Blue": "Lyon"})
    land([contact("2026-10-20 09:00", "c1", advisor_id="a1", queue="Billing", channel="chat")])
    add_person("eve", "evaluator", display_name="Ève Łodz")
    accredit("eve")
    inform("a1")
    printing.enter_details(SYSTEM, DETAILS)
    return centre


def list_docx(content: bytes) -> Iterator[str]:
    """Every paragraph of a DOCX, those of its tables and its foot included."""
    word = docx.Document(io.BytesIO(content))
    for part in (word.element.body, word.sections[0].footer._element):
        for paragraph in part.iter(qn("w:p")):
            yield "".join(piece.text or "" for piece in paragraph.iter(qn("w:t")))


def read_docx(name: str, language: str = "en") -> str:
    return "\n".join(list_docx(printing.print_document(SYSTEM, name, language, "docx")))


def find_state(name: str) -> printing.DocumentState:
    return next(state for state in printing.find_all(SYSTEM) if state.kind.name == name)


SAID = {
    "register": {"en": "6 months", "fr": "6 mois"},
    "impact_assessment": {"en": "1 of 2 advisors", "fr": "1 sur 2 conseillers"},
    "caller_messages": {"en": "Welcome to Rives", "fr": "bienvenue chez Rives"},
    "caller_notice": {"en": "Recordings: 6 months at most", "fr": "6 mois au maximum"},
    "advisor_notice": {"en": "At most 10 contacts", "fr": "Au plus 10 contacts"},
    "works_council": {"en": "5 January 2026", "fr": "5 janvier 2026"},
}


def test_officer_and_administrators_alone_name_the_organisation(centre: Path) -> None:
    may = set()
    for role in Role:
        with store.writing() as session, contextlib.suppress(AccessDenied):
            settings.set_value(session, Viewer("somebody", role), "organisation_name", "Rives")
            may.add(role)

    assert may == {Role.DPO, Role.ADMIN}


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_document_opens_again_and_says_what_is_configured(ready: Path, language: str) -> None:
    for state in printing.find_all(SYSTEM):
        name = state.kind.name
        text = read_docx(name, language)
        assert SAID[name][language] in text.replace("\u202f", " ").replace("\u00a0", " ")
        assert "Rives & <Fils>" in text and state.digest in text and state.missing == ()
    assert "Ève Łodz" in read_docx("register", language)
    assert "Billing" in read_docx("register", language)


@pytest.mark.parametrize("language", leave_to_long(LANGUAGES, but=["fr"]))
def test_each_document_is_a_pdf_of_a_few_pages(ready: Path, language: str) -> None:
    for name in printing.BY_NAME:
        pdf = printing.print_document(SYSTEM, name, language, "pdf")
        assert pdf.startswith(b"%PDF-") and pdf.rstrip().endswith(b"%%EOF")
        assert len(re.findall(rb"/Type /Page\b", pdf)) in (1, 2, 3, 4)
        assert f"/Lang ({language})".encode() in pdf


def test_a_cell_longer_than_a_page_and_letters_without_a_glyph_are_printed(centre: Path) -> None:
    long = ", ".join(f"Queue no. {number} of Łódź ő 山" for number in range(600))
    pdf = printing.render("T", [Grid((), (("Queues", long),), (0.3, 0.7))], "pdf")

    assert len(re.findall(rb"/Type /Page\b", pdf)) > 2


def test_a_changed_gate_or_setting_changes_text_and_version(ready: Path) -> None:
    printing.print_document(SYSTEM, "advisor_notice", "fr", "pdf")
    before = {state.kind.name: state.digest for state in printing.find_all(SYSTEM)}
    assert not find_state("advisor_notice").is_outdated

    gates.set_gate(SYSTEM, "recording_retention_months", "3")
    with store.writing() as session:
        settings.set_value(session, SYSTEM, "listening_ceiling", "7")

    assert "At most 7 contacts" in read_docx("works_council")
    assert "Recordings are kept for 3 months" in read_docx("advisor_notice")
    assert find_state("advisor_notice").digest != before["advisor_notice"]
    assert find_state("register").digest != before["register"]
    assert find_state("register").printed is None


def test_a_document_printed_before_a_change_has_to_be_printed_again(ready: Path) -> None:
    printing.print_document(SYSTEM, "caller_messages", "fr", "pdf")
    gates.set_gate(SYSTEM, "purposes", "training")
    assert find_state("caller_messages").is_outdated

    printing.print_document(SYSTEM, "caller_messages", "en", "docx")
    state = find_state("caller_messages")
    assert not state.is_outdated and (state.printed.language, state.printed.form) == ("en", "docx")


def test_what_is_missing_is_a_marked_blank_and_is_listed(centre: Path) -> None:
    assert find_state("caller_notice").missing == (
        "Name of the organisation",
        "Address of the organisation",
        "Contact of the data protection officer",
        "Purposes",
        "Processors",
        "Recordings kept for (months)",
        "Evaluations kept for (months)",
    )
    assert "[to fill in: Name of the organisation]" in read_docx("caller_notice")
    assert "[à compléter" in read_docx("caller_notice", "fr")
    assert "Accredited listeners" in find_state("works_council").missing
    assert "Works council consulted on: Management consults" in read_docx("impact_assessment")


def test_the_key_to_refuse_is_part_of_the_spoken_message(ready: Path) -> None:
    assert "To object, tell the advisor" in read_docx("caller_messages")
    printing.enter_details(SYSTEM, {"refusal_key": "1"})
    assert "To object, press 1 or tell the advisor" in read_docx("caller_messages")


def test_the_works_council_reads_who_may_do_what(centre: Path) -> None:
    word = docx.Document(io.BytesIO(printing.print_document(SYSTEM, "works_council", "en", "docx")))
    head, *rows = [[cell.text for cell in row.cells] for row in word.tables[-1].rows]

    assert head == ["May", *ROLE_HEADS]
    assert {row[0]: row[1:] for row in rows} == {
        capabilities.PERMISSION_TITLES[permission]: [
            find_reach(role, permission) or "" for role in Role
        ]
        for permission in Permission
    }


ROLE_HEADS = (
    "Executive",
    "Manager",
    "Team lead",
    "Evaluator",
    "Advisor",
    "Data protection officer",
    "Administrator",
)


def test_the_command_line_prints_into_a_private_file_and_replaces_it(
    ready: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "r.DOCX"
    file.write_text("older")
    file.chmod(0o644)

    assert run(["documents", "print", "register", "--language", "fr", "--out", str(file)]) == 0
    assert "Registre des traitements" in "\n".join(list_docx(file.read_bytes()))
    assert file.stat().st_mode & 0o777 == 0o600
    assert run(["documents", "print", "caller_notice"]) == 0
    assert (tmp_path / "caller_notice.pdf").read_bytes().startswith(b"%PDF-")

    [newest, first] = audit_report.find_entries(SYSTEM, action="document_printed")
    assert (newest.object, newest.reason.split()[:2]) == ("caller_notice", ["en", "pdf"])
    assert first.reason == f"fr docx {find_state('register').digest}"
    capsys.readouterr()
    assert run(["documents", "list", "--json"]) == 0
    entries = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert set(entries) == set(printing.BY_NAME)
    assert entries["register"]["printed"]["language"] == "fr"
    assert entries["works_council"]["printed"] is None


LOGS = {"records.sqlite-wal", "records.sqlite-shm"}


def test_what_cannot_be_printed_is_refused_and_leaves_nothing(
    ready: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, said in (
        (["register", "--out", str(tmp_path / "r.odt")], ".pdf .docx"),
        (["register", "--out", str(tmp_path / "r")], ".pdf .docx"),
        (["gossip", "--out", str(tmp_path / "r.pdf")], "caller_notice"),
        (["register", "--language", "de", "--out", str(tmp_path / "r.pdf")], "en, fr"),
    ):
        assert run(["documents", "print", *arguments]) == 2
        assert said in capsys.readouterr().err
    assert {path.name for path in tmp_path.glob("r*")} <= {"records.sqlite", *LOGS}
    assert audit_report.find_entries(SYSTEM, action="document_printed") == []


def test_the_officer_names_the_organisation_and_prints_on_the_page(
    open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    add_person("dora", "dpo")
    app = open_app("dora", "listening_rules", section="documents")
    assert any("Name of the organisation" in text.value for text in app.caption)
    label = "Name of the organisation"
    next(field for field in app.text_input if field.label == label).set_value("Two Rivers")
    form = "document_details"
    next(button for button in app.button if button.form_id == form).click().run()

    assert not app.exception
    assert "Two Rivers" in read_docx("caller_messages")
    links = [link.proto.label for link in app.get("link_button")]
    assert [name.rpartition(" ")[2] for name in links][:2] == ["PDF", "DOCX"]


def test_a_certificate_of_deletion_is_a_file_too(centre: Path) -> None:
    with store.writing() as session:
        session.add(SignInThrottle(key="x", last_failure_at=now() - timedelta(days=60)))
    number = purge.purge(SYSTEM).certificate.number

    made = purge_certificate.build_file(SYSTEM, number, "docx")

    assert made.file_name == f"certificate-{number}.docx"
    text = "\n".join(list_docx(made.content))
    [certificate] = purge.find_certificates(SYSTEM)
    assert "Failed sign-ins" in text and certificate.signature in text and "genuine" in text
    assert purge_certificate.build_file(SYSTEM, number, "pdf").content.startswith(b"%PDF-")
    with pytest.raises(AccessDenied):
        purge_certificate.build_file(SYSTEM, number + 1, "pdf")


def test_an_advisor_reads_what_is_kept_of_them_and_of_nobody_else(
    ready: Path,
    tmp_path: Path,
    open_app: Callable[..., AppTest],
    add_person: Callable[..., str],
) -> None:
    yesterday = environment.to_local(now()).replace(tzinfo=None) - timedelta(days=1)
    keys = {"notice_played": True}
    land(
        [
            contact(yesterday, name, advisor_id=advisor, **keys)
            for name, advisor in {"n1": "a1", "n2": "a1", "n3": "a2"}.items()
        ],
        "second",
    )
    with store.one_import_at_a_time(), store.writing() as session:
        for name, advisor in {"n1": "a1", "n2": "a1", "n3": "a2"}.items():
            kept = keep_audio(session, name, make(tmp_path / f"{name}.wav"))
            for username, days in (("eve", 1), ("ann", 1), ("eve", 400)):
                session.add(
                    Playback(
                        recording_id=kept.id,
                        source_system="generic",
                        contact_id=name,
                        advisor_id=advisor,
                        username=username,
                        purpose="quality",
                        reason="r",
                        played_at=now() - timedelta(days=days),
                    )
                )
            of = contact(yesterday, name, advisor_id=advisor)
            session.add(evaluation(of, 80.0))
            session.add(evaluation(of, 70.0, state="draft"))
    add_person("ann", "advisor", advisor_id="a1")
    ann = Viewer("ann", Role.ADVISOR, advisor_id="a1")

    assert playback_list.count_own(ann) == OwnCounts(2, 2, 2)
    app = open_app("ann", "recording_and_rights")
    assert not app.exception
    assert [metric.value for metric in app.metric] == ["2", "2", "2"]
    said = "\n".join(text.value for text in app.markdown)
    assert "Ève Łodz" in said and "6 months" in said and "plaintes" in said
    assert "Sign" not in said
    with pytest.raises(AccessDenied):
        playback_list.count_own(Viewer("ann", Role.ADVISOR))
