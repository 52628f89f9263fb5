"""Fixtures shared by the tests: an empty centre in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from qa_core.records import store


@pytest.fixture
def centre(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty centre: records migrated, no lake yet, secrets made on first use. Returns its folder."""
    for name in ("QA_DATABASE_URL", "QA_LAKE_URL", "QA_ENGINE_URL", "QA_TIMEZONE", "QA_COUNTRY", "QA_LANGUAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("QA_HOME", str(tmp_path))
    store.migrate()
    return tmp_path
