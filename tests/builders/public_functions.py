"""The public functions of the product below its pages that know a viewer, as they are written."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from qa_core.base.environment import PROJECT

KNOWS_A_VIEWER = re.compile(r"^def [a-z]\w*\(\s*viewer\b|viewer\.require\(", re.MULTILINE)


def find_public_functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    """Find the public functions of files that use a viewer, each with its module:
    `metrics.kpi.measure` for qa_core/metrics/kpi/measure.py.
    """
    for path in sorted((PROJECT / "qa_core").rglob("*.py")):
        module = ".".join(path.relative_to(PROJECT / "qa_core").with_suffix("").parts)
        text = path.read_text(encoding="utf-8")
        if not module.startswith("ui.") and KNOWS_A_VIEWER.search(text):
            for node in ast.parse(text).body:
                if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                    yield module.removesuffix(".__init__"), node
