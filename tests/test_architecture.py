"""The rules of the house, held over the source itself: imports go one way, pages are
thin, every module says what it is for.
"""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path, PurePosixPath

import pytest
from tools import rooms, row_access, sources

from qa_core.base import environment

STREAMLIT_ROOMS = frozenset({"ui"})
PAGE_IMPORTS_FORBIDDEN = frozenset(
    {"sqlalchemy", "pandas", "plotly", "duckdb", "pyarrow", "deltalake", "numpy"}
)
PAGE_LINES = 60
FILES = sorted((environment.PROJECT / "qa_core").rglob("*.py"))
PAGES = sorted((environment.PROJECT / "pages").rglob("*.py"))
ALL = [
    *FILES,
    *PAGES,
    environment.PROJECT / "app.py",
    *sorted((environment.PROJECT / "tests").rglob("*.py")),
]


@functools.cache
def find_imports() -> dict[str, set[str]]:
    """Find which modules of the product import each other."""
    return rooms.find_imports(rooms.find_modules())


def name_of(path: Path) -> str:
    return path.relative_to(environment.PROJECT).as_posix()


def room_of(path: Path) -> str:
    """`lake` for all of qa_core/lake/, the package itself for qa_core/__init__.py."""
    return path.relative_to(environment.PROJECT / "qa_core").parts[0].removesuffix(".py")


