"""The player on the pages: who gets one, what stands between them and the sound, what
is said instead of it, and that advisors see who listened.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from builders import centre_with_calls
from streamlit.testing.v1 import AppTest

from qa_core.base.errors import AccessDenied
from qa_core.compliance import recordings
from qa_core.compliance.conditions import accreditations
from qa_core.compliance.recordings import playback_list
from qa_core.storage.records import store
from qa_core.storage.records.listening import Playback, Recording
from qa_core.ui import asgi
from qa_core.ui.widgets import player


@pytest.fixture
def calls(start_from: Callable[..., Any], add_person: Callable[..., str]) -> None:
    start_from(centre_with_calls.build, add_person)


def players_of(app: AppTest) -> list[dict[str, Any]]:
    """What each player on the page was given."""
    assert not app.exception
    return [
        json.loads(element.proto.json or element.proto.mixed.json)
        for element in app.get("bidi_component")
        if element.proto.component_name == player.COMPONENT
    ]


def listen(username: str, contact_id: str, purpose: str, reason: str) -> None:
    """Enter a listening as the server does when the audio is fetched."""
    with store.writing() as session:
        recording = session.query(Recording).filter_by(contact_id=contact_id).one()
        given = {
            "source_system": "generic",
            "contact_id": contact_id,
            "advisor_id": "A1",
            "username": username,
            "purpose": purpose,
            "reason": reason,
        }
        session.add(Playback(recording_id=recording.id, **given))


def test_a_lead_says_why_before_there_is_an_address_to_play(
    calls: None, open_app: Callable[..., AppTest]
) -> None:
    app = open_app("lea", "contact", system="generic", id="unheard")
    (given,) = players_of(app)
    assert given["locked"] and given["address"] is None and not given["writable"]
    assert round(given["seconds"], 1) == centre_with_calls.SECONDS and len(given["peaks"]) == 400

    app.text_input(key="player_generic_unheard_reason").input("Prepares Thursday's coaching").run()

    (given,) = players_of(app)
    assert not given["locked"] and given["address"] is None


def test_an_advisor_hears_their_own_evaluated_call_and_is_told_so_at_another(
    calls: None, open_app: Callable[..., AppTest]
) -> None:
    (given,) = players_of(open_app("ann", "contact", system="generic", id="heard"))
    assert not given["locked"]

    app = open_app("ann", "contact", system="generic", id="unheard")
    assert players_of(app) == []
    assert (
        "You can listen to your own recorded and evaluated calls while their recording is kept."
        in [item.value for item in app.caption]
    )


def test_where_there_is_nothing_to_hear_one_sentence_says_why_to_those_who_may_know(
    calls: None, open_app: Callable[..., AppTest]
) -> None:
    def why(username: str) -> str:
        return recordings.explain_absence(centre_with_calls.viewer_of(username))

    assert why("lea") == why("eve") == "This contact has no recording that you may listen to."
    assert why("max") == (
        "You are not accredited to listen for this purpose today. Ask your data protection "
        "officer for an accreditation."
    )
    assert why("ann") == why("bob")
    for item in accreditations.find_all(centre_with_calls.Viewer.SYSTEM):
        accreditations.end(centre_with_calls.Viewer.SYSTEM, item.id)
    closed = why("lea")
    assert closed.startswith("Listening is not open yet. Still missing: Accredited listeners.")
    with pytest.raises(AccessDenied):
        recordings.explain_absence(centre_with_calls.Viewer("rex", "executive"))

    app = open_app("lea", "contact", system="generic", id="gone")
    assert players_of(app) == [] and closed in [item.value for item in app.caption]
    assert "Listen" not in " ".join(
        item.value for item in open_app("lea", "contact", system="generic", id="quiet").markdown
    )


def test_an_evaluator_writes_remarks_at_a_moment_and_the_advisor_reads_them_once_published(
    calls: None, open_app: Callable[..., AppTest]
) -> None:
    draft = centre_with_calls.start_draft()
    key = f"listen_{draft}"
    app = open_app("eve", "evaluate", id=str(draft))
    (given,) = players_of(app)
    assert given["writable"] and not given["locked"] and given["remarks"] == []
    assert not [item for item in app.text_area if item.key == f"{key}_remark_text"]

    app.session_state[f"{key}_moment"] = 12.4  # what the button of the player hands over
    app.run()
    app.text_area(key=f"{key}_remark_text").input("Client malade, ne peut pas venir")
    save = next(button for button in app.button if button.label == "Save")
    save.click().run()
    assert (
        any("personal data: health" in item.value for item in app.warning)
        and players_of(app)[0]["remarks"] == []
    )
    next(button for button in app.button if button.label == "Save").click().run()

    (given,) = players_of(app)
    assert [(item["seconds"], item["text"], item["removable"]) for item in given["remarks"]] == [
        (12.4, "Client malade, ne peut pas venir", True)
    ]
    assert not [item for item in app.text_area if item.key == f"{key}_remark_text"]
    centre_with_calls.submit(draft)
    (given,) = players_of(open_app("ann", "evaluation", id=str(draft)))
    assert [(item["text"], item["removable"]) for item in given["remarks"]] == [
        ("Client malade, ne peut pas venir", False)
    ] and not given["writable"]


def test_advisors_see_each_listening_of_others_to_their_calls_with_its_reason(
    calls: None, open_app: Callable[..., AppTest]
) -> None:
    listen("lea", "unheard", "training", "Prepares Thursday's coaching")
    listen("eve", "heard", "evaluation", "scored 7")
    listen("ann", "heard", recordings.OWN, "my own call")

    found = playback_list.find_own(centre_with_calls.viewer_of("ann"))
    assert [(item.contact_id, item.listener, item.purpose, item.reason) for item in found] == [
        ("heard", "eve", "evaluation", "scored 7"),
        ("unheard", "lea", "training", "Prepares Thursday's coaching"),
    ]
    assert playback_list.find_own(centre_with_calls.viewer_of("bob")) == []
    with pytest.raises(AccessDenied):
        playback_list.find_own(centre_with_calls.viewer_of("lea"))

    app = open_app("ann", "my_quality")
    assert not app.exception
    table = next(frame.value for frame in app.dataframe if "Reason" in frame.value.columns)
    assert list(table["Reason"]) == ["Evaluation 7", "Prepares Thursday's coaching"] and list(
        table["Purpose"]
    ) == ["evaluation", "training"]


def test_the_script_of_the_player_comes_from_this_server_and_no_policy_is_loosened_for_it() -> None:
    script = player.FOLDER.joinpath("player.js").read_text(encoding="utf-8")
    imported = re.findall(r'^import .* from "(.*)";$', script, re.MULTILINE)
    assert imported == ["./vendor/wavesurfer.esm.js", "./vendor/regions.esm.js"]
    for path in imported:
        vendored = player.FOLDER.joinpath(path).read_text(encoding="utf-8")
        assert "import(" not in vendored and "eval(" not in vendored
    assert "BSD 3-Clause" in player.FOLDER.joinpath("vendor/LICENSE").read_text(encoding="utf-8")
    assert "<script" not in player.FOLDER.joinpath("player.html").read_text(encoding="utf-8")
    (scripts,) = (part for part in asgi.PAGE_POLICY.split("; ") if part.startswith("script-src"))
    assert (
        "blob:" not in scripts
        and "data:" not in scripts
        and "'unsafe-inline'" not in scripts
        and "http" not in scripts
    )
