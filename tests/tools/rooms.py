"""The rooms of `qa_core`, their floors, and every import between them, read from the
source.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from tools import sources

PROJECT = Path(__file__).resolve().parents[2]

FLOORS: tuple[tuple[str, ...], ...] = (
    ("ui", "cli"),
    ("delivery", "sources"),
    ("upkeep",),
    ("ingest",),
    ("quality",),
    ("analysis", "compliance"),
    ("metrics",),
    ("centre",),
    ("access",),
    ("storage", "files", "scoring"),
    ("base", "stats"),
)
"""From the top down. A room imports from floors below its own, and never from a room on
its own floor.
"""

ROOMS = tuple(room for floor in FLOORS for room in floor)


def floor_of(room: str) -> int:
    """Return the number of a room's floor, 1 at the bottom."""
    return len(FLOORS) - next(place for place, floor in enumerate(FLOORS) if room in floor)


def find_modules(project: Path = PROJECT) -> dict[str, Path]:
    """Find the product's modules by dotted name. Migrations are left out: they are run,
    not imported.
    """
    paths = [
        path
        for folder in ("qa_core", "pages")
        for path in sorted((project / folder).rglob("*.py"))
        if "migrations" not in path.parts
    ]
    modules = {
        ".".join(path.relative_to(project).with_suffix("").parts): path
        for path in [*paths, project / "app.py"]
    }
    return {name.removesuffix(".__init__"): path for name, path in modules.items()}


def find_imports(modules: Mapping[str, Path]) -> dict[str, set[str]]:
    """Find which modules each module imports, anywhere in it: inside functions and
    under TYPE_CHECKING too.
    """
    found: dict[str, set[str]] = {}
    known = set(modules)
    for name, path in modules.items():
        found[name] = set()
        for node in sources.find_nodes(path):
            if isinstance(node, ast.Import):
                found[name] |= {alias.name for alias in node.names if alias.name in modules}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                named = {f"{node.module}.{alias.name}" for alias in node.names}
                found[name] |= named & known
                if named - known and node.module in known:
                    found[name].add(node.module)
        found[name].discard(name)
    return found


def room_of(module: str) -> str | None:
    """Return the room of a module: `metrics` for qa_core.metrics.kpis.periods; None for what
    stands on top of all rooms.
    """
    parts = module.split(".")
    return parts[1] if parts[0] == "qa_core" and len(parts) > 1 and parts[1] != "__main__" else None


def find_arrows(imports: Mapping[str, set[str]]) -> dict[tuple[str, str], set[tuple[str, str]]]:
    """Find the arrows between rooms, each with the imports that make it."""
    arrows: dict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
    for name, targets in imports.items():
        for target in targets:
            here, there = room_of(name), room_of(target)
            if here and there and here != there:
                arrows[here, there].add((name, target))
    return dict(arrows)


def find_folder_imports(
    modules: Mapping[str, Path], imports: Mapping[str, set[str]]
) -> dict[str, set[str]]:
    """Find which folders of a room import which others of the same room."""
    folder_of = {
        name: name if path.name == "__init__.py" else name.rpartition(".")[0]
        for name, path in modules.items()
    }
    found: dict[str, set[str]] = defaultdict(set)
    for name, targets in imports.items():
        for target in targets:
            if room_of(name) and room_of(name) == room_of(target):
                found[folder_of[name]] |= {folder_of[target]} - {folder_of[name]}
    return dict(found)


def find_circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Find the sets of nodes that reach each other (Tarjan's strongly connected
    components of more than one node).
    """
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    path: list[str] = []
    circles: list[list[str]] = []

    def visit(node: str) -> None:
        order[node] = lowest[node] = len(order)
        path.append(node)
        for target in graph.get(node, ()):
            if target not in order:
                visit(target)
                lowest[node] = min(lowest[node], lowest[target])
            elif target in path:
                lowest[node] = min(lowest[node], order[target])
        if lowest[node] == order[node]:
            place = path.index(node)
            if len(path) - place > 1:
                circles.append(sorted(path[place:]))
            del path[place:]

    for node in graph:
        if node not in order:
            visit(node)
    return circles


def draw_diagram(arrows: Mapping[tuple[str, str], set[tuple[str, str]]]) -> str:
    """Draw rooms by floor and arrows as a Mermaid flowchart; an arrow that longer ways
    imply is left out.
    """
    targets: dict[str, set[str]] = defaultdict(set)
    for here, there in arrows:
        targets[here].add(there)
    lines = ["```mermaid", "flowchart TB"]
    for number, floor in zip(range(len(FLOORS), 0, -1), FLOORS, strict=True):
        lines.append(f'  subgraph floor{number}["{number}"]')
        lines += [f"    {room}" for room in floor]
        lines.append("  end")
    for here in ROOMS:
        implied = set().union(*(_reach(targets, there) for there in targets[here]))
        lines += [f"  {here} --> {there}" for there in ROOMS if there in targets[here] - implied]
    return "\n".join([*lines, "```"])


def _reach(targets: Mapping[str, set[str]], room: str) -> set[str]:
    below = targets.get(room, set())
    return set(below).union(*(_reach(targets, there) for there in below))


if __name__ == "__main__":
    imports = find_imports(find_modules())
    arrows = find_arrows(imports)
    upward = [arrow for arrow in arrows if floor_of(arrow[0]) <= floor_of(arrow[1])]
    print(
        f"{len(ROOMS)} rooms on {len(FLOORS)} floors, {len(arrows)} arrows, {len(upward)} "
        f"upwards or sideways, {len(find_circles(imports))} circles of files"
    )
