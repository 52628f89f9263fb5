"""What a browser calls itself in its requests, as its owner would call it."""

from __future__ import annotations

from qa_core.base.i18n import _

BROWSERS = {
    "Edg": "Edge",
    "OPR": "Opera",
    "Firefox": "Firefox",
    "FxiOS": "Firefox",
    "CriOS": "Chrome",
    "Chrome": "Chrome",
    "Safari": "Safari",
}
"""Most claim to be Chrome and Safari too: the first mark found is the true one."""
SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "CrOS": "ChromeOS",
    "Mac OS": "Mac",
    "Linux": "Linux",
}


def describe(claim: str) -> str:
    """`Mozilla/5.0 (Windows NT 10.0; …) … Chrome/150.0 Safari/537.36` → `Chrome,
    Windows`; what is neither known stays as it is.
    """
    found = [
        next((name for mark, name in known.items() if mark in claim), "")
        for known in (BROWSERS, SYSTEMS)
    ]
    return ", ".join(filter(None, found)) or claim or _("Unknown browser")
