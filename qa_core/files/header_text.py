"""Headers and words of files in one spelling, so that they can be compared."""

import html
import re
import unicodedata
from functools import lru_cache

_WORD = re.compile(r"(?:[^\W_]|[%+])+")
_JOINTS = re.compile(r"_+|(?<=[a-z0-9])(?=[A-Z])|(?<=[^\W\d_]{3})[-.](?=[^\W\d_]{3})")
TICK, CROSS = "tick", "cross"
_LETTERS = str.maketrans({"’": "'", "ł": "l", "ß": "ss", "œ": "oe", "æ": "ae"})
_TICKS = {**dict.fromkeys("✓✔☑✅√", TICK), **dict.fromkeys("✗✘✖❌☐", CROSS)}


@lru_cache(maxsize=20_000)
def simplify(text: str) -> str:
    """Simplify to lower case, letters and digits: `CallID`, `call_id` and `Call Id` are equal."""
    text = html.unescape(text) if "&" in text else text
    words = separate_words(_TICKS.get(text.strip("\ufe0f \t"), text))
    plain = unicodedata.normalize("NFKD", words.casefold().translate(_LETTERS))
    if not plain.isascii():
        plain = "".join(letter for letter in plain if letter.isascii() or _is_other(letter))
    found = " ".join(_WORD.findall(plain.casefold()))
    return found if found or text.isascii() else text.strip().casefold()


def separate_words(text: str) -> str:
    """Write a header of code with spaces: `cost_eur` as `cost eur`, `AutoFail` as `Auto Fail`.
    Hyphens and dots between words are written as spaces as well.
    Each break of a line and each other space becomes one too.
    """
    return " ".join(_JOINTS.sub(" ", text).split())


def _is_other(letter: str) -> bool:
    """Return whether a letter is of another alphabet, which has no Latin spelling."""
    return letter.isalpha() and not unicodedata.name(letter, "LATIN").startswith("LATIN")
