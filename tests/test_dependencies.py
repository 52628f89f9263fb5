"""Dependencies: permissive licences only, and a lock file that covers them with hashes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tools import sources

PROJECT = Path(__file__).resolve().parents[1]
ALLOWED = re.compile(
    r"\b(MIT|0?BSD|Apache|MPL|Mozilla Public|PSF|ISC|Zlib|CC0|MIT-CMU)\b", re.IGNORECASE
)
WEAK_COPYLEFT = {"python-stdnum", "psycopg", "psycopg-binary"}
"""Packages under the LGPL, used unmodified."""


def read_requirements(name: str) -> list[Requirement]:
    lines = (PROJECT / name).read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line[:1].isalpha()]


def find_installed() -> Iterator[str]:
    """Find every package that the requirements bring here, those of the tests included, and
    those of a cluster where they are installed.
    """
    waiting = [*read_requirements("requirements.txt"), *read_requirements("requirements-dev.txt")]
    if find_spec("pyspark"):
        waiting += read_requirements("requirements-cluster.txt")
    needed = [(requirement, ("",)) for requirement in waiting]
    seen = set()
    while needed:
        requirement, extras = needed.pop()
        name, marker = canonicalize_name(requirement.name), requirement.marker
        if marker and not any(marker.evaluate({"extra": extra}) for extra in extras):
            continue
        own = ("", *sorted(requirement.extras))
        if (name, own) not in seen:
            if not any(name == other for other, _extras in seen):
                yield name
            seen.add((name, own))
            needed += [(Requirement(text), own) for text in distribution(name).requires or ()]


def find_licence(name: str) -> str:
    """Find the licence of a package: its expression, its classifiers, or its text."""
    metadata = distribution(name).metadata
    classifiers = [
        text.rpartition(" :: ")[2]
        for text in metadata.get_all("Classifier") or ()
        if text.startswith("License ::")
    ]
    return (
        metadata.get("License-Expression")
        or " OR ".join(classifiers)
        or (metadata.get("License") or "").split("\n")[0]
        or next(
            file.read_text(encoding="utf-8").split("\n")[0]
            for file in distribution(name).files or ()
            if file.name.startswith("LICENSE")
        )
    )


def is_allowed(licence: str) -> bool:
    """Return whether a licence is permissive: each part of AND, at least one of OR."""
    return all(
        any(ALLOWED.search(choice) for choice in part.split(" OR "))
        for part in licence.strip("()").split(" AND ")
    )


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        ("MIT", True),
        ("GPL-3.0-or-later", False),
        ("GNU General Public License v3 (GPLv3)", False),
        ("GNU Lesser General Public License v2 or later (LGPLv2+)", False),
        ("GPL-2.0 OR BSD-3-Clause", True),
        ("MIT AND GPL-2.0", False),
        ("", False),
    ],
)
def test_a_licence_is_judged_by_its_parts(licence: str, allowed: bool) -> None:
    assert is_allowed(licence) is allowed


def test_every_dependency_has_a_licence_that_an_mit_product_may_ship() -> None:
    licences = {name: find_licence(name) for name in find_installed()}

    assert len(licences) > 60
    assert {name for name, licence in licences.items() if not is_allowed(licence)} == WEAK_COPYLEFT
    assert all(re.search("Lesser|LGPL", licences[name]) for name in WEAK_COPYLEFT)


def read_lock() -> dict[str, list[tuple[str, int]]]:
    """Read versions and numbers of hashes of the lock file, by package."""
    locked: dict[str, list[tuple[str, int]]] = {}
    entries = re.split(r"\n(?=[a-z0-9])", (PROJECT / "requirements.lock").read_text("utf-8"))
    for entry in entries:
        if found := re.match(r"([\w.-]+)==(\S+)", entry):
            hashes = len(re.findall(r"--hash=sha256:[0-9a-f]{64}", entry))
            locked.setdefault(canonicalize_name(found[1]), []).append((found[2], hashes))
    return locked


def test_the_lock_file_has_every_requirement_in_its_range_with_hashes() -> None:
    locked = read_lock()

    for requirement in read_requirements("requirements.txt"):
        versions = locked[canonicalize_name(requirement.name)]
        assert all(version in requirement.specifier for version, _hashes in versions), requirement
    assert all(hashes for versions in locked.values() for _version, hashes in versions)


def test_make_run_installs_from_the_lock_file_alone() -> None:
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    run = makefile.split("$(VENV)/.made:")[1].split("\n\n")[0]

    assert "--require-hashes -r requirements.lock" in run


DOCUMENTED = {"streamlit", "streamlit.column_config"}
"""Modules of Streamlit that its documentation names."""


def test_each_undocumented_part_of_streamlit_is_in_the_decision_about_them() -> None:
    found = {
        node.module
        for file in (PROJECT / "app.py", *(PROJECT / "qa_core").rglob("*.py"))
        for node in sources.find_nodes(file)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "streamlit"
    }
    decision = (PROJECT / "docs" / "decisions" / "streamlit-private.md").read_text(encoding="utf-8")

    listed = set(re.findall(r"^\| `(streamlit[\w.]+)` \|", decision, re.MULTILINE))
    assert found - DOCUMENTED == listed
