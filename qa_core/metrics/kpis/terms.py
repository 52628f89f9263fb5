"""Terms of the field beside the KPIs: for the glossary page and `docs/glossary.md`."""

import functools
import tomllib
from pathlib import Path


@functools.cache
def read(language: str) -> dict[str, dict[str, str]]:
    """Read the terms with their meanings, by subject, in the order of the glossary."""
    path = Path(__file__).parent / "glossary" / f"{language}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))
