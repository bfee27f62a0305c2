"""Learning curves of a study as an SVG: the score of each condition over the number of labels, with intervals."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

from trainer.study.design import CONDITIONS

__all__ = ["curves_of"]

_WIDTH, _HEIGHT = 640, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 132, 36, 48
_COLOURS = dict(zip(CONDITIONS, ("#767676", "#b35900", "#00579e", "#1a7a3c", "#a0307c"), strict=True))
_DASHES = dict(zip(CONDITIONS, ("2 3", "6 3", "", "9 3 2 3", "1 2"), strict=True))
"""Not by colour alone."""
_STEPS = (1, 2, 5, 10)
_TICKS = 5
_APART = 5
"""Between the conditions of one number of labels."""


def curves_of(found: Mapping[str, Any]) -> str:
    """Return the picture of what a study found; bars are two standard errors of the mean over runs."""
    return "\n".join(_picture(found)) + "\n"


class _Axes:
    """Where values stand."""

    def __init__(self, labels: Sequence[int], values: Sequence[float]) -> None:
        self.labels = sorted(labels, key=lambda number: number or math.inf)  # 0: all, the most
        low, high = min(values, default=0.0), max(values, default=1.0)
        step = _step(max(high - low, 1e-3))
        self.low, self.high = math.floor(low / step) * step, math.ceil(high / step) * step
        count = round((self.high - self.low) / step)
        self.ticks = [self.low + step * number for number in range(count + 1)]

    def x(self, labels: int) -> float:
        """Return the place of a number of labels: all are equally far from each other."""
        share = (self.labels.index(labels) + 0.5) / len(self.labels)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        """Return the place of a score."""
        share = (value - self.low) / max(self.high - self.low, 1e-9)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)


def _step(span: float) -> float:
    """Return a round distance of which a span holds a few.

    Example:
        >>> _step(0.9), _step(0.04)
        (0.2, 0.01)
    """
    power = 10.0 ** math.floor(math.log10(span / _TICKS))
    return float(round(next(factor for factor in _STEPS if factor * power * _TICKS >= span) * power, 10))


def _picture(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of the file."""
    entries = [entry for entry in found["conditions"] if entry["runs"]]
    bounds = [value for entry in entries for value in _bounds(entry)]
    axes = _Axes(list(dict.fromkeys(entry["labels"] for entry in found["conditions"])), bounds)
    title = f"{found['primary']}: {found['metric'] or 'no run has finished yet'}"
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" '
        f'height="{_HEIGHT}" font-family="sans-serif" font-size="12" role="img">'
    )
    yield f"<title>{escape(title)}</title>"
    yield f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>'
    yield _text(_LEFT, 20, title, "start", "#222222")
    yield from _frame(axes)
    names = list(dict.fromkeys(entry["condition"] for entry in entries))
    for number, name in enumerate(names):
        own = sorted(
            (entry for entry in entries if entry["condition"] == name), key=lambda item: axes.x(item["labels"])
        )
        yield from _curve(axes, own, name, (number - (len(names) - 1) / 2) * _APART)
        yield from _key(number, name)
    yield "</svg>"


def _bounds(entry: Mapping[str, Any]) -> tuple[float, float]:
    """Return the ends of a bar: two standard errors around the mean, or the mean of a single run."""
    error = 2 * (entry["deviation"] or 0.0) / math.sqrt(entry["runs"])
    return entry["mean"] - error, entry["mean"] + error


def _frame(axes: _Axes) -> Iterator[str]:
    """Yield axes, ticks and what they mean."""
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    for tick in axes.ticks:
        y = axes.y(tick)
        yield f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="#dddddd"/>'
        yield _text(_LEFT - 8, y + 4, f"{tick:.3g}", "end")
    yield f'<line x1="{_LEFT}" y1="{bottom}" x2="{right}" y2="{bottom}" stroke="#222222"/>'
    for labels in axes.labels:
        yield _text(axes.x(labels), bottom + 18, f"{labels:,}" if labels else "all", "middle")
    yield _text((_LEFT + right) / 2, bottom + 38, "labelled train rows of the primary", "middle")


def _curve(axes: _Axes, entries: Sequence[Mapping[str, Any]], name: str, aside: float) -> Iterator[str]:
    """Yield a line through the means of a condition, with a bar and a dot for each."""
    colour, dash = _COLOURS[name], _DASHES[name]  # type: ignore[index]
    points = [(axes.x(entry["labels"]) + aside, axes.y(entry["mean"])) for entry in entries]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>'
    for (x, y), entry in zip(points, entries, strict=True):
        low, high = map(axes.y, _bounds(entry))
        yield f'<line x1="{x:.1f}" y1="{low:.1f}" x2="{x:.1f}" y2="{high:.1f}" stroke="{colour}"/>'
        title = f"{name}, {entry['labels'] or 'all'} labels: {entry['mean']:.3f}"
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"><title>{escape(title)}</title></circle>'


def _key(number: int, name: str) -> Iterator[str]:
    """Yield the legend entry of a condition."""
    x, y = _WIDTH - _RIGHT + 16, _TOP + 12 + 20 * number
    colour, dash = _COLOURS[name], _DASHES[name]  # type: ignore[index]
    line = f'<line x1="{x}" y1="{y}" x2="{x + 28}" y2="{y}" stroke="{colour}" stroke-width="2"'
    yield f'{line} stroke-dasharray="{dash}"/>'
    yield _text(x + 34, y + 4, name, "start")


def _text(x: float, y: float, text: str, anchor: str, colour: str = "#444444") -> str:
    """Return a text at a place."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'
