"""The rules of the house, held over the source itself: imports go one way, pages are thin, every module says what it is for."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from qa_core.base import environment

LAYERS: tuple[frozenset[str], ...] = tuple(
    frozenset(layer.split())
    for layer in (
        "errors wording statistics scoring drivers",
        "home",
        "records",
        "journal passwords tickets",
        "access",
        "slices facts settings names",
        "kpis lake engines",
        "query",
        "acts figures setting_words movement spans half_hours findings charts series yearly case_mix",
        "people sign_in downloads sheets exports explanations oversight conventions advisors evaluations "
        "compliance daily grids recordings sampling calibration coaching severity "
        "ingest demo doctor irritants targets alerts annotations numbers peers",
        "ui commands __main__ locale",
    )
)
"""A room imports from its own layer and those above it in this list, and from none below."""

STREAMLIT_ROOMS = frozenset({"ui"})
PAGE_IMPORTS_FORBIDDEN = frozenset({"sqlalchemy", "pandas", "plotly", "duckdb", "pyarrow", "deltalake", "numpy"})
FILES = sorted((environment.PROJECT / "qa_core").rglob("*.py"))
PAGES = sorted((environment.PROJECT / "pages").rglob("*.py"))
ALL = [*FILES, *PAGES, environment.PROJECT / "app.py", *sorted((environment.PROJECT / "tests").rglob("*.py"))]


def name_of(path: Path) -> str:
    return path.relative_to(environment.PROJECT).as_posix()


def room_of(path: Path) -> str:
    """`people` for qa_core/people.py, `lake` for all of qa_core/lake/, the package itself for qa_core/__init__.py."""
    return path.relative_to(environment.PROJECT / "qa_core").parts[0].removesuffix(".py")


def imports_of(path: Path) -> set[str]:
    """Every dotted name that the file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def layer_of(room: str) -> int:
    return next(number for number, layer in enumerate(LAYERS) if room in layer)


def test_every_room_has_its_layer() -> None:
    rooms = {room_of(path) for path in FILES} - {"__init__"}

    assert rooms <= frozenset().union(*LAYERS)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_go_one_way(path: Path) -> None:
    room = room_of(path)
    if room == "__init__":
        return
    used = {name.split(".")[1] for name in imports_of(path) if name.startswith("qa_core.")}
    rooms = {name for name in used if (environment.PROJECT / "qa_core" / name).is_dir() or (environment.PROJECT / "qa_core" / f"{name}.py").exists()}

    against = {other for other in rooms if layer_of(other) > layer_of(room)}
    assert not against, f"{room} imports from below: {sorted(against)}"


@pytest.mark.parametrize("room", ["scoring", "statistics"])
def test_the_pure_rooms_import_no_other(room: str) -> None:
    for path in FILES:
        if room_of(path) == room:
            others = {
                name
                for name in imports_of(path)
                if name.startswith("qa_core") and not name.startswith((f"qa_core.{room}", "qa_core.base.errors", "qa_core.base.i18n"))
            }
            assert others <= {"qa_core"}, name_of(path)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_only_the_ui_knows_streamlit(path: Path) -> None:
    if room_of(path) not in STREAMLIT_ROOMS:
        assert not {name for name in imports_of(path) if name.split(".")[0] in ("streamlit", "streamlit_authenticator", "starlette")}


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_a_page_asks_and_shows_and_does_nothing_itself(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert not {name.split(".")[0] for name in imports_of(path)} & PAGE_IMPORTS_FORBIDDEN
    assert "session_state" not in source and "unsafe_allow_html" not in source and "st.download_button" not in source and "st.audio" not in source
    assert len(source.splitlines()) <= 110, "there is logic to move to qa_core"


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_a_page_asks_the_gate_before_anything_else(path: Path) -> None:
    statements = [node for node in ast.parse(path.read_text(encoding="utf-8")).body if not isinstance(node, ast.Import | ast.ImportFrom)]
    first = next(node for node in statements if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)))

    assert "gate.current_" in ast.unparse(first)


@pytest.mark.parametrize("path", [*PAGES, *(path for path in FILES if room_of(path) == "ui")], ids=name_of)
def test_a_fragment_asks_the_gate_itself(path: Path) -> None:
    # Its rerun executes the fragment and nothing before it.
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and any("fragment" in ast.unparse(decorator) for decorator in node.decorator_list):
            assert "gate.current_" in ast.unparse(node), f"{name_of(path)}:{node.name}"


def test_nothing_personal_leaves_by_the_addresses_of_streamlit() -> None:
    for path in (path for path in FILES if room_of(path) == "ui"):
        for word in ("download_button(", "st.audio(", "st.video("):
            assert word not in path.read_text(encoding="utf-8"), f"{name_of(path)}: {word}"


def test_no_markup_of_our_own_reaches_the_browser() -> None:
    for path in FILES:
        assert "unsafe_allow_html=True" not in path.read_text(encoding="utf-8"), name_of(path)


@pytest.mark.parametrize("path", ALL, ids=name_of)
def test_every_module_opens_with_one_sentence(path: Path) -> None:
    if path.name == "__init__.py" and not path.read_text(encoding="utf-8").strip():
        return
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert docstring, "what is this file for?"


def test_no_room_is_called_by_what_it_is_not() -> None:
    assert not {path.stem for path in ALL} & {"utils", "util", "helpers", "helper", "common", "misc"}


def test_nothing_that_streamlit_would_find_by_itself_lies_beside_the_front_door() -> None:
    # Beside the main script, a folder `pages` is served to strangers of a cold server without the front door.
    assert not (environment.PROJECT / "qa_core" / "ui" / "pages").exists()
    assert not list((environment.PROJECT / "pages").glob("*.py"))


def test_session_state_is_written_only_in_the_ui() -> None:
    for path in [*PAGES, *(path for path in FILES if room_of(path) != "ui")]:
        assert "session_state[" not in path.read_text(encoding="utf-8"), name_of(path)
