"""Every function that needs a permission refuses each role without it, before it looks at
anything else. `doors.toml` says which function needs what.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import tomllib
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from builders.public_functions import find_public_functions

from qa_core.access.roles import GRANTS, Role, Viewer
from qa_core.base.errors import AccessDenied
from qa_core.compliance.recordings import playback_list
from qa_core.metrics import query
from qa_core.metrics.kpis.dimensions import Period
from qa_core.quality.evaluations import advisor_response
from qa_core.storage.records import store

DOORS: dict[str, dict[str, list[str]]] = tomllib.loads(
    Path(__file__).with_name("doors.toml").read_text(encoding="utf-8")
)
REQUIRED = re.compile(r"viewer\.require\(Permission\.(\w+)\)")


def find_doors() -> dict[str, dict[str, list[str]]]:
    """Find every public function below the pages that always requires permissions of its
    viewer: module → function → permissions.
    """
    doors: dict[str, dict[str, list[str]]] = {}
    for module, function in find_public_functions():
        lines = [ast.unparse(statement) for statement in function.body]
        needed = [match[1].lower() for match in map(REQUIRED.fullmatch, lines) if match]
        if needed:
            doors.setdefault(module, {})[function.name] = needed
    return doors


def call(function: Callable[..., Any], viewer: Viewer) -> None:
    """Call it as that person, with nothing else that would make sense."""
    values = {"viewer": viewer}
    with store.writing() as session:
        values["session"] = session
        result = function(
            **{
                name: values.get(name)
                for name, parameter in inspect.signature(function).parameters.items()
                if name in values or parameter.default is parameter.empty
            }
        )
        if inspect.isgenerator(result):
            next(result)


def find_open_doors() -> Iterator[str]:
    """The functions that let in a role without one of their permissions, or look at
    something else first.
    """
    for module, functions in DOORS.items():
        loaded = importlib.import_module(f"qa_core.{module}")
        for name, needed in functions.items():
            for role in Role:
                if set(needed) <= GRANTS[role]:
                    continue
                try:
                    call(getattr(loaded, name), Viewer("paul", role))
                except AccessDenied:
                    continue
                except Exception as error:
                    yield f"{module}.{name} as {role}: {error!r}"
                else:
                    yield f"{module}.{name} as {role}"


def test_every_door_refuses_each_role_without_its_permission(centre: Path) -> None:
    assert next(find_open_doors(), None) is None


def test_every_door_is_in_the_table_with_its_permissions() -> None:
    missing = {
        module: functions
        for module, functions in find_doors().items()
        if not functions.items() <= DOORS.get(module, {}).items()
    }
    assert missing == {}


def test_an_advisor_whose_account_is_bound_to_nobody_has_no_own_results(centre: Path) -> None:
    unbound = Viewer("ann", Role.ADVISOR)
    period = Period(date(2026, 5, 1), date(2026, 5, 31))
    for ask in (
        lambda: query.find_own_evaluations(unbound, period),
        lambda: query.team_medians(unbound, ("csat",), period),
        lambda: playback_list.find_own(unbound),
        lambda: playback_list.count_own(unbound),
        lambda: advisor_response.find_news(unbound),
    ):
        with pytest.raises(AccessDenied):
            ask()
