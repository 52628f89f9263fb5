"""Sheet for a board as one A4 page of PDF, its charts drawn as vectors."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from qa_core.access.roles import Permission, Viewer
from qa_core.analysis import board, driver_texts
from qa_core.analysis.board import BoardFigures, BoardLine
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.analysis.charts.labels import find_range, format_tick, list_values
from qa_core.analysis.charts.palette import LIGHT
from qa_core.base.errors import Refusal
from qa_core.base.i18n import _
from qa_core.metrics import downloads, printed_pages
from qa_core.metrics.kpis import Unit, formatting
from qa_core.metrics.printed_pages import mark_up, replace_unknown

TEXT_SHARE = 0.4
"""Share of the width that the words of a KPI take, beside its chart."""
TREND_HEIGHT, ROW_HEIGHT = 104, 13
"""Heights of a chart and of a driver, in points."""
LEFT, RIGHT, BOTTOM, LABEL_WIDTH = 34, 18, 14, 150
MAX_DRIVERS = 6
HEIGHT = 255
"""Height of what is printed, in millimetres."""
LABEL_SIZE = 6.5
BAND, PALE = "#D9E9F3", "#E8EAEC"
PAINT = {"attention": LIGHT.attention, "better": LIGHT.better, "": LIGHT.reference}


def build_file(viewer: Viewer, months: str, form: str = "pdf") -> downloads.Download:
    """Build the sheet, in the reader's language. Raises Refusal while no month is over."""
    figures = board.find_figures(viewer, months)
    if figures is None:
        raise Refusal("no_month", "The sheet covers whole months, and no month is over yet.")
    end = f"{figures.period.last_day:%Y-%m}"
    return downloads.Download(f"board-{months}-{end}.{form}", "application/pdf", build_pdf(figures))


def build_pdf(figures: BoardFigures) -> bytes:
    from reportlab.lib.units import mm
    from reportlab.platypus import KeepInFrame, Paragraph, Table, TableStyle

    styles, lines = printed_pages.make_styles(), board.build_lines(figures)
    title = describe_title(figures)
    author, version = printed_pages.describe_origin()
    width = (printed_pages.WIDTH - 4) * mm  # 4: the frame's padding
    widths = [TEXT_SHARE * width, (1 - TEXT_SHARE) * width]
    rows = [[_lay_out_words(line, styles), _draw_trend(line, widths[1])] for line in lines]
    rules = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LINEABOVE", (0, 0), (-1, -1), 0.4, "#c4cad4"),
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("RIGHTPADDING", (0, 0), (-1, -1), 6),
    ]
    table = Table(rows, colWidths=widths, style=TableStyle(rules))
    foot = f"{board.describe_scope(figures)} {describe_foot(figures, lines)}"
    flowables = [
        *printed_pages.lay_out_head(mark_up(title), version),
        table,
        *_lay_out_drivers(figures, width, styles),
        Paragraph(mark_up(foot), styles["small"]),
    ]
    # However much there is to say, a sheet is one page.
    whole = KeepInFrame(width, HEIGHT * mm, flowables, mode="shrink")
    return printed_pages.build([whole], title, author, version)


def describe_title(figures: BoardFigures) -> str:
    return _("Board sheet, {period}", period=board.describe_period(figures))


def describe_foot(figures: BoardFigures, lines: Sequence[BoardLine]) -> str:
    """Explain the marks of the charts, and add what must be known of the values and months."""
    marks = _(
        "Line: monthly value. Band: 95 % confidence interval. Dashed grey: control limits. "
        "Green: target."
    )
    notes = [note for line in lines for note in line.notes]
    return " ".join(dict.fromkeys([marks, *notes, board.describe_corrections(figures)])).strip()


def _lay_out_words(line: BoardLine, styles: dict[str, Any]) -> list[Any]:
    from reportlab.platypus import Paragraph

    value = f'<font name="Vera-Bold" size="15">{mark_up(line.value)}</font>'
    return [
        Paragraph(_mark_finding(line.sentence), styles["heading"]),
        Paragraph(value, styles["title"]),
        Paragraph(mark_up(line.basis), styles["cell"]),
        Paragraph(_mark_finding(line.target), styles["cell"]),
    ]


def _mark_finding(finding: ChartTitle) -> str:
    text = mark_up(finding.text)
    if not finding.severity:
        return text
    # The font has no sign for it; the words say the same as the colour.
    return f'<font color="{PAINT[finding.severity]}">•</font> {text}'


def _lay_out_drivers(figures: BoardFigures, width: float, styles: dict[str, Any]) -> list[Any]:
    from reportlab.platypus import Paragraph

    if figures.drivers is None:
        return []
    head = Paragraph(mark_up(driver_texts.conclude(figures.drivers)), styles["heading"])
    drawn = driver_texts.choose(figures.drivers.drivers, MAX_DRIVERS)
    if not drawn:
        return [head]
    explanation = driver_texts.explain(figures.drivers, len(drawn))
    drawing = _draw_differences(driver_texts.build_frame(drawn), width)
    return [head, drawing, Paragraph(mark_up(explanation), styles["small"])]


