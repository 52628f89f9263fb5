"""Chart while it is drawn."""

from typing import Any


class Sketch:
    """Traces and layout as plain values, which Plotly checks once, at the end: drawn on a
    figure of Plotly's, each piece would be checked twice and copied three times.
    """

    def __init__(self) -> None:
        self.traces: list[dict[str, Any]] = []
        self.layout: dict[str, Any] = {
            "xaxis": {}, "yaxis": {}, "shapes": [], "annotations": []
        }  # fmt: skip

    def add_scatter(self, **trace: Any) -> None:
        self.traces.append({"type": "scatter", **trace})

    def add_bar(self, **trace: Any) -> None:
        self.traces.append({"type": "bar", **trace})

    def add_points(self, **trace: Any) -> None:
        """Add points that say their `text`, whole also on the edge of the chart."""
        defaults = {"hovertemplate": "%{text}<extra></extra>", "cliponaxis": False}
        self.add_scatter(mode="markers", **defaults, **trace)

    def add_heatmap(self, **trace: Any) -> None:
        look = {"showscale": False, "xgap": 2, "ygap": 2}
        self.traces.append({"type": "heatmap", **look, **trace})

    def add_annotation(self, **note: Any) -> None:
        self.layout["annotations"].append({"showarrow": False, **note})

    def add_vline(self, x: Any, **shape: Any) -> None:
        self._add_vertical("line", x, x, shape)

    def add_vrect(self, x0: Any, x1: Any, **shape: Any) -> None:
        self._add_vertical("rect", x0, x1, shape)

    def add_hline(self, y: Any, **shape: Any) -> None:
        position = {"xref": "x domain", "x0": 0, "x1": 1, "yref": "y", "y0": y, "y1": y}
        self.layout["shapes"].append({"type": "line", **position, **shape})

    def _add_vertical(self, kind: str, x0: Any, x1: Any, shape: dict[str, Any]) -> None:
        position = {"xref": "x", "x0": x0, "x1": x1, "yref": "y domain", "y0": 0, "y1": 1}
        self.layout["shapes"].append({"type": kind, **position, **shape})

    def update_xaxes(self, **axis: Any) -> None:
        self.layout["xaxis"] |= axis

    def update_yaxes(self, **axis: Any) -> None:
        self.layout["yaxis"] |= axis

    def update_layout(self, **layout: Any) -> None:
        self.layout |= layout
