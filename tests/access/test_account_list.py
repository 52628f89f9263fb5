"""Accounts from a table, as a centre has it: checked whole, added once, passwords in one file."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from qa_core.access import account_list, accounts, mail_choices
from qa_core.access.roles import Role, Viewer
from qa_core.cli.app import run
from qa_core.storage.records import store
from qa_core.storage.records.people import Advisor, Team

LIST = """Identifiant;Nom complet;Rôle;Équipe;Site;Conseiller;Sans équipe;Courriel
alice;Alice Martin;Responsable;;Lille;;oui;alice@example.org
bob;Bob Petit;team_lead;Nord, Sud;;;;
carla;;Évaluatrice;;;;;
dan;;conseiller;;;Dan Roux;;
erin;;conseiller;;;Nobody;;
finn;;roi;;;;;
ALICE;;dpo;;;;;
"""


@pytest.fixture
def people(centre: Path, tmp_path: Path) -> Path:
    """A list of people beside an advisor who is known."""
    with store.writing() as session:
        session.add(Advisor(advisor_id="a7", name="Dan Roux"))
    path = tmp_path / "people.csv"
    path.write_text(LIST, encoding="cp1252")
    return path


def test_a_list_is_rehearsed_added_and_recognised(
    people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def states(*options: str) -> list[str]:
        assert run(["people", "import", str(people), "--json", *options]) == 1  # three are refused
        return [line["state"] for line in json.loads(capsys.readouterr().out)]

    refused = ["refused"] * 3
    assert states("--dry-run") == ["new"] * 4 + refused
    assert accounts.find_accounts(Viewer.SYSTEM) == []

    secret = tmp_path / "passwords.csv"
    assert states("--out", str(secret)) == ["added"] * 4 + refused
    assert secret.stat().st_mode & 0o777 == 0o600
    with secret.open(encoding="utf-8-sig", newline="") as file:
        passwords = {row["name"]: row["password"] for row in csv.DictReader(file)}
    assert [*passwords] == ["alice", "bob", "carla", "dan"]
    assert all(passwords.values())
    known = {one["username"]: one for one in accounts.find_accounts(Viewer.SYSTEM)}
    assert (known["alice"]["sites"], known["alice"]["sees_unassigned"]) == (["Lille"], True)
    with store.reading() as session:
        chosen = mail_choices.find_all(session)["alice"]
    assert (chosen.address, chosen.confirmed_at) == ("alice@example.org", None)
    assert (known["bob"]["teams"], known["bob"]["display_name"]) == (["Nord", "Sud"], "Bob Petit")
    assert (known["carla"]["role"], known["dan"]["advisor_id"]) == ("evaluator", "a7")

    assert states() == ["unchanged"] * 4 + refused

    # Who is to see less than they do is not as in the list.
    people.write_text(LIST.replace(";oui;", ";non;"), encoding="cp1252")
    assert states() == ["refused"] + ["unchanged"] * 3 + refused


def test_a_list_of_an_administrator_waits_where_a_second_person_confirms(people: Path) -> None:
    accounts.add(Viewer.SYSTEM, "root", Role.ADMIN)
    accounts.add(Viewer.SYSTEM, "olga", Role.DPO)
    with store.reading() as session:
        root = accounts.get_viewer(session, "root")

    found = account_list.check(root, account_list.read(people))
    done = list(account_list.add(root, found))

    assert [person.state for person in done] == ["asked"] * 4 + ["refused"] * 3
    assert [request.username for request in accounts.find_requests(root)] == [
        "alice", "bob", "carla", "dan",
    ]  # fmt: skip
    assert {one["username"] for one in accounts.find_accounts(root)} == {"root", "olga"}
    again = account_list.check(root, account_list.read(people))
    assert [person.state for person in again] == ["asked"] * 4 + ["refused"] * 3


def test_a_table_without_roles_is_refused_with_its_columns(
    people: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    people.write_text("name,phone\nalice,0600000000\n")

    assert run(["people", "import", str(people)]) == 1
    assert "name, phone" in capsys.readouterr().err


def test_full_names_become_usernames_and_the_same_list_finds_them_again(
    centre: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "staff.csv"
    path.write_text("Nom;Rôle\nÉva Le Goff;évaluatrice\nAnn O’Hara-Lee;admin\nEva LE GOFF;dpo\n")
    for expected in (["added", "added", "refused"], ["unchanged", "unchanged", "refused"]):
        run(["people", "import", str(path), "--json"])
        assert [line["state"] for line in json.loads(capsys.readouterr().out)] == expected
    known = {one["username"]: one for one in accounts.find_accounts(Viewer.SYSTEM)}
    assert [*known] == ["ann.o.hara.lee", "eva.le.goff"]
    assert known["eva.le.goff"]["display_name"] == "Éva Le Goff"


def import_lines(path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> list[dict]:
    """Import a table, and return what became of each line."""
    path.write_text(text, encoding="utf-8-sig")
    run(["people", "import", str(path), "--json"])
    return json.loads(capsys.readouterr().out)


def test_first_and_last_names_of_two_columns_are_one_person(
    centre: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "staff.csv"
    text = "Nom;Prénom;Rôle\nMartin;Alice;évaluateur\nMartin;Bruno;évaluateur\n"
    lines = import_lines(path, text, capsys)
    assert [(line["name"], line["state"]) for line in lines] == [
        ("alice.martin", "added"),
        ("bruno.martin", "added"),
    ]
    text = "Identifiant;Nom;Prénom;Rôle\nzlegoff;Le Goff;Zoé;évaluateur\n"
    assert [line["name"] for line in import_lines(path, text, capsys)] == ["zlegoff"]
    text = "Nom complet;Rôle\nÈve Dupont;évaluateur\n"
    assert [line["name"] for line in import_lines(path, text, capsys)] == ["eve.dupont"]
    shown = {one["username"]: one["display_name"] for one in accounts.find_accounts(Viewer.SYSTEM)}
    assert shown == {
        "alice.martin": "Alice Martin",
        "bruno.martin": "Bruno Martin",
        "zlegoff": "Zoé Le Goff",
        "eve.dupont": "Ève Dupont",
    }


def test_a_lead_since_another_day_is_not_as_in_the_list(
    centre: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A day that the list does not say is not compared."""
    text = "name,role,team,since\nlea,team_lead,Nord|Sud,{}\n"

    def state_of(day: str) -> str:
        [line] = import_lines(tmp_path / "staff.csv", text.format(day), capsys)
        return line["state"]

    assert state_of("2026-03-02") == "added"
    assert [state_of(day) for day in ("2026-03-02", "", "2026-04-01")] == [
        "unchanged",
        "unchanged",
        "refused",
    ]
    for teams in (("Nord",), ("Nord", "Sud")):  # Sud again, and since the beginning
        terms = accounts.AccountTerms(Role.TEAM_LEAD, teams=teams)
        accounts.change(Viewer.SYSTEM, "lea", terms)
    assert state_of("2026-03-02") == "refused"


def test_a_closed_account_a_lead_of_nothing_and_a_new_team_are_said(
    centre: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    accounts.add(Viewer.SYSTEM, "zoe", Role.EVALUATOR)
    accounts.disable(Viewer.SYSTEM, "zoe")
    with store.writing() as session:
        session.add(Team(name="Nord"))
    text = "name,role,team\nzoe,evaluator,\nlea,team_lead,\nmax,team_lead,Nord|Nrod\n"
    lines = import_lines(tmp_path / "staff.csv", text, capsys)
    assert [(line["name"], line["state"], line["reason"]) for line in lines] == [
        ("zoe", "refused", "The account zoe is closed. Open it again under People."),
        ("lea", "refused", "A team lead needs a team in the column team."),
        ("max", "added", "Not known so far: Nrod."),
    ]


def test_an_address_that_waits_for_a_second_person_is_not_lost_in_silence(people: Path) -> None:
    accounts.add(Viewer.SYSTEM, "root", Role.ADMIN)
    accounts.add(Viewer.SYSTEM, "olga", Role.DPO)
    with store.reading() as session:
        root = accounts.get_viewer(session, "root")
    [alice, *_others] = account_list.check(root, account_list.read(people))
    assert "The address is not kept: the person enters it themselves." in alice.reason
