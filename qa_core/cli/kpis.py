"""`kpi`, `kpis` and `score`: the numbers of the pages on the command line."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from qa_core.base.i18n import _
from qa_core.cli.options import As, Json, add_commands, print_json, read_as, read_json, read_toml

if TYPE_CHECKING:
    from qa_core.metrics.query import Explanation


def register(app: typer.Typer) -> None:
    add_commands(app, kpi=kpi)
    app.command("kpis")(kpis)
    app.command("score")(score)


def kpi(
    names: list[str] = typer.Argument(metavar="NAME…", help="KPIs, by key; `kpis` lists them."),
    by: list[str] | None = typer.Option(
        None, "--by", metavar="DIM", help="Split by a dimension, or by combinations of several."
    ),
    first: str | None = typer.Option(None, "--from", metavar="DATE", help="First day, inclusive."),
    last: str | None = typer.Option(None, "--to", metavar="DATE", help="Last day, inclusive."),
    where: list[str] | None = typer.Option(
        None,
        "--where",
        metavar="DIM=VALUE",
        help="Filter; the same dimension twice means or; DIM= selects missing values.",
    ),
    set_: list[str] | None = typer.Option(
        None, "--set", metavar="NAME=VALUE", help="Override a setting for this question."
    ),
    as_: As = None,
    explained: bool = typer.Option(
        False,
        "--explain",
        help="Also what is counted and excluded, settings and sources; not with --by.",
    ),
    as_json: Json = False,
) -> None:
    """Measure KPIs."""
    from qa_core.metrics import kpi_question

    question = kpi_question.KpiQuestion(
        names, by or (), first, last, where or (), set_ or (), explained
    )
    answer = kpi_question.answer(read_as(as_), question)
    if as_json:
        return print_json(answer.as_json())
    _print_rows(answer.rows, answer.data_through)
    _print_populations(answer.rows)
    for one in answer.explanations or ():
        _print_explanation(one)


def _print_populations(rows: list[dict]) -> None:
    """Print what is not seen behind the values, once for all KPIs that it concerns."""
    from qa_core.analysis import note_texts

    said = dict.fromkeys((note, row["kpi"]) for row in rows for note in row.get("notes", ()))
    for code, text in note_texts.POPULATIONS.items():
        if keys := [key for note, key in said if note == code]:
            print(f"{', '.join(keys)}: {_(text)}")


def _print_explanation(one: Explanation) -> None:
    from qa_core.analysis import explanations
    from qa_core.metrics import formatting, setting_texts

    print(f"\n{_(one.kpi.title)}. {_(one.kpi.formula)}")
    for title, n in explanations.build_rows(one):
        print(f"  {formatting.number(n):>12}  {title}")
    for variant in one.variants:
        value = formatting.value(variant.row.value, one.kpi.unit)
        print(
            f"  {value:>12}  {setting_texts.setting_value(str(one.varied_setting), variant.value)}"
        )


def kpis(as_json: Json = False) -> None:
    """List every KPI with its meaning and formula."""
    from qa_core.metrics import kpis as declared

    if as_json:
        return print_json([entry.as_json() for entry in declared.ALL])
    for entry in declared.ALL:
        print(f"{entry.key}\n    {_(entry.title)}. {_(entry.meaning)}\n    {_(entry.formula)}")


def score(
    grid: Path = typer.Argument(metavar="GRID.toml"),
    answers: Path = typer.Argument(metavar="ANSWERS.json"),
    as_json: Json = False,
) -> None:
    """Compute the score of one evaluation, without any store."""
    from qa_core import scoring

    declared = scoring.parse_scorecard(read_toml(grid, "bad_grid"))
    result = scoring.score(declared, read_json(answers, "bad_answers")).as_json()
    if as_json:
        return print_json(result)
    shown = lambda value: "–" if value is None else f"{value:g}"  # noqa: E731
    titles = (_("score"), _("calculated"))
    print(
        f"{titles[0]} {shown(result['score'])} · {titles[1]} "
        f"{shown(result['calculated_score'])} · {result['outcome'] or '–'}"
    )
    for section in result["sections"]:
        print(f"    {section['name']}: {shown(section['score'])}")


def _print_rows(rows: list[dict], through: datetime | None) -> None:
    from rich.console import Console
    from rich.table import Table

    from qa_core.metrics import formatting
    from qa_core.metrics import kpis as declared

    table = Table(box=None, pad_edge=False)
    dimensions = list(rows[0]["by"]) if rows else []
    texts = (*dimensions, "kpi", "status")
    for heading in (*dimensions, "kpi", "value", "95 %", "n", "status"):
        table.add_column(heading, justify="left" if heading in texts else "right")
    for row in rows:
        unit, currency = declared.BY_KEY[row["kpi"]].unit, row["by"].get("currency")
        cells = ["–" if value is None else str(value) for value in row["by"].values()]
        count = "–" if row["n"] is None else formatting.number(row["n"])
        table.add_row(
            *cells,
            row["kpi"],
            formatting.value(row["value"], unit, currency),
            formatting.interval(row["low"], row["high"], unit, currency),
            count,
            row["status"],
        )
    Console(width=140, highlight=False).print(table)
    print(
        _("Data through {moment}.", moment=formatting.moment(through))
        if through
        else _("No data yet.")
    )
