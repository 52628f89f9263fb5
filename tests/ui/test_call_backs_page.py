"""The page of call-backs as leads and managers use it: whom it lists, what its buttons note,
and that a caller who was reached leaves it by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from builders.centres import add_people, contact, land
from builders.shown_texts import as_read, text_of
from streamlit.testing.v1 import AppTest

from qa_core.access.roles import Role, TeamSpan, Viewer
from qa_core.analysis import call_backs
from qa_core.base.errors import Refusal
from qa_core.ui.frame import menu
from qa_core.ui.views.performance.call_backs import CHOSEN

NORD = Viewer("lea", Role.TEAM_LEAD, led_teams=(TeamSpan("Nord"),))
BILLING = {"outcome": "abandoned", "queue": "Billing"}
HELP = {"outcome": "abandoned", "queue": "Help"}
OpenApp = Callable[..., AppTest]


@pytest.fixture
def missed(start_from: Callable[..., Any], add_person: Callable[..., str]) -> None:
    """Nord of Lille answers Billing, Sud of Nice answers Help; two were missed in Billing, one
    of them twice, and one in Help.
    """
    start_from(build_missed, add_person)


def build_missed(add_person: Callable[..., str]) -> None:
    add_people({"a1": "Ann", "a2": "Bob"}, {"Nord": "Lille", "Sud": "Nice"})
    land(
        [
            contact("2026-05-06 09:00", "b", queue="Billing", team="Nord", advisor_id="a1"),
            contact("2026-05-06 09:00", "h", queue="Help", team="Sud", advisor_id="a2"),
            contact("2026-05-05 10:00", "k1-first", customer_key="k1aa", **BILLING),
            contact("2026-05-06 08:00:41", "k1-again", customer_key="k1aa", **BILLING),
            contact("2026-05-04 10:00:07", "k2", customer_key="k2bb", **BILLING),
            contact("2026-05-05 11:00", "k3", customer_key="k3cc", **HELP),
        ]
    )
    add_person("lea", "team_lead", teams=("Nord",))
    add_person("sam", "team_lead", teams=("Sud",))
    add_person("mona", "manager", sites=("Lille",))
    add_person("max", "manager", sites=("Lille", "Nice"))
    for role, more in (("evaluator", {}), ("advisor", {"advisor_id": "a1"}), ("executive", {})):
        add_person(role, role, **more)


def rows_of(app: AppTest) -> list[tuple[str, str, int, str]]:
    assert not app.exception and not app.error
    if not app.dataframe:
        return []
    [table] = [item.value for item in app.dataframe]
    return list(table[["Queue", "Customer", "Calls", "State"]].itertuples(index=False, name=None))


def choose(app: AppTest, customer: str) -> AppTest:
    """Choose a row, as a click on it does."""
    keys = {item.caller.customer: item.caller.tries[0] for item in call_backs.find_all(NORD)}
    app.session_state[CHOSEN] = keys[customer]
    return app.run()


def acts(app: AppTest) -> list[str]:
    return [one.label for one in app.button if str(one.key).startswith("call_back_")]


def press(app: AppTest, label: str) -> AppTest:
    return next(one for one in app.button if one.label == label).click().run()


K1, K2, K3 = (
    ("Billing", "•• aa", 2, "–"),
    ("Billing", "•• bb", 1, "–"),
    ("Help", "•• cc", 1, "–"),
)


@pytest.mark.parametrize(
    ("username", "expected"),
    [("lea", [K2, K1]), ("sam", [K3]), ("mona", [K2, K1]), ("max", [K2, K1, K3])],
)
def test_each_sees_the_callers_missed_in_the_queues_of_their_teams(
    missed: None, open_app: OpenApp, username: str, expected: list[tuple[str, str, int, str]]
) -> None:
    app = open_app(username, "call_backs")
    assert rows_of(app) == expected and acts(app) == []
    assert f"{len(expected)} caller" in text_of(app)


def test_a_lead_whose_team_answered_nothing_is_not_told_that_nobody_waits(
    missed: None, open_app: OpenApp, add_person: Callable[..., str]
) -> None:
    add_person("nia", "team_lead", teams=("Ouest",))
    said = text_of(open_app("nia", "call_backs"))
    assert "The queues of your teams are not known" in said and "0 callers wait" not in said


@pytest.mark.parametrize("username", ["evaluator", "advisor", "executive"])
def test_the_page_is_closed_to_those_who_call_nobody_back(
    missed: None, open_app: OpenApp, username: str
) -> None:
    app = open_app(username)
    with pytest.raises(ValueError, match="Could not find a navigation page"):
        app.switch_page(menu.find_page("call_backs").path)
    assert "•• bb" not in text_of(open_app(username, "call_backs"))


def test_a_call_back_is_taken_tried_done_and_put_back(missed: None, open_app: OpenApp) -> None:
    app = choose(open_app("lea", "call_backs"), "•• bb")
    assert "4 May 2026, 10:00:07 · Billing · •• bb" in text_of(app).replace("*", "")
    assert acts(app) == ["I take it", "Tried, not reached", "Done"]
    app = press(app, "I take it")
    assert rows_of(app)[0][3].startswith("taken · lea · ") and rows_of(app)[1] == K1
    assert acts(app) == ["Tried, not reached", "Done", "Set back to waiting"]
    app = press(app, "Tried, not reached")
    assert rows_of(app)[0][3].startswith("tried, not reached · lea · ")
    app = press(app, "Done")
    assert rows_of(app) == [K1] and "1 caller waits for a call-back" in text_of(app)
    assert acts(app) == ["Set back to waiting"]
    assert rows_of(press(app, "Set back to waiting")) == [K2, K1]


def test_a_taken_call_back_is_refused_to_who_did_not_see_it_taken(
    missed: None, open_app: OpenApp
) -> None:
    stale = choose(open_app("mona", "call_backs"), "•• bb")
    press(choose(open_app("lea", "call_backs"), "•• bb"), "I take it")
    open_app("mona")
    app = press(stale, "I take it")
    assert [as_read(one.value) for one in app.error] == ["lea has taken this call-back."]
    assert acts(app) == ["Tried, not reached", "Done", "Set back to waiting"]


def test_a_caller_who_is_reached_leaves_the_list_by_themselves(
    missed: None, open_app: OpenApp
) -> None:
    app = choose(open_app("lea", "call_backs"), "•• bb")
    called = contact("2026-05-06 10:00", "ours", customer_key="k2bb", direction="outbound")
    came = contact("2026-05-06 10:05", "own", customer_key="k1aa", queue="Billing")
    land([called])
    assert rows_of(app.run()) == [K1] and acts(app) == []
    land([came])
    assert rows_of(app.run()) == [] and "0 callers wait for a call-back" in text_of(app)


def test_a_button_of_a_row_that_is_gone_notes_nothing(missed: None, open_app: OpenApp) -> None:
    app = choose(open_app("lea", "call_backs"), "•• bb")
    land([contact("2026-05-06 10:00", "ours", customer_key="k2bb", direction="outbound")])
    app = press(app, "Done")
    [error] = app.error
    assert as_read(error.value) == "This caller does not wait for a call-back in your queues."
    assert rows_of(app.run()) == [K1]


def test_a_caller_of_two_queues_is_called_back_once(missed: None) -> None:
    land(
        [
            contact("2026-05-06 09:10", "k4-b", customer_key="k4dd", **BILLING),
            contact("2026-05-06 09:20", "k4-h", customer_key="k4dd", **HELP),
        ]
    )
    sud = Viewer("sam", Role.TEAM_LEAD, led_teams=(TeamSpan("Sud"),))

    def find(viewer: Viewer) -> call_backs.DueCallBack:
        return next(item for item in call_backs.find_all(viewer) if item.caller.elsewhere)

    theirs = {viewer: find(viewer).caller.tries for viewer in (NORD, sud)}
    assert all(len(tries) == 1 for tries in theirs.values())
    call_backs.settle(NORD, *theirs[NORD], "taken")
    assert (find(sud).state, find(sud).taken_by) == ("taken", "lea")
    with pytest.raises(Refusal):
        call_backs.settle(sud, *theirs[sud], "taken")
    call_backs.settle(NORD, *theirs[NORD], "done")
    assert find(sud).state == "done"
    assert all(item.caller.tries != theirs[sud] for item in call_backs.find_due(sud))
