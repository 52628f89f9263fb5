"""Names of browsers and systems, from what a browser calls itself in its requests."""

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
"""Names by mark, in order: most browsers claim to be Chrome and Safari, too."""
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
    """Return `Chrome, Windows` of a claim; the claim itself where neither is known."""
    found = [
        next((name for mark, name in known.items() if mark in claim), "")
        for known in (BROWSERS, SYSTEMS)
    ]
    return ", ".join(filter(None, found)) or claim or _("Unknown browser")
