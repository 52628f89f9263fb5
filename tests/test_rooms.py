"""The rules of rooms and folders: no circle inside a room, no statistics on the pages, one
class for one name.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

from tools import rooms, sources

MODULES = rooms.find_modules()
STATISTICS = frozenset({"math", "statistics", "NormalDist", "Z95", "scipy", "numpy"})


def test_no_folders_of_a_room_import_each_other_in_a_circle() -> None:
    folders = rooms.find_folder_imports(MODULES, rooms.find_imports(MODULES))

    assert len(folders) > 30 and rooms.find_circles(folders) == []


def test_a_circle_of_folders_is_found() -> None:
    imports = {"qa_core.a.b.one": {"qa_core.a.c.two"}, "qa_core.a.c.two": {"qa_core.a.b.one"}}
    modules = {name: rooms.PROJECT / f"{name}.py" for name in imports}

    assert rooms.find_circles(rooms.find_folder_imports(modules, imports)) == [
        ["qa_core.a.b", "qa_core.a.c"]
    ]


def find_statistics(path: Path) -> set[str]:
    found = set()
    for node in sources.find_nodes(path):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [alias.name for alias in node.names]
            found |= {*modules, getattr(node, "module", None)} & STATISTICS
        elif isinstance(node, ast.Attribute):
            found |= {node.attr} & {"Z95", "NormalDist"}
    return found


def test_pages_compute_no_statistics() -> None:
    found = {
        name: statistics
        for name, path in MODULES.items()
        if rooms.room_of(name) in ("ui", None) and (statistics := find_statistics(path))
    }

    assert not found


def test_statistics_are_found(tmp_path: Path) -> None:
    (tmp_path / "page.py").write_text("from statistics import NormalDist\nhalf = stats.Z95 * 2\n")

    assert find_statistics(tmp_path / "page.py") == {"statistics", "NormalDist", "Z95"}


def test_a_class_has_a_name_of_one_thing() -> None:
    places = defaultdict(list)
    for name, path in MODULES.items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(name)

    assert not {name: found for name, found in places.items() if len(found) > 1}
