"""Answers to the questions about a file, on the Imports page."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def show_answers() -> None:
    import streamlit as st

    from qa_core.base.errors import Refusal
    from qa_core.files.options import ImportOptions
    from qa_core.ingest.reading.reading import AnswerOption, Question
    from qa_core.ui.views.admin import import_mapping, imports

    counts = {"received": 3, "answered": 2, "abandoned": 1}
    answers = (
        AnswerOption("--word Result:VM=voicemail", counts),
        AnswerOption("--map ignore=Extra"),
        AnswerOption("--confirm 12345"),
    )
    question = Question(Refusal("unknown_words", "What does {word} mean?", word="VM"), answers)
    imports._show_answers("contacts", "file", 0, question)
    imports._show_question("contacts", "file", Refusal("implausible", "Odd.", ("--yes",)))
    options = import_mapping.complete(ImportOptions(), "contacts", "file")
    st.text(f"{options.words} {options.ignored} {options.yes}")


def test_answers_show_their_counts_and_become_options() -> None:
    page = AppTest.from_function(show_answers).run()
    labels = [button.label for button in page.button]
    assert len(labels) == 3  # the confirmation is the button of the import itself
    assert "received 3" in labels[0] and "abandoned 1" in labels[0]
    for number in range(3):
        page.button[number].click().run()
    assert page.text[-1].value == "{'Result:VM': 'voicemail'} ('Extra',) True"


def ask_which_are_machines() -> None:
    import streamlit as st

    from qa_core.base.errors import Refusal
    from qa_core.files.options import ImportOptions
    from qa_core.ingest.reading.reading import AnswerOption, Question
    from qa_core.ui.views.admin import import_mapping, imports

    options = (
        "--word agent:Voicebot|Ann Roe|Alix=machine",
        "--word agent:Voicebot|Ann Roe|Alix=person",
    )
    names = {"agent": ["Voicebot", "Ann Roe", "Alix"]}
    asked = Refusal("machine_or_person", "Which?", options, by_column=names)
    imports._show_answers("contacts", "file", 0, Question(asked, tuple(map(AnswerOption, options))))
    st.text(import_mapping.complete(ImportOptions(), "contacts", "file").words)


def test_machines_are_chosen_from_the_names_that_look_like_some() -> None:
    page = AppTest.from_function(ask_which_are_machines).run()
    assert page.multiselect[0].value == ["Voicebot"]
    assert [button.label for button in page.button] == ["Choose"]  # one answer, not two ways
    page.multiselect[0].set_value(["Voicebot", "Alix"]).run()
    page.button[-1].click().run()
    assert page.text[-1].value == ("{'agent:Voicebot|Alix': 'machine', 'agent:Ann Roe': 'person'}")
