"""Declarations that stand in a TOML file beside their module."""

import tomllib
from pathlib import Path
from typing import Any


def read(module: str) -> dict[str, Any]:
    """Read the TOML file beside a module, given the module's `__file__`. Its `messages`
    are the keys whose texts are translated, its `plurals` sections of forms: of one, of several.
    """
    return tomllib.loads(Path(module).with_suffix(".toml").read_text("utf-8"))
