"""Files that commands read whole: TOML and JSON."""

import json
import tomllib
from pathlib import Path
from typing import Any

from qa_core.base.errors import Refusal, build_misread, build_unopened


def read_toml(file: Path, code: str) -> dict[str, Any]:
    """Read a TOML file. Raises Refusal `no_file`, `bad_encoding`, `code` for no TOML."""
    text = _read_text(file)
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # A number with thousands of digits is another ValueError.
        raise build_misread(code, file.name, "TOML", error) from error


def read_json(file: Path, code: str) -> Any:
    """Read a JSON file in which no key occurs twice. Raises as `read_toml`."""
    text = _read_text(file)
    try:
        return json.loads(text, object_pairs_hook=lambda pairs: _expect_distinct(file, code, pairs))
    except (ValueError, RecursionError) as error:
        raise build_misread(code, file.name, "JSON", error) from error


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise build_unopened(file, error) from error
    except UnicodeDecodeError as error:
        raise build_misread("bad_encoding", file.name, "UTF-8", error) from error


def _expect_distinct(file: Path, code: str, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # JSON lets the last one win, and the first would be lost unsaid.
    seen: dict[str, Any] = {}
    for key, value in pairs:
        if key in seen:
            raise Refusal(
                code, "{file} has {key} twice. Keep one of them.", file=file.name, key=key
            )
        seen[key] = value
    return seen
