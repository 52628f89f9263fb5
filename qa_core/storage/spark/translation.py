"""Translation of a statement from DuckDB's SQL to Spark's, by sqlglot and the rewrites of what
Spark calls otherwise or computes another way.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import sqlglot
from sqlglot import exp

DISTINCT_VALUES = 1_000_000
"""Values that `histogram_numeric` counts each by itself; beyond, it merges neighbours, and so
a histogram that reaches this is refused.
"""
_LAST_BYTES = "^.{16}(..)(..)(..)(..)(..)(..)(..)(..)$"
_REVERSED = "$8$7$6$5$4$3$2$1"
Seal = Callable[[str], str]


class Unsupported(Exception):
    """Statement that has no certain meaning on Spark."""


def translate(
    text: str, parameters: Sequence[Any], views: Mapping[str, str], sealed: Mapping[str, Seal] = {}
) -> str:
    """Translate a statement of DuckDB with its parameters, which are written out, and its
    views, which go in front of it as common table expressions.

    `sealed`: columns that hold tokens instead of clear text, and what makes the token of a
    text; a statement may select such a column, group by it and compare it with a text.
    Raises Unsupported for what is not certain to mean the same.
    """
    statement = sqlglot.parse_one(text, read="duckdb")
    for placeholder in list(statement.find_all(exp.Placeholder)):
        placeholder.replace(_write_parameter(parameters[int(placeholder.name) - 1]))
    _seal_texts(statement, sealed)
    before = [
        exp.CTE(
            this=sqlglot.parse_one(select, read="duckdb"),
            alias=exp.TableAlias(this=exp.to_identifier(name, quoted=True)),
        )
        for name, select in views.items()
    ]
    with_clause = statement.args.get("with_")
    if before:
        statement.set(
            "with_",
            exp.With(expressions=[*before, *(with_clause.expressions if with_clause else ())]),
        )
    for node in reversed(list(statement.walk())):  # the innermost first
        if (new := _rewrite(node)) is not node:
            node.replace(new)
    return statement.sql("spark", unsupported_level=sqlglot.ErrorLevel.RAISE)


def _write_parameter(value: Any) -> exp.Expression:
    match value:
        case None:
            return exp.null()
        case bool() | int() | float() | str():
            return exp.convert(value)
        case datetime():
            return exp.cast(exp.convert(value.isoformat(" ")), exp.DType.TIMESTAMPNTZ)
        case date():
            return exp.cast(exp.convert(value.isoformat()), exp.DType.DATE)
        case timedelta():
            seconds = exp.convert(f"{value.total_seconds():.6f}")
            return exp.Interval(this=seconds, unit=exp.var("SECOND"))
    raise Unsupported(f"a parameter of type {type(value).__name__}")


def _seal_texts(statement: exp.Expression, sealed: Mapping[str, Seal]) -> None:
    """Replace the texts that sealed columns are compared with by their tokens."""
    for column in list(statement.find_all(exp.Column)):
        seal, parent = sealed.get(column.name), column.parent
        if seal is None or isinstance(parent, exp.Select | exp.Alias | exp.Group | exp.Is):
            continue
        operands = [
            operand.this if isinstance(operand, exp.Cast) else operand
            for operand in (parent.iter_expressions() if parent else ())
            if operand is not column
        ]
        is_known = isinstance(parent, exp.EQ | exp.NEQ | exp.In)
        if not is_known or not all(isinstance(operand, exp.Literal) for operand in operands):
            raise Unsupported(f"{column.name} within {parent.sql('duckdb') if parent else ''}")
        for literal in operands:
            literal.replace(exp.convert(seal(literal.name)))


def _rewrite(node: exp.Expression) -> exp.Expression:
    """Rewrite what Spark calls otherwise or computes another way."""
    match node:
        case exp.Literal(is_string=False) if not node.name.isdigit():
            # Spark takes 0.5 for a decimal number, whose arithmetic rounds.
            is_cast = isinstance(node.parent, exp.Cast)
            return node if is_cast else exp.cast(node, exp.DType.DOUBLE)
        case exp.Extract() if node.name == "EPOCH":
            return _write_seconds(node.expression.unnest())
        case exp.Extract() if node.name == "ISODOW":
            return _call("WEEKDAY", node.expression) + 1
        case exp.ArgMin() if node.args.get("count"):
            return _call("MIN_BY", node.this, node.expression, node.args["count"])
        case exp.RegexpFullMatch():
            return _call("REGEXP_LIKE", node.this, f"^(?:{node.expression.name})$")
        case exp.Grouping() if len(node.expressions) > 1:
            return _write_grouping(node.expressions)
        case exp.Anonymous() if node.name.lower() == "histogram":
            return _call("HISTOGRAM_NUMERIC", *node.expressions, DISTINCT_VALUES)
        case exp.Anonymous() if node.name.lower() == "md5_number_lower":
            digest = exp.MD5(this=node.expressions[0])
            number = _call("CONV", _call("REGEXP_REPLACE", digest, _LAST_BYTES, _REVERSED), 16, 10)
            return exp.cast(number, "DECIMAL(20, 0)")
    return node


def _call(name: str, *arguments: Any) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=[exp.convert(each) for each in arguments])


def _write_seconds(difference: exp.Expression) -> exp.Expression:
    """Write the seconds between two moments; the difference of Spark is an interval."""
    if not isinstance(difference, exp.Sub):
        raise Unsupported(f"the epoch of {difference.sql('duckdb')}")
    micros = _call("TIMESTAMPDIFF", exp.var("MICROSECOND"), difference.expression, difference.this)
    return exp.paren(exp.Div(this=micros, expression=exp.cast("1000000", exp.DType.DOUBLE)))


def _write_grouping(columns: Sequence[exp.Expression]) -> exp.Expression:
    """Write the bits of GROUPING column by column: Spark has it for one column alone."""
    bits: list[exp.Expression] = [
        _call("GROUPING", column) * (1 << position)
        for position, column in enumerate(reversed(columns))
    ]
    total = bits[0]
    for bit in bits[1:]:
        total = total + bit
    return exp.paren(total)
