"""`kpi`, `kpis` and `score`: the numbers of the pages on the command line; `engine`: whether a
second one counts as DuckDB does; `editions`: the months that executives see, as published.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.base.i18n import _
from qa_core.base.row_values import read_fields
from qa_core.cli.files import read_json, read_toml
from qa_core.cli.output import DONE, REFUSED, CommandResult, Output, format_table, write
from qa_core.cli.registry import AS_USERNAME, ROOT, argument, flag, option, read_as, record

if TYPE_CHECKING:
    from qa_core.metrics.query import Explanation

SHOWN = 10
PEOPLE = {"advisor", "evaluator"}
"""Dimensions whose values are persons: such a question is in the audit log."""
ENGINE = ROOT.add_group("engine", "The engine that answers questions.")
FIELDS = ("month", "state", "edition", "published_at", "published_by", "settles_on")
EDITIONS = ROOT.add_group("editions", "Months published to executives.")


@ROOT.command("kpi")
def kpi(
    names: list[str] = argument("NAME…", "KPIs, by key; `kpis` lists them."),
    by: list[str] | None = option("Split by a dimension, or by combinations of several.", "DIM"),
    first: str | None = option("First day, inclusive.", "DATE", name="--from"),
    last: str | None = option("Last day, inclusive.", "DATE", name="--to"),
    where: list[str] | None = option(
        "Filter; the same dimension twice means or; DIM= selects missing values.", "DIM=VALUE"
    ),
    set_: list[str] | None = option(
        "Override a setting for this question.", "NAME=VALUE", name="--set"
    ),
    as_: str | None = AS_USERNAME,
    explained: bool = flag(
        "Also what is counted and excluded, settings and sources; not with --by.", name="--explain"
    ),
) -> Output:
    """Measure KPIs."""
    from qa_core.analysis import note_texts
    from qa_core.metrics import kpi_question
    from qa_core.metrics.kpis import formatting

    question = kpi_question.KpiQuestion(
        names, by or (), first, last, where or (), set_ or (), explained
    )
    answer = kpi_question.answer(read_as(as_), question)
    cuts = {*(by or ()), *(text.partition("=")[0] for text in where or ())}
    if people := sorted(cuts & PEOPLE):
        record("kpis_of_people_asked", ", ".join(names), f"by {', '.join(people)}")
    yield answer.as_json()
    yield _format_rows(answer.rows)
    through = answer.data_through
    yield (
        _("Data through {moment}", moment=formatting.moment(through))
        if through
        else _("No data yet")
    )
    # What is not seen behind the values, once for all KPIs that it concerns.
    notes = dict.fromkeys(
        (note, row["kpi"]) for row in answer.rows for note in row.get("notes", ())
    )
    for code, text in note_texts.POPULATIONS.items():
        if keys := [key for note, key in notes if note == code]:
            yield f"{', '.join(keys)}: {_(text)}"
    for explanation in answer.explanations or ():
        yield from _explain(explanation)


def _explain(explanation: "Explanation") -> Iterator[str]:
    from qa_core.analysis import explanations
    from qa_core.metrics.kpis import formatting

    yield f"\n{_(explanation.kpi.title)}. {_(explanation.kpi.formula)}"
    if explanation.is_published:
        yield _(explanations.PUBLISHED)
    for title, n in explanations.build_rows(explanation):
        yield f"  {formatting.number(n):>12}  {title}"
    for variant in explanation.variants:
        value = formatting.value(variant.row.value, explanation.kpi.unit)
        setting = formatting.setting_value(str(explanation.varied_setting), variant.value)
        yield f"  {value:>12}  {setting}"


@ROOT.command("kpis", needs_records=False)
def kpis() -> Output:
    """List every KPI with its meaning and formula."""
    from qa_core.metrics import kpis as declared

    yield [entry.as_json() for entry in declared.ALL]
    for entry in declared.ALL:
        yield f"{entry.key}\n    {_(entry.title)}. {_(entry.meaning)}\n    {_(entry.formula)}"


@ROOT.command("score", needs_records=False)
def score(grid: Path = argument("GRID.toml"), answers: Path = argument("ANSWERS.json")) -> Output:
    """Compute the score of one evaluation, without any store."""
    from qa_core import scoring

    declared = scoring.parse_scorecard(read_toml(grid, "bad_grid"))
    result = scoring.score(declared, read_json(answers, "bad_answers")).as_json()
    yield result
    shown = lambda value: "–" if value is None else f"{value:g}"  # noqa: E731
    yield " · ".join(
        (shown(result["score"]), shown(result["calculated_score"]), result["outcome"] or "–")
    )
    for section in result["sections"]:
        yield f"    {section['name']}: {shown(section['score'])}"


def _format_rows(rows: list[dict[str, Any]]) -> str:
    from qa_core.metrics import kpis as declared
    from qa_core.metrics.kpis import formatting

    def build_cells(row: dict[str, Any]) -> Iterator[str]:
        unit, currency = declared.BY_KEY[row["kpi"]].unit, row["by"].get("currency")
        yield from ("–" if value is None else str(value) for value in row["by"].values())
        yield row["kpi"]
        yield formatting.value(row["value"], unit, currency)
        yield formatting.interval(row["low"], row["high"], unit, currency)
        yield "–" if row["n"] is None else formatting.number(row["n"])
        yield row["status"]

    dimensions = list(rows[0]["by"]) if rows else []
    headings = (*dimensions, "kpi", "value", "95 %", "n", "status")
    return format_table(headings, map(build_cells, rows), right={"value", "95 %", "n"}, width=140)


@ENGINE.command("check")
def check(
    url: str | None = argument("URL", "sc://HOST:PORT; default QA_ENGINE_URL.", default=None),
    times: int = option("How often the engine is asked.", default=3, min=1),
    days: int = option("The last days of the data.", default=183, min=1),
) -> Output:
    """Compare every KPI with every cut to DuckDB; an engine is used only after it passed."""
    from qa_core.metrics import engine_check

    url = url or environment.current().engine_url
    if url == environment.DUCKDB:
        yield {"ok": True, "engine": url}
        yield _("DuckDB answers; there is no second engine to compare with it.")
        return
    result = engine_check.check_engine(Viewer.SYSTEM, url, times, days)
    document = {"ok": result.is_equal, **asdict(result)}
    yield CommandResult(document, DONE if result.is_equal else REFUSED)
    yield _(
        "{cells} cells of {cuts} breakdowns, compared {times} times: DuckDB {duckdb} s, Spark "
        "{version} {engine} s.",
        cells=result.cells,
        cuts=result.cuts,
        times=result.times,
        duckdb=round(result.duckdb_seconds),
        version=result.version,
        engine=round(result.engine_seconds),
    )
    for difference in result.differences[:SHOWN]:
        cut = ", ".join(f"{name} {value}" for name, value in difference.by.items()) or "–"
        values = f"{difference.duckdb} ≠ {difference.engine}"
        write(f"  {difference.kpi} · {cut} · {difference.column}: {values}", sys.stderr)
    if result.is_equal:
        yield _("All cells agree. {host} may be used.", host=result.host)
        return
    message = _(
        "{n} cells differ; {host} is not used.", n=len(result.differences), host=result.host
    )
    write(message, sys.stderr)


@EDITIONS.command("list")
def list_states() -> Output:
    """List the months: published, due, waiting, or changed since they were published."""
    from qa_core.metrics.kpi import editions

    states = editions.list_states()
    yield [read_fields(state, FIELDS) for state in states]
    for state in states:
        by = state.published_at and f"{state.edition}, {state.published_at:%Y-%m-%d}"
        yield f"{state.month}  {state.state:10} {by or state.settles_on}"


@EDITIONS.command("publish")
def publish(
    months: list[str] = argument("[MONTH]…", "As 2026-10; else all.", default=None),
) -> Output:
    """Publish months at once that are over for long enough, however late they were imported."""
    from qa_core.metrics.kpi import editions

    yield from _describe_published(editions.publish(Viewer.SYSTEM, months or ()))


@EDITIONS.command("due")
def publish_due() -> Output:
    """Publish what is due, as the served app does by itself."""
    from qa_core.metrics.kpi import editions

    yield from _describe_published(editions.publish_due())


def _describe_published(published: Sequence[str]) -> Output:
    yield {"published": published}
    yield from published
