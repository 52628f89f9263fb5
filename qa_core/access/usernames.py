"""Usernames: one spelling for each, letters of one script, none that looks like another."""

import re
import unicodedata
from collections.abc import Iterable

from qa_core.base.errors import Misuse, Refusal
from qa_core.base.i18n import N_

USERNAME = re.compile(r"[^\W_][\w.@+-]{0,79}")
MIXED_SCRIPTS = frozenset({"CJK", "HIRAGANA", "KATAKANA"})
"""Scripts that one word of one language mixes."""
_LIKE_LATIN = str.maketrans(
    "авеёкмнорстухгіїјѕһԁԛԝѵӏαβγεηικνορτυχωıɑɡƅ01",
    "abeekmhopctyxriijshdqwvlabyenikvoptuxwiagbol",
)
"""Small letters of other scripts, and digits, that look like Latin ones."""


def normalise_username(username: str) -> str:
    """Normalise a username as the sign-in form does."""
    return username.lower().strip()


def parse_username(username: str) -> str:
    """Normalise the name of a new account or token. Raises Misuse for one that cannot be."""
    username = normalise_username(unicodedata.normalize("NFKC", username))
    if not USERNAME.fullmatch(username):
        raise Misuse(
            "bad_username",
            "A name starts with a letter or digit. It has letters, digits and . _ - @ +, and "
            "at most 80 characters.",
        )
    scripts = {unicodedata.name(sign, "?").split()[0] for sign in username if sign.isalpha()}
    if len(scripts) > 1 and not scripts <= MIXED_SCRIPTS:
        raise Misuse("mixed_scripts", N_("A name has letters of one script, such as Latin alone."))
    return username


def require_unlike(username: str, known_names: Iterable[str]) -> None:
    """Raise Refusal `username_taken` where a known name is the same, or looks the same."""
    shape = _find_shape(username)
    for name in known_names:
        if _find_shape(name) == shape:
            raise Refusal(
                "username_taken",
                "{name} already exists. Choose another name.",
                name=name,
            )


def clean_display_name(text: str) -> str:
    """Return a name from outside in its usual signs, on one line."""
    usual = unicodedata.normalize("NFKC", text)
    return " ".join("".join(sign if sign.isprintable() else " " for sign in usual).split())


def _find_shape(username: str) -> str:
    usual = unicodedata.normalize("NFKC", username).lower()
    return usual.translate(_LIKE_LATIN).replace("rn", "m").replace("vv", "w")