@dataclass(frozen=True)
class _Axes:
    """Place of the days and values of a chart within its drawing."""

    width: float
    days: Sequence[date]
    low: float
    high: float

    @property
    def right(self) -> float:
        return self.width - RIGHT

    def place_day(self, day: date) -> float:
        reach = (self.days[-1] - self.days[0]).days or 1
        return LEFT + (self.right - LEFT) * (day - self.days[0]).days / reach

    def place_value(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return BOTTOM + (TREND_HEIGHT - BOTTOM - 8) * share

    def flatten(self, points: Iterable[tuple[date, float]]) -> list[float]:
        """Return the coordinates of points, x and y in turn."""
        return [
            number
            for day, value in points
            for number in (self.place_day(day), self.place_value(value))
        ]


def _draw_trend(line: BoardLine, width: float) -> Any:
    """Draw the year of a KPI from the numbers of its chart on the page."""
    from reportlab.graphics.shapes import Circle, Drawing, Polygon, PolyLine

    points, limits = line.series.points, line.series.limits
    drawing, days, known = Drawing(width, TREND_HEIGHT), list(points["at"]), points["value"].notna()
    if not known.any():
        return drawing
    edges = (limits.centre, limits.low, limits.high) if limits else ()
    shown = list_values(points, "value", "low", "high")
    shown += [value for edge in edges for value in edge if not formatting.is_missing(value)]
    shown += [step.target.value for step in line.steps]
    axes = _Axes(width, days, *find_range(shown, line.kpi.bounds))
    _draw_ticks(drawing, axes, line)
    for low, high in zip(_split(days, points["low"]), _split(days, points["high"]), strict=True):
        corners = axes.flatten([*low, *high[::-1]])
        drawing.add(Polygon(corners, fillColor=_paint(BAND), strokeColor=None))
    targets = [
        [
            (max(step.first_day or days[0], days[0]), step.target.value),
            (min(step.last_day or days[-1], days[-1]), step.target.value),
        ]
        for step in line.steps
    ]
    runs = [
        *((run, LIGHT.reference, 0.6, [3, 2]) for edge in edges[1:] for run in _split(days, edge)),
        *((run, LIGHT.reference, 0.6, None) for edge in edges[:1] for run in _split(days, edge)),
        *((run, LIGHT.better, 1.1, None) for run in targets),
        *((run, LIGHT.accent, 1.6, None) for run in _split(days, points["value"])),
    ]
    for run, colour, thickness, dash in runs:
        stroke = {"strokeColor": _paint(colour), "strokeWidth": thickness, "strokeDashArray": dash}
        drawing.add(PolyLine(axes.flatten(run), **stroke))
    signals = line.series.signal_severities
    for position, value in points["value"][known].items():
        x, y = axes.flatten([(days[position], value)])
        colour = PAINT[signals[position]] if position in signals else LIGHT.accent
        drawing.add(Circle(x, y, 2, fillColor=_paint(colour), strokeColor=None))
    return drawing


def _draw_ticks(drawing: Any, axes: _Axes, line: BoardLine) -> None:
    from reportlab.graphics.shapes import Line

    ticks = formatting.nice_ticks(axes.low, axes.high, line.kpi.unit, 4)
    for tick in ticks:
        y = axes.place_value(tick)
        drawing.add(Line(LEFT, y, axes.right, y, strokeColor=_paint(PALE)))
        text = format_tick(tick, line.kpi.unit, line.currency, ticks)
        drawing.add(_label(LEFT - 4, y - 2, text, "end"))
    for day in axes.days[::3]:
        drawing.add(_label(axes.place_day(day), 3, formatting.month(day), "middle"))


def _split(days: Sequence[date], values: Iterable[Any]) -> list[list[tuple[date, float]]]:
    """Split a line at its missing values."""
    runs: list[list[tuple[date, float]]] = [[]]
    for day, value in zip(days, values, strict=True):
        if formatting.is_missing(value):
            runs.append([])
        else:
            runs[-1].append((day, float(value)))
    return [run for run in runs if len(run) > 1]


def _draw_differences(frame: pd.DataFrame, width: float) -> Any:
    """Draw drivers as dots with their interval around zero, the first on top."""
    from reportlab.graphics.shapes import Circle, Drawing, Line

    height = ROW_HEIGHT * len(frame) + BOTTOM
    drawing = Drawing(width, height)
    low, high = find_range([0.0, *list_values(frame, "value", "low", "high", "plain")], None)

    def place(value: float) -> float:
        return LABEL_WIDTH + (width - LABEL_WIDTH - RIGHT) * (value - low) / (high - low)

    for tick in formatting.nice_ticks(low, high, Unit.RATE, 5):
        colour = _paint(PALE if tick else LIGHT.text)
        drawing.add(Line(place(tick), BOTTOM, place(tick), height, strokeColor=colour))
        drawing.add(_label(place(tick), 3, formatting.change(tick, Unit.RATE), "middle"))
    for position, row in enumerate(frame.itertuples()):
        at, colour = height - ROW_HEIGHT * (position + 0.5), _paint(PAINT[row.severity])
        drawing.add(_label(0, at - 2.5, row.label, "start", 7.5))
        if not formatting.is_missing(row.low):
            drawing.add(Line(place(row.low), at, place(row.high), at, strokeColor=colour))
        if not formatting.is_missing(row.plain):
            drawing.add(Circle(place(row.plain), at, 2, fillColor=None, strokeColor=colour))
        drawing.add(Circle(place(row.value), at, 2.6, fillColor=colour, strokeColor=None))
    return drawing


def _label(x: float, y: float, text: str, anchor: str, size: float = LABEL_SIZE) -> Any:
    from reportlab.graphics.shapes import String

    return String(
        x,
        y,
        replace_unknown(text),
        fontName="Vera",
        fontSize=size,
        textAnchor=anchor,
        fillColor=_paint(LIGHT.text),
    )


def _paint(colour: str) -> Any:
    from reportlab.lib.colors import HexColor

    return HexColor(colour)


downloads.declare("board", Permission.SEE_BOARD, build_file)
