"""Codes and names of our own, said in the language of the reader: acts of the journal,
grids and their parts, browsers, decisions of an import.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from qa_core.access.roles import Role, Viewer
from qa_core.base import environment, i18n
from qa_core.compliance import audit_labels
from qa_core.files.decision import Decision
from qa_core.metrics.rows import scorecard_texts
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.evaluations import ScorecardVersion
from qa_core.ui.views.admin import own_sessions

WINDOWS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/150.0.0.0 Safari/537.36"
)


@pytest.fixture
def french() -> Iterator[None]:
    i18n.use("fr")
    yield
    i18n.use("en")


def test_an_act_is_named_in_french_and_an_unknown_one_keeps_its_code(french):
    assert audit_labels.title("sign_in") == "Connexion"
    assert audit_labels.title("account_disable_asked") == "Compte\u00a0: désactivé\u00a0: demandé"
    assert audit_labels.title("something_new") == "something_new"


def test_a_grid_is_read_in_the_language_of_the_reader(centre: Path):
    content = tomllib.loads(
        (environment.PROJECT / "data" / "scorecards" / "customer_service.toml").read_text(
            encoding="utf-8"
        )
    )
    with store.writing() as session:
        session.add(
            ScorecardVersion(
                key="customer-service", title=content["title"], content=content, published_at=now()
            )
        )
    reader = Viewer("eva", Role.EVALUATOR)

    english = scorecard_texts.find_scorecard_texts(reader)
    i18n.use("fr")
    french = scorecard_texts.find_scorecard_texts(reader)
    i18n.use("en")

    assert (english.name("grid", "Customer service"), french.name("grid", "Customer service")) == (
        "Customer service",
        "Service client",
    )
    assert (english.name("section", "Welcome"), french.name("section", "Welcome")) == (
        "Welcome",
        "Accueil",
    )
    assert french.name("criterion", "greeting") == "Se présente et salue"
    assert french.name("criterion", "a criterion of another tool") == "a criterion of another tool"


def test_our_words_in_a_decision_are_translated_and_those_of_the_file_are_not(french):
    said = Decision(
        "outcome", "read as: {said}", params=(("said", "answered → answered, Perdu → abandoned"),)
    ).as_json()["decision"]
    assert said.endswith("answered → décroché, Perdu → abandonné")


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        (WINDOWS, "Chrome, Windows"),
        (f"{WINDOWS} Edg/150.0", "Edge, Windows"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 "
            "Version/19.0 Mobile Safari/604.1",
            "Safari, iPhone",
        ),
        ("curl/8", "curl/8"),
        ("", "Unknown browser"),
    ],
    ids=["chrome", "edge", "iphone", "odd", "none"],
)
def test_a_browser_is_called_as_its_owner_calls_it(claim: str, said: str):
    assert own_sessions.describe_browser(claim) == said
