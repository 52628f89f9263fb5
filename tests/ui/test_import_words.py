"""The form in which a person says what words of a file mean."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def show_form() -> None:
    import streamlit as st

    from qa_core.files.options import ImportOptions
    from qa_core.ui.views.admin import import_mapping

    import_mapping.ask_words("contacts", "file", ["Result:VM", "Result:OK1"])
    options = import_mapping.complete(ImportOptions(), "contacts", "file")
    st.text(f"{sorted(options.words.items())} {options.yes}")
    st.button("accept", on_click=import_mapping.accept, args=("contacts", "file"))


def test_chosen_meanings_and_an_acceptance_become_options() -> None:
    page = AppTest.from_function(show_form).run()
    labels = [box.label.replace("\\", "") for box in page.selectbox]
    assert labels == ["Result:VM", "Result:OK1"]
    assert {"Voicemail", "Inbound", "no value"} <= set(page.selectbox[0].options)
    page.selectbox[0].select("voicemail")
    next(button for button in page.button if "again" in button.label).click().run()
    assert page.text[0].value == "[('Result:VM', 'voicemail')] False"
    next(button for button in page.button if button.label == "accept").click().run()
    assert page.text[0].value == "[('Result:VM', 'voicemail')] True"
