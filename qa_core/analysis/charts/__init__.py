"""Charts: frame of measured values → Plotly figure. Pure: nothing is read or decided
here.

One accent colour for data, orange for attention, green for better, grey for reference;
series in Okabe–Ito order; never colour alone. Backgrounds are transparent, so that one
figure serves the page and its cards.
"""

from qa_core.analysis.charts.bars import build_waterfall
from qa_core.analysis.charts.dots import build_differences, build_dots, format_between
from qa_core.analysis.charts.funnel import build_criteria, build_funnel_plot
from qa_core.analysis.charts.labels import list_points
from qa_core.analysis.charts.lines import Marker, TargetLine, build_curve, build_trend
from qa_core.analysis.charts.palette import forget_charts
