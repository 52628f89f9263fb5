"""The KPIs and the one door to the facts."""

from qa_core.metrics.query import measure
