"""Headers and words of files in one spelling, so that they can be compared."""

import re
import unicodedata
from functools import lru_cache

TICK, CROSS = "tick", "cross"
_TICKS = {**dict.fromkeys("✓✔☑✅√", TICK), **dict.fromkeys("✗✘✖❌☐", CROSS)}


@lru_cache(maxsize=20_000)
def simplify(text: str) -> str:
    """Simplify to lower case, letters and digits: `CallID`, `call_id` and `Call Id` are equal."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", _TICKS.get(text.strip("\ufe0f \t"), text))
    plain = (
        unicodedata.normalize("NFKD", words.replace("’", "'")).encode("ascii", "ignore").decode()
    )
    return " ".join(re.findall(r"[a-z0-9%+]+", plain.casefold()))
