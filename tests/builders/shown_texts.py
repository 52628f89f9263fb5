"""The texts of a page under AppTest, as a reader sees them."""

from __future__ import annotations

import re

from streamlit.testing.v1 import AppTest

KINDS = ("title", "markdown", "caption", "text", "success", "info", "warning", "error", "code")
_ESCAPES = re.compile(r"\\(?=[^\w\s])|\u2060")


def as_read(text: str) -> str:
    """Return markdown without what keeps the browser from reading it as markdown."""
    return _ESCAPES.sub("", text)


def text_of(app: AppTest) -> str:
    """Return all that the page says outside its widgets and tables."""
    return as_read("\n".join(element.value for kind in KINDS for element in app.get(kind)))
