"""The page Find: what each role finds, and that nothing beyond their scope is found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from builders.centres import add_people, close_month, contact, land
from builders.shown_texts import as_read, text_of
from streamlit.testing.v1 import AppTest

from qa_core.access.roles import Role, Viewer
from qa_core.compliance import audit_report

Search = Callable[[str, str], tuple[list[str], str]]


@pytest.fixture
def search(
    start_from: Callable[..., Any],
    open_app: Callable[..., AppTest],
    add_person: Callable[..., str],
) -> Search:
    """A search in the centre of `build_two_teams` returns the links and all texts."""
    start_from(build_two_teams, add_person)

    def find(username: str, text: str) -> tuple[list[str], str]:
        app = open_app(username, "find")
        app.text_input(key="find_text").set_value(text).run()
        assert not app.exception and not app.error
        links = [as_read(link.proto.label) for link in app.main.get("page_link")]
        return links, text_of(app)

    return find


def build_two_teams(add_person: Callable[..., str]) -> None:
    """Blue with Ann and Amélie, Red with Anita; October is published."""
    names = {"a1": "Ann Martin", "a2": "Amélie Duval", "a3": "Anita Martel"}
    add_people(names, {"Blue": "Lyon", "Red": "Nice"})
    add_person("lea", "team_lead", teams=("Blue",))
    add_person("rex", "executive")
    add_person("ann", "advisor", advisor_id="a1")
    add_person("dora", "dpo")
    add_person("eve", "evaluator")
    land(
        [
            contact("2026-10-20 09:00", "T1", advisor_id="a1", team="Blue", queue="Billing"),
            contact("2026-10-20 10:00", "T2", advisor_id="a2", team="Blue"),
            contact("2026-10-20 11:00", "T3", advisor_id="a3", team="Red", queue="Secret"),
        ]
    )
    close_month("2026-10")


def count_reads(username: str) -> int:
    entries = audit_report.find_entries(Viewer("dora", Role.DPO), action="contacts_read")
    return sum(entry.actor == username for entry in entries)


def test_a_lead_finds_the_own_advisors_and_nothing_of_another_team(search: Search) -> None:
    assert search("lea", "martin")[0] == ["Ann Martin"]
    assert search("lea", "amelie")[0] == ["Amélie Duval"]
    assert search("lea", "duval am")[0] == ["Amélie Duval"]
    for foreign in ("anita", "martel", "a3", "red"):
        links, said = search("lea", foreign)
        assert links == [] and "Anita" not in said and "Nothing found for" in said


def test_a_contact_is_found_by_its_id_within_scope_and_the_search_is_noted(search: Search) -> None:
    links, said = search("lea", "T1")
    assert links == ["T1"] and "Billing" in said
    assert count_reads("lea") == 1

    links, said = search("lea", "T3")
    assert links == [] and "Secret" not in said and "Nothing found for" in said
    # In other words than for one that does not exist, it would be a hint.
    assert said.replace("T3", "T9") == search("lea", "T9")[1]
    assert count_reads("lea") == 1


def test_an_advisor_finds_own_contacts_and_no_colleague(search: Search) -> None:
    assert search("ann", "T1")[0] == ["T1"]
    for foreign in ("T2", "T3", "amelie", "martin"):
        assert search("ann", foreign)[0] == []
    assert "My quality" in search("ann", "quality")[0]


def test_an_executive_finds_pages_and_kpis_and_neither_people_nor_contacts(search: Search) -> None:
    assert search("rex", "board")[0] == ["Board sheet"]
    assert "First-contact resolution" in search("rex", "fcr")[0]
    for foreign in ("T1", "ann", "martin", "a1", "coaching"):
        assert search("rex", foreign)[0] == []
    assert count_reads("rex") == 0


def test_a_data_protection_officer_finds_no_figure(search: Search) -> None:
    assert search("dora", "audit")[0] == ["Audit log"]
    for foreign in ("csat", "first-contact", "T1", "martin"):
        assert search("dora", foreign)[0] == []


def test_an_evaluator_finds_scores_and_no_call_statistics(search: Search) -> None:
    assert "Evaluation score" in search("eve", "score")[0]
    for foreign in ("csat", "answer rate", "T1", "martin"):
        assert search("eve", foreign)[0] == []


def test_one_letter_is_too_little_for_names(search: Search) -> None:
    assert search("lea", "a")[0] == []
