"""Fixtures of the stores."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from qa_core.cli.app import run


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Run a command and return its JSON."""

    def command(*words: str) -> Any:
        capsys.readouterr()
        assert run([*words, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return command
