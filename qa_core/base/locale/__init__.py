"""The catalogues of translated messages; `python -m qa_core.locale` refreshes them from the code."""
