"""Checks that a cluster answers every KPI as DuckDB does (docs/decisions/spark.md)."""

import functools
import hashlib
import json
from pathlib import Path
from typing import Any

from qa_core.base import environment
from qa_core.base.errors import Refusal

COMPARED = ("metrics", "storage/engine.py", "storage/facts/schema.py", "storage/spark")
"""The parts of the product that decide what a cluster is asked."""


def require(host: str, engine: str) -> None:
    """Raise Refusal unless this cluster passed the check with these versions."""
    passed = read().get(host, {})
    if (passed.get("engine"), passed.get("product")) != (engine, find_product()):
        raise Refusal(
            "engine_unchecked",
            "The cluster {host} (Spark {engine}) is not yet checked against DuckDB in these "
            "versions. Check it on the server first.",
            ("python -m qa_core engine check",),
            host=host,
            engine=engine,
        )


def read() -> dict[str, dict[str, Any]]:
    """Read the checks that were passed, by host."""
    try:
        return json.loads(_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def record(host: str, engine: str, cells: int) -> None:
    """Note that a cluster passed the check."""
    passed = {
        "engine": engine,
        "product": find_product(),
        "cells": cells,
        "checked_at": environment.now().isoformat(timespec="seconds"),
    }
    _write(read() | {host: passed})


def forget(host: str) -> None:
    """Note that a cluster failed the check."""
    _write({name: passed for name, passed in read().items() if name != host})


def _write(content: dict[str, Any]) -> None:
    environment.write_private(_path(), json.dumps(content, indent=1).encode(), overwrite=True)


@functools.cache
def find_product() -> str:
    """Compute the digest of the code that a check is about, and of the translator."""
    import sqlglot

    digest = hashlib.sha256(sqlglot.__version__.encode())
    for part in COMPARED:
        path = environment.PROJECT / "qa_core" / part
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _path() -> Path:
    return environment.current().folder / "engine_checks.json"
