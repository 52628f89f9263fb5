"""Declarations that stand in a TOML file beside their module."""

import tomllib
from pathlib import Path
from typing import Any


def read(module: str) -> dict[str, Any]:
    """Read the TOML file beside a module, given its `__file__`."""
    return tomllib.loads(Path(module).with_suffix(".toml").read_text("utf-8"))
