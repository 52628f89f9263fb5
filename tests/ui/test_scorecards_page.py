"""The page of evaluation grids: an administrator writes, a manager publishes, and
everybody sees the arithmetic before it counts.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from builders.scorecards import SMALL, changed, publish
from builders.shown_texts import text_of
from streamlit.testing.v1 import AppTest

from qa_core.access.roles import Viewer
from qa_core.quality import scorecards
from qa_core.quality.scorecards import publication

SYSTEM = Viewer.SYSTEM


def button(app: AppTest, label: str) -> AppTest:
    return next(button for button in app.button if button.label == label)


def test_without_any_grid_an_administrator_starts_from_a_starter(
    open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    add_person("ada", "admin")
    app = open_app("ada", "scorecards")
    assert "None yet." in [caption.value for caption in app.caption]

    app.selectbox(key="draft_source").set_value(("starter", "customer-service"))
    button(app, "Start a draft").click().run()

    assert not app.exception
    [held] = scorecards.find_all(SYSTEM)
    assert (held.key, held.is_draft, held.created_by) == ("customer-service", True, "ada")
    assert scorecards.find_faults(held.content) == []
    assert "managers publish them" in text_of(app)
    assert not any(found.label.startswith("Publish") for found in app.button)


def test_what_an_administrator_writes_is_kept_when_saved(
    open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    add_person("ada", "admin")
    draft = scorecards.create_draft(SYSTEM, "service", SMALL)
    app = open_app("ada", "scorecards")

    app.number_input(key=f"pass_{draft}_1").set_value(70).run()
    assert "Not saved yet." in text_of(app)
    button(app, "Save").click().run()

    held = scorecards.get(SYSTEM, draft)
    assert (held.content["pass_mark"], held.edition) == (70, 2)
    assert "Saved." in text_of(app) and "Not saved yet." not in text_of(app)
    assert [section["name"] for section in held.content["section"]] == ["Welcome", "Answer"]


def test_saving_over_somebody_elses_change_is_refused(
    open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    add_person("ada", "admin")
    draft = scorecards.create_draft(SYSTEM, "service", SMALL)
    app = open_app("ada", "scorecards")
    app.number_input(key=f"pass_{draft}_1").set_value(70).run()
    scorecards.save_draft(SYSTEM, draft, 1, changed(pass_mark=60))

    button(app, "Save").click().run()

    assert scorecards.get(SYSTEM, draft).content["pass_mark"] == 60


def test_faults_stand_on_the_page_with_their_place(
    open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    add_person("ada", "admin")
    add_person("max", "manager")
    content = changed()
    content["section"][1]["criterion"][0]["points"] = 0
    scorecards.create_draft(SYSTEM, "service", content)

    for username in ("ada", "max"):
        app = open_app(username, "scorecards")
        assert "Section 2 · Criterion 1." in app.warning[0].value
        assert "must be greater than 0" in text_of(app)
        assert not any(found.label.startswith("Publish") for found in app.button)


def test_a_manager_publishes(
    open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    add_person("max", "manager")
    publish()
    draft = scorecards.create_draft(SYSTEM, "service", changed(pass_mark=90))
    app = open_app("max", "scorecards", grid=str(draft))
    assert not app.expander  # a manager starts no draft

    button(app, "Publish as version 2").click().run()

    assert not app.exception
    held = scorecards.get(SYSTEM, draft)
    assert (held.version, held.published_by) == (2, "max")
    assert not any(found.label in ("Save", "Publish as version 3") for found in app.button)


def test_the_preview_shows_what_each_answer_does(
    open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    add_person("max", "manager")
    version = publish()
    app = open_app("max", "scorecards", grid=str(version))
    # 2 of 2 and 4 of 4; the bonus is not taken for granted.
    assert app.code[0].value == "100 × (40 × 2/2 + 60 × 4/4) / 100 = 100"

    greets = next(group for group in app.button_group if group.label == "Greets")
    greets.set_value(1).run()
    assert app.code[0].value == "100 × (40 × 1/2 + 60 × 4/4) / 100 = 80"
    assert "80 reaches the pass mark of 80." in text_of(app)

    right = next(group for group in app.button_group if group.label == "right")
    right.set_value(0).run()
    assert app.code[0].value == "100 × (40 × 1/2 + 60 × 0/4) / 100 = 20"
    assert "a critical error: the evaluation fails, whatever the score" in text_of(app)


def test_names_in_a_grid_are_shown_letter_by_letter(
    open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    add_person("max", "manager")
    bad = "![x](http://evil.example/p.png)"
    content = changed(title=bad)
    content["section"][0]["criterion"][0]["text"] = {"fr": bad, "en": bad}
    version = publish(content)

    app = open_app("max", "scorecards", grid=str(version))

    assert not any(
        "![x](http" in element.value
        for kind in ("markdown", "caption", "subheader", "success")
        for element in getattr(app, kind)
    )


@pytest.mark.parametrize("key", publication.find_starters())
def test_every_starter_grid_can_be_looked_at_in_french(
    open_app: Callable[..., AppTest], add_person: Callable[..., str], key: str
) -> None:
    add_person("max", "manager", language="fr")
    scorecards.publish_starter(SYSTEM, key)

    app = open_app("max", "scorecards")

    assert not app.exception
    assert "Calcul" in text_of(app) or "Somme des poids" in text_of(app)
