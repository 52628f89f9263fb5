"""Catalogues of translated messages; `python -m qa_core.base.locale` refreshes them."""
