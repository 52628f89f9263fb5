"""KPI questions in the words of the command line, for both the command and the API."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from qa_core.access.roles import Viewer
from qa_core.base.arguments import parse_day, parse_pairs
from qa_core.base.errors import Misuse
from qa_core.metrics.kpi.data_span import data_through
from qa_core.metrics.kpi.explain import Explanation, explain
from qa_core.metrics.kpi.measure import measure
from qa_core.metrics.kpi.result_rows import to_json
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.storage import bounds


@dataclass(frozen=True)
class KpiQuestion:
    """Arguments of `kpi` as text (docs/contract.md, section 5); pairs are written NAME=VALUE."""

    names: Sequence[str]
    by: Sequence[str] = ()
    first_day: str | None = None
    last_day: str | None = None
    where: Sequence[str] = ()
    overrides: Sequence[str] = ()
    is_explained: bool = False


@dataclass(frozen=True)
class KpiAnswer:
    """Rows of docs/contract.md, section 5, and an explanation of each KPI where asked for."""

    rows: list[dict[str, Any]]
    data_through: datetime | None
    explanations: list[Explanation] | None

    def as_json(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "rows": self.rows,
            "data_through": self.data_through.isoformat() if self.data_through else None,
        }
        if self.explanations is not None:
            document["explanation"] = [explanation.as_json() for explanation in self.explanations]
        return document


def answer(viewer: Viewer, question: KpiQuestion) -> KpiAnswer:
    """Measure in the viewer's scope. Raises as `measure`, Misuse, and as `bounds.check`."""
    choices = defaultdict(list)
    for dimension, value in parse_pairs(question.where):
        choices[dimension].append(value or None)
    period = Period(parse_day(question.first_day), parse_day(question.last_day))
    filters, by = Filters.of(period, choices), tuple(question.by)
    overrides = dict(parse_pairs(question.overrides))
    if question.is_explained and by:
        raise Misuse(
            "explained_cut",
            "Only one value can be explained at a time. Remove the dimension (by) and filter "
            "on its value (where).",
        )
    frame = measure(
        viewer, tuple(question.names), by, filters, overrides=overrides, has_previous=True
    )
    bounds.check(len(frame))
    return KpiAnswer(
        to_json(frame, by),
        data_through(viewer),
        [explain(viewer, name, filters, overrides) for name in dict.fromkeys(question.names)]
        if question.is_explained
        else None,
    )
