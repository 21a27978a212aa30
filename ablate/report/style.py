"""How figures look: sizes and faces, and how a figure is saved. Colours are the palette's."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

from ablate.collecting import no_collection
from ablate.files import write_atomic
from ablate.report.palette import INK

#: Width of the text block, inches (A4 with 20 mm margins).
TEXT_WIDTH = 6.69

#: A face of matplotlib's own, so that sizes are the same everywhere; SVGs name the body's face before it.
FACE = "STIXGeneral"
FACES = "'Libertinus Serif', 'STIXGeneral', 'Times New Roman', serif"

_RC: Any = {
    "font.family": FACE,
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#7B8794",
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.use_mathtext": False,
    "axes.formatter.limits": (-4, 5),
    "xtick.color": "#7B8794",
    "ytick.color": "#7B8794",
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "hatch.linewidth": 0.5,
    # Names of fixes and metrics are text, whatever they hold: a `$` starts no formula.
    "text.parse_math": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "ablate",
}


@contextmanager
def look() -> Iterator[None]:
    """Draw in the report's look; the caller's matplotlib settings come back afterwards.

    No garbage is collected meanwhile: figures are full of cycles, and to go through all records for each takes a third of it.
    """
    from matplotlib import rc_context

    with no_collection(), rc_context(_RC), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # the text stays text, and a viewer finds the letter
        yield


def new_figure(width: float, height: float) -> Any:
    """An empty figure, inches, that belongs to no window or global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def grid(
    figure: Any,
    rows: int,
    columns: int,
    count: int,
    margins: tuple[float, float, float, float],
    gap: tuple[float, float],
) -> Any:
    """Axes in reading order, shared in x and y.

    Args:
        count: how many of rows × columns are used.
        margins: left, right, bottom, top, inches.
        gap: between columns and between rows, inches.
    """
    width, height = figure.get_size_inches()
    left, right, bottom, top = margins
    wide = (width - left - right - gap[0] * (columns - 1)) / columns
    high = (height - bottom - top - gap[1] * (rows - 1)) / rows
    axes: list[Any] = []
    for index in range(count):
        row, column = divmod(index, columns)
        x = left + column * (wide + gap[0])
        y = height - top - high - row * (high + gap[1])
        axes.append(figure.add_axes((x / width, y / height, wide / width, high / height)))
    return axes


def save(figure: Any, folder: Path, name: str) -> None:
    """Write `name.svg`, with its text as text and no date: it is the same each time. `png` makes a PNG of it."""
    buffer = StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    svg = buffer.getvalue().replace(f"'{FACE}'", FACES).replace(f"font-family: {FACE}", f"font-family: {FACES}")
    write_atomic(folder / f"{name}.svg", svg.encode(), durable=False)
