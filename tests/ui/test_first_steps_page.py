"""First steps page: what each step says of an empty centre, and of one on its way; it is
an administrator's first page until all is done.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from builders.centres import contact, land
from builders.import_files import bring
from builders.listening_centre import accredit, accredit_evaluators, open_gates
from streamlit.testing.v1 import AppTest

from qa_core import ingest
from qa_core.access.roles import Permission, Role, Viewer
from qa_core.base.errors import AccessDenied
from qa_core.centre.rules import opening_hours
from qa_core.ingest import samples
from qa_core.ingest.first_steps import Step, find_set_up
from qa_core.ingest.load import batches
from qa_core.metrics import query
from qa_core.ui.frame import menu
from qa_core.ui.views.admin import imports

SYSTEM = Viewer.SYSTEM
ADMIN = Viewer("root", Role.ADMIN)


def read_texts(app: AppTest) -> str:
    texts = (text.value for text in (*app.markdown, *app.caption))
    return "\n".join(texts).replace("\\", "")


def build_sample(kind: str) -> str:
    return samples.build_file(SYSTEM, kind).content.decode("utf-8-sig")


def test_an_empty_centre_leads_step_by_step_to_the_first_figure(
    open_app: Callable[..., AppTest], add_person: Callable[..., str], centre: Path
) -> None:
    add_person("root", "admin")
    app = open_app("root")
    assert app.title[0].value == "First steps" and not app.exception
    texts = read_texts(app)
    assert "**1. The centre** :blue-badge[Next]" in texts
    assert "Europe/Paris" in texts and "France" in texts
    assert "Missing: Manager and Data protection officer" in texts

    name = next(field for field in app.text_input if "Name of the centre" in field.label)
    name.set_value("Centre exemple")
    app = next(button for button in app.button if button.label == "Save").click().run()
    assert "Centre exemple" in read_texts(app)
    assert find_set_up(ADMIN).next_step == Step.ADVISORS

    bring(centre, "advisors", build_sample("advisors"))
    assert "Without hours, so never closed: Exempleville" in read_texts(app.run())
    hours = opening_hours.parse_hours(["mon-fri=09:00-18:00"])
    opening_hours.set_opening(SYSTEM, samples.SITE, hours, calendar="none")
    assert find_set_up(ADMIN).next_step == Step.CONTACTS

    bring(centre, "contacts", build_sample("contacts"))
    texts = read_texts(app.run())
    assert "320 contacts, from" in texts and "There are no similar names" in texts
    assert find_set_up(ADMIN).next_step == Step.ACCOUNTS

    app = open_app("root", "imports")
    assert next(link.label for link in app.get("page_link")) == "Back to the first steps"

    add_person("mona", "manager", sites=(samples.SITE,), sees_unassigned=True)
    add_person("dora", "dpo")
    add_person("eve", "evaluator")
    assert find_set_up(ADMIN).next_step == Step.LISTENING
    assert menu.find_first(ADMIN).key == "first_steps"
    open_gates()
    accredit("eve")
    assert find_set_up(ADMIN).next_step is None
    assert menu.find_first(ADMIN).key == "imports"
    app = open_app("root", "first_steps")
    assert app.title[0].value == "First steps" and "All steps are done" in app.success[0].value
    assert "Back to the first steps" not in [
        link.label for link in open_app("root", "imports").get("page_link")
    ]
    # Counted in the file: no contact is lost, and none is counted twice.
    outcomes = Counter(
        row["outcome"] for row in csv.DictReader(io.StringIO(build_sample("contacts")))
    )
    assert outcomes == {"answered": 285, "abandoned": 35}
    tiles = {tile.label: tile.value for tile in open_app("mona", "overview").metric}
    assert tiles["Contacts received"] == "320"
    assert tiles["Answer rate"].startswith("89.1")

    # Two spellings of a queue keep Names open, but the page out of the menu.
    land(
        [
            contact("2026-01-05 09:00", queue=queue)
            for queue in ("Billing and refunds", "Billing & refunds")
        ],
        "similar",
    )
    app = open_app("root", "first_steps")
    assert ":material/radio_button_unchecked: **5. Names**" in read_texts(app)
    assert not app.success and menu.find_first(ADMIN).key == "imports"


def test_sample_files_are_imported_without_a_question_and_leave_nothing_but_who_was_informed(
    centre: Path,
) -> None:
    accredit_evaluators("Jo Exemple")
    for kind in samples.SAMPLES:
        report = bring(centre, kind, build_sample(kind))
        assert report.tally.read and not report.tally.reasons, kind
        assert not [item for item in report.plausibility if item], kind
    shown = query.measure(SYSTEM, ("received", "csat", "attribution_rate", "evaluation_score"))
    assert (shown["n"] > 0).all()
    for batch in batches.find_batches(SYSTEM):
        ingest.undo(SYSTEM, batch["id"])
    set_up = find_set_up(SYSTEM)
    assert (set_up.contacts, set_up.span) == (0, None)
    # Advisors who were informed of listening stay, with their notices, teams and sites.
    assert set_up.placed_sites == ("Exempleville",)


@pytest.mark.parametrize("role", [role for role in Role if role != Role.ADMIN])
def test_only_an_administrator_sees_what_is_set_up(role: Role, centre: Path) -> None:
    with pytest.raises(AccessDenied):
        find_set_up(Viewer("someone", role))
    assert not menu.find_page("first_steps").is_open_to(Viewer("someone", role))
    assert Viewer("someone", role).can(Permission.MANAGE_SETTINGS) is False


def test_each_step_leads_to_its_own_kind_of_import_and_an_imported_list_without_teams_says_so(
    open_app: Callable[..., AppTest], add_person: Callable[..., str], centre: Path
) -> None:
    add_person("root", "admin")
    app = open_app("root", "first_steps")
    links = [link for link in app.get("page_link") if link.label == "Imports"]
    assert [link.proto.query_string for link in links] == ["kind=advisors", "kind=contacts"]
    for kind, title in (("advisors", "Advisors"), ("contacts", "Contacts"), ("none", "Contacts")):
        chosen = open_app("root", "imports", kind=kind).selectbox(key="import_kind")
        assert chosen.options[chosen.index] == title

    bring(centre, "advisors", "Agent_ID,Agent_Name,Center_ID\nA1,Ann Lee,CC1\nA2,Bob Ray,CC1\n")
    with_sites = "Agent_ID,Agent_Name,Site\nA1,Ann Lee,CC1\nA2,Bob Ray,CC1\n"
    bring(centre, "advisors", with_sites)
    assert "No advisor has a team yet." in read_texts(app.run())
    # The list as it should have been: its new columns are read, though a list was confirmed.
    teams = "Agent_ID,Agent_Name,Equipe,Site\nA1,Ann Lee,Nord,CC1\nA2,Bob Ray,Sud,CC1\n"
    bring(centre, "advisors", teams)
    texts = read_texts(app.run())
    assert "No advisor has a team yet." not in texts and "Sites: CC1" in texts


def test_the_report_of_an_import_is_gone_when_the_next_step_is_followed(
    open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    add_person("root", "admin")
    app = open_app("root", "imports", kind="advisors")
    app.session_state[imports.IMPORTED] = []
    assert "Import another file" in [one.label for one in app.run().button]
    app = app.switch_page(menu.find_page("first_steps").path).run()
    app = app.switch_page(menu.find_page("imports").path).run()
    assert not app.exception and "Import another file" not in [one.label for one in app.button]
