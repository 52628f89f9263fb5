"""Several cuts of one question, counted in one pass over the facts."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Any

from qa_core.metrics.kpi import dimension_sql
from qa_core.metrics.kpi.dimension_sql import Names
from qa_core.metrics.kpi.statements import MetricQuery
from qa_core.storage.records import store

Records = list[dict[str, Any]]


@dataclass
class SharedCuts:
    """Records of several cuts. The first cut asked for runs one query for all of them.
    `is_asked_once`: nobody asks for them again, so the sums of their days are not kept.
    """

    cuts: tuple[tuple[str, ...], ...] = ()
    is_asked_once: bool = False
    _found: dict[Hashable, Records] = field(default_factory=dict)

    def find_records(
        self, key: Hashable, question: MetricQuery, find: Callable[[MetricQuery], Records]
    ) -> Records:
        """Return the records of the question's cut; `find` is asked once for each key."""
        if len(self.cuts) < 2 or question.by not in self.cuts or not self._may_be_shared(question):
            return find(question)
        if key not in self._found:
            self._found[key] = find(self._widen(question))
        return [
            {name: value for name, value in record.items() if _is_of(name, question.by)}
            for record in self._found[key]
            if all((name in question.by) != record[f"by_{name}__out"] for name in self._list())
        ]

    def _may_be_shared(self, question: MetricQuery) -> bool:
        if "advisor" in self._list() and question.has_machines:
            return False  # of other contacts than the cuts beside it
        # Months and days are what the sums that are kept are cut by, and two cuts by the
        # same dimensions would be one group.
        is_twice = len({frozenset(cut) for cut in self.cuts}) < len(self.cuts)
        return not is_twice and not {"month", "day"} & set(self._list())

    def _list(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for cut in self.cuts for name in cut))

    def _widen(self, question: MetricQuery) -> MetricQuery:
        by = self._list()
        with store.reading() as session:
            names = Names.load(session, dimension_sql.dimensions_of(by, question.where))
        return replace(question, by=by, cuts=self.cuts, names=names)


def _is_of(name: str, by: tuple[str, ...]) -> bool:
    """Return whether a column is an aggregate, or one of these groups."""
    return not name.startswith("by_") or name.removeprefix("by_") in by