@functools.cache
def imports_of(path: Path) -> set[str]:
    """Every dotted name that the file imports, anywhere in it."""
    found: set[str] = set()
    for node in sources.find_nodes(path):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def names_taken_by(path: Path) -> set[str]:
    """Every dotted name that the file imports, or takes from a module it imported."""
    nodes = sources.find_nodes(path)
    modules: dict[str, set[str]] = {}
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                modules.setdefault(alias.asname or alias.name, set()).add(
                    f"{node.module}.{alias.name}"
                )
    taken = {
        (node.value.id, node.attr)
        for node in nodes
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    return imports_of(path) | {
        f"{module}.{name}" for by, name in taken for module in modules.get(by, ())
    }


def test_a_package_hands_on_only_what_somebody_takes() -> None:
    taken = set().union(*map(names_taken_by, ALL))
    for path in FILES:
        if path.name == "__init__.py":
            package = ".".join(path.relative_to(environment.PROJECT).parent.parts)
            own = {node.id for node in sources.find_nodes(path) if isinstance(node, ast.Name)}
            handed_on = {
                alias.name
                for node in sources.parse(path).body
                if isinstance(node, ast.ImportFrom) and node.module != "__future__"
                for alias in node.names
            }
            assert not {name for name in handed_on - own if f"{package}.{name}" not in taken}, (
                package
            )


def test_every_room_has_its_floor_and_no_file_lies_loose_beside_them() -> None:
    package = environment.PROJECT / "qa_core"

    assert {
        path.name for path in package.iterdir() if path.is_dir() and path.name != "__pycache__"
    } == set(rooms.ROOMS)
    assert {path.name for path in package.glob("*.py")} == {"__init__.py", "__main__.py"}


def test_a_room_imports_from_the_floors_below_it_alone() -> None:
    arrows = rooms.find_arrows(find_imports())
    against = {
        arrow: sorted(found)
        for arrow, found in arrows.items()
        if rooms.floor_of(arrow[1]) >= rooms.floor_of(arrow[0])
    }

    assert {here for here, _there in arrows} >= {"ui", "metrics"}
    assert not against


def test_no_files_import_each_other_in_a_circle() -> None:
    assert rooms.find_circles(find_imports()) == []


def test_a_circle_of_imports_is_found() -> None:
    assert rooms.find_circles({"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set()}) == [
        ["a", "b", "c"]
    ]


def test_imports_in_functions_and_for_typing_alone_count(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("def work():\n    from qa_core.two import thing\n")
    (tmp_path / "two.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from qa_core import one\n"
    )

    assert rooms.find_imports(
        {"qa_core.one": tmp_path / "one.py", "qa_core.two": tmp_path / "two.py"}
    ) == {
        "qa_core.one": {"qa_core.two"},
        "qa_core.two": {"qa_core.one"},
    }


@pytest.mark.parametrize("room", ["scoring", "stats"])
def test_the_pure_rooms_import_no_other(room: str) -> None:
    for path in FILES:
        if room_of(path) == room:
            others = {
                name
                for name in imports_of(path)
                if name.startswith("qa_core")
                and not name.startswith(
                    (f"qa_core.{room}", "qa_core.base.errors", "qa_core.base.i18n")
                )
            }
            assert not others, name_of(path)


def test_only_the_ui_knows_streamlit() -> None:
    knowing = {
        path
        for path in FILES
        if {name.split(".")[0] for name in imports_of(path)}
        & {"streamlit", "streamlit_authenticator", "starlette"}
    }
    assert knowing
    assert [name_of(path) for path in knowing if room_of(path) not in STREAMLIT_ROOMS] == []


def test_a_page_asks_and_shows_and_does_nothing_itself() -> None:
    words = ("session_state", "unsafe_allow_html", "st.download_button", "st.audio")
    against = {
        name_of(path): found
        for path in PAGES
        if (
            found := [
                *({name.split(".")[0] for name in imports_of(path)} & PAGE_IMPORTS_FORBIDDEN),
                *(word for word in words if word in sources.read(path)),
            ]
        )
    }
    assert against == {}
    # There is logic to move to qa_core in those that are longer.
    lengths = {name_of(path): len(sources.read(path).splitlines()) for path in PAGES}
    assert {page: lines for page, lines in lengths.items() if lines > PAGE_LINES} == {}


def test_a_page_opens_itself_before_anything_else() -> None:
    first = {
        name_of(path): next(
            ast.unparse(node)
            for node in sources.parse(path).body
            if not isinstance(node, ast.Import | ast.ImportFrom)
            and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        )
        for path in PAGES
    }

    # It asks the gate, with the permission of the page's entry in the menu.
    opening = re.compile(r"viewer(, state)? = page_frame\.open_(page|figures)\('(\w+)'.*\)")
    opened = {page: opening.fullmatch(found) for page, found in first.items()}
    assert {page: match and match[3] for page, match in opened.items()} == {
        page: PurePosixPath(page).stem for page in opened
    }


def test_a_fragment_asks_the_gate_itself() -> None:
    # Its rerun executes the fragment and nothing before it.
    fragments = {
        f"{name_of(path)}:{node.name}": ast.unparse(node)
        for path in [*PAGES, *(path for path in FILES if room_of(path) == "ui")]
        for node in sources.find_nodes(path)
        if isinstance(node, ast.FunctionDef)
        and any("fragment" in ast.unparse(decorator) for decorator in node.decorator_list)
    }
    assert fragments
    assert [
        place
        for place, source in fragments.items()
        if "gate.current_" not in source and "gate.find_signed_in" not in source
    ] == []


def test_nothing_personal_leaves_by_the_addresses_of_streamlit() -> None:
    for path in (path for path in FILES if room_of(path) == "ui"):
        for word in ("download_button(", "st.audio(", "st.video("):
            assert word not in sources.read(path), f"{name_of(path)}: {word}"


def test_no_markup_of_our_own_reaches_the_browser() -> None:
    for path in FILES:
        assert "unsafe_allow_html=True" not in sources.read(path), name_of(path)


def test_every_module_opens_with_one_sentence() -> None:
    silent = [
        name_of(path)
        for path in ALL
        if not ast.get_docstring(sources.parse(path))
        and (path.name != "__init__.py" or sources.read(path).strip())
    ]
    assert silent == []


def test_no_room_is_called_by_what_it_is_not() -> None:
    assert not {path.stem for path in ALL} & {
        "utils",
        "util",
        "helpers",
        "helper",
        "common",
        "misc",
    }


def test_nothing_that_streamlit_would_find_by_itself_lies_beside_the_front_door() -> None:
    # Beside the main script, a folder `pages` is served to strangers of a cold server
    # without the front door.
    assert not (environment.PROJECT / "qa_core" / "ui" / "pages").exists()
    assert not list((environment.PROJECT / "pages").glob("*.py"))


def test_a_class_name_means_one_thing_in_the_whole_product() -> None:
    places: dict[str, list[str]] = {}
    for path in FILES:
        for node in sources.find_nodes(path):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(name_of(path))

    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_session_state_is_written_only_in_the_ui() -> None:
    for path in [*PAGES, *(path for path in FILES if room_of(path) != "ui")]:
        assert "session_state[" not in sources.read(path), name_of(path)


# The row guard: what reads for a person goes through the engine of the facts and the
# sessions of the records, and says for whom.

OWN_CONNECTIONS = {
    # Files of rows are read, joined and kept there before anybody sees them.
    "qa_core/ingest/platforms/reader.py",
    "qa_core/ingest/watch/queue_log.py",
}
DATABASE_ITSELF = {
    "qa_core/cli/doctor.py",  # which database it is
    "qa_core/sources/platforms/sql.py",  # databases of other tools
}
ASK_FOR_A_SCOPE = {
    # Whether a round or a draw lies in a scope as a whole: its rows outside are looked for.
    "qa_core/metrics/kpi/calibration_metrics.py",
    "qa_core/quality/sampling/plans.py",
}
READS_FOR_NOBODY = {"ingest", "upkeep", "centre", "storage"}


def files_that_call(*names: str) -> set[str]:
    """The files outside storage that call a function whose written name ends so."""
    return {
        name_of(path)
        for path in FILES
        if room_of(path) != "storage"
        and any(call.endswith(names) for _node, call in sources.find_calls(path))
    }


def test_only_storage_connects_to_the_facts_and_the_records() -> None:
    assert not files_that_call("duckdb.connect")
    assert files_that_call("duckdb_connection.connect") == OWN_CONNECTIONS
    assert files_that_call("engine_for", "raw_connection", "create_engine") == DATABASE_ITSELF
    assert not files_that_call("sessionmaker", "scoped_session", "orm.Session")
    for path in FILES:
        if room_of(path) != "storage":
            source = sources.read(path)
            assert "current().connection" not in source, name_of(path)


def test_the_facts_are_read_by_the_engine_or_by_what_reads_for_nobody() -> None:
    of_engine = {room_of(path) for path in FILES if "qa_core.storage.engine" in imports_of(path)}
    unscoped_import_rows = {
        name.split("/")[1] for name in files_that_call("lake.working", "lake.files")
    }

    assert of_engine == {"metrics"}
    assert unscoped_import_rows - READS_FOR_NOBODY == {
        "metrics"
    }  # which asks whether there are any
    assert not files_that_call("read_parquet", "DeltaTable")


def test_a_viewers_scope_is_asked_for_by_the_guard_alone() -> None:
    assert files_that_call(".scope") == ASK_FOR_A_SCOPE


def test_every_look_beyond_a_scope_gives_a_reason_in_a_sentence() -> None:
    for one in row_access.find_exceptions():
        if one.kind != row_access.AS_SYSTEM:
            place = f"{one.file}: {one.function}"
            assert one.reason, f"{place}: write the reason where it is used"
            assert one.reason[0].isupper() and one.reason.endswith("."), place
            assert len(one.reason.split()) >= 8, place


def test_the_ui_reads_through_the_rooms_and_notes_nothing_itself() -> None:
    for path in FILES:
        if room_of(path) == "ui":
            assert not {
                name
                for name in imports_of(path)
                if name.startswith(("qa_core.storage.audit_log", "qa_core.storage.facts.guard"))
            }, name_of(path)
