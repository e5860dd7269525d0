"""The charts of the board and of reports: numbers in, SVG text out, for reading on a screen, in mail and on paper.

Nothing here knows where the numbers come from. Colours come from classes (``STYLE``), so a page's theme reaches them; what is
below its target is marked by a sign and weight as well. A mark with ``href`` is a link, and ``rounds`` says how many
it leads to.
"""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from html import escape
from typing import NamedTuple

__all__ = [
    "STYLE",
    "Bar",
    "Cell",
    "Mark",
    "Point",
    "Svg",
    "Zone",
    "bars",
    "gauge",
    "heat",
    "line",
    "percent",
    "spark",
    "track",
]

STYLE = """\
.chart { display: block; width: 100%; height: auto; font: 11px/1 system-ui, "Noto Sans CJK SC", sans-serif; }
.chart text { fill: var(--muted, #62666d); } .chart .low, .chart text.low { fill: var(--red, #c4320a); font-weight: 700; }
.chart .bar { fill: var(--calm-bar, #009e73); } .chart .bar.low { fill: var(--red-bar, #d4552f); }
.chart .rest { fill: var(--line, #e4e4df); }
.chart .axis { stroke: var(--line, #e4e4df); } .chart .curve { fill: none; stroke: var(--calm-bar, #009e73); stroke-width: 2; }
.chart .second { fill: none; stroke: var(--muted, #62666d); stroke-width: 1.5; }
.chart .ahead { fill: none; stroke: var(--muted, #62666d); stroke-width: 2; stroke-dasharray: 3 4; }
.chart .target { stroke: var(--text, #1c1d1f); stroke-dasharray: 6 3; } .chart .dot { fill: var(--calm-bar, #009e73); }
.chart .tint { fill: var(--calm-bar, #009e73); fill-opacity: .3; } .chart .tint.low { fill: var(--red-bar, #d4552f); }
.chart .cell { fill: var(--text, #1c1d1f); } .chart .strong { fill: var(--text, #1c1d1f); font-weight: 600; }
.chart .zone-calm { fill: var(--calm-bar, #009e73); } .chart .zone-soon { fill: var(--soon-bar, #e69f00); }
.chart .zone-urgent { fill: var(--last, #a82a08); } .chart .zone-over { fill: var(--muted, #62666d); }
.chart.spark { width: 100px; } .chart .tick { stroke: var(--text, #1c1d1f); stroke-width: 2; } .chart a:focus { outline: 2px solid var(--link, #0b62a8); }
"""
"""What the classes look like; the variables are the board's, with the light theme's colours where there are none."""


class Svg(str):
    """Markup that is made here, with every text escaped; a template need not escape it again."""

    __slots__ = ()

    def __html__(self) -> str:
        """Itself."""
        return str(self)


class Bar(NamedTuple):
    """A bar. ``note`` stands above it; ``is_low`` marks it as below its target."""

    label: str
    value: float
    note: str = ""
    is_low: bool = False
    tip: str = ""
    href: str | None = None
    rounds: int | None = None


class Cell(NamedTuple):
    """A field of a heat map. ``size`` from 0 to 1 is the dot's area."""

    note: str
    size: float
    is_low: bool = False
    tip: str = ""
    href: str | None = None
    rounds: int | None = None


class Point(NamedTuple):
    """A day of a line: its value (0 to 1, None where there is none), and a column below it."""

    label: str
    value: float | None
    column: float = 0
    is_low: bool = False
    tip: str = ""
    href: str | None = None
    rounds: int | None = None


class Mark(NamedTuple):
    """Something that happened on a track, at a place from 0 to 1; ``is_above``: on which side its words stand."""

    place: float
    label: str
    is_above: bool = False


class Zone(NamedTuple):
    """A stretch of a track: ``kind`` is calm, soon, urgent or over."""

    kind: str
    start: float
    end: float


def bars(title: str, items: Sequence[Bar], *, width: int = 720, height: int = 180) -> Svg:
    """Bars with a label below and a note above each."""
    most = max((one.value for one in items), default=0) or 1
    step = width / max(1, len(items))
    base, room = height - 18, height - 40
    out = [_line(0, base, width, base, "axis")]
    for number, one in enumerate(items):
        tall = room * one.value / most
        left, middle = number * step + step * 0.12, (number + 0.5) * step
        low = " low" if one.is_low else ""
        drawn = f'<rect class="bar{low}" x="{_n(left)}" y="{_n(base - tall)}" width="{_n(step * 0.76)}" height="{_n(tall)}" rx="1"/>'
        if one.note:
            note = f"{one.note}▼" if one.is_low else one.note
            drawn += _text(middle, base - tall - 5, note, "low" if one.is_low else "", "middle")
        out += [_linked(one, drawn), _text(middle, height - 4, one.label, "", "middle")]
    return _svg(title, width, height, out)


def heat(title: str, rows: Sequence[str], columns: Sequence[str], cells: Mapping[tuple[int, int], Cell]) -> Svg:
    """A table of dots; ``cells`` by row and column. Area is volume, the number is written on it."""
    wide, tall, left, top = 40, 28, 76, 18
    out = [_text(left + (n + 0.5) * wide, 12, name, "", "middle") for n, name in enumerate(columns)]
    out += [_text(0, top + (n + 0.5) * tall + 4, name) for n, name in enumerate(rows)]
    for (row, column), one in sorted(cells.items()):
        x, y = left + (column + 0.5) * wide, top + (row + 0.5) * tall
        low = " low" if one.is_low else ""
        drawn = f'<circle class="tint{low}" cx="{_n(x)}" cy="{_n(y)}" r="{_n(3 + 11 * one.size**0.5)}"/>'
        out.append(_linked(one, drawn + _text(x, y + 4, one.note, f"cell{low}", "middle")))
    return _svg(title, left + wide * len(columns), top + tall * len(rows) + 4, out)


def line(
    title: str,
    points: Sequence[Point],
    *,
    target: float | None = None,
    target_name: str = "",
    ahead: Sequence[float] = (),
    second: Sequence[float | None] = (),
    is_share: bool = True,
    width: int = 720,
) -> Svg:
    """A line over days with a target and columns below: of shares, or of milliseconds.

    ``ahead``: where it goes if nothing changes; ``second``: a thinner line.
    """
    height, left, base, floor = 240, 44, 160, 222
    values = [*(one.value for one in points), *second, *ahead, target]
    low, high = _around([value for value in values if value is not None], is_share=is_share)
    step = (width - left - 8) / max(1, len(points) + len(ahead) - 1)

    def y_of(value: float) -> float:
        return 14 + (base - 14) * (1 - (value - low) / ((high - low) or 1))

    out = [_line(left, base, width, base, "axis"), _line(left, floor, width, floor, "axis")]
    out += [_text(0, y_of(value) + 4, _says(value, is_share=is_share)) for value in (low, high)]
    if target is not None:
        out += [
            _line(left, y_of(target), width, y_of(target), "target"),
            _text(0, y_of(target) + 4, target_name, "strong"),
        ]
    spots = [(left + n * step, y_of(one.value)) for n, one in enumerate(points) if one.value is not None]
    out += [_curve([(left + n * step, y_of(value)) for n, value in enumerate(second) if value is not None], "second")]
    out.append(_curve(spots, "curve"))
    coming = [(left + (len(points) + n) * step, y_of(value)) for n, value in enumerate(ahead)]
    out.append(_curve(spots[-1:] + coming if coming else [], "ahead"))
    most = max((one.column for one in points), default=0) or 1
    every = max(1, len(points) // 8)
    for number, one in enumerate(points):
        x, tall = left + number * step, 40 * one.column / most
        drawn = f'<rect class="{"bar low" if is_share else "bar"}" x="{_n(x - step * 0.3)}" y="{_n(floor - tall)}" width="{_n(step * 0.6)}" height="{_n(tall)}"/>'
        if one.value is not None:
            drawn += (
                f'<circle class="{"low" if one.is_low else "dot"}" cx="{_n(x)}" cy="{_n(y_of(one.value))}" r="3.5"/>'
            )
        drawn += f'<rect fill="none" pointer-events="all" x="{_n(x - step / 2)}" y="10" width="{_n(step)}" height="{floor - 10}"/>'
        out.append(_linked(one, drawn))
        if number % every == 0:
            out.append(_text(x, height - 4, one.label, "", "middle"))
    return _svg(title, width, height, out)


def _around(known: Sequence[float], *, is_share: bool) -> tuple[float, float]:
    """From where to where the scale goes, so that all of it is seen."""
    low, high = min(known, default=0.0), max(known, default=1.0)
    margin = max(0.01, (high - low) * 0.15)
    return max(0.0, low - margin), min(1.0, high + margin) if is_share else high + margin


def _says(value: float, *, is_share: bool) -> str:
    seconds = round(value / 1000)
    return percent(value, 1) if is_share else f"{seconds // 60}:{seconds % 60:02}"


def percent(value: float | Fraction | None, places: int = 2) -> str:
    """A share as ``93.38%``, with so many places, cut and not rounded: 89.999 % must not look like 90 %."""
    if value is None:
        return "–"
    whole, rest = divmod(int(Fraction(value).limit_denominator(10**9) * 100 * 10**places), 10**places)
    return f"{whole}.{rest:0{places}}%" if places else f"{whole}%"


def gauge(title: str, value: float, target: float, *, is_low: bool = False, width: int = 280) -> Svg:
    """A share from 0 to 1 as a bar, with a mark where its target is."""
    low = " low" if is_low else ""
    out = [
        f'<rect class="rest" x="0" y="4" width="{width}" height="8" rx="4"/>',
        f'<rect class="bar{low}" x="0" y="4" width="{_n(width * min(1.0, value))}" height="8" rx="4"/>',
        _line(width * target, 0, width * target, 16, "tick"),
    ]
    return _svg(f"{title}: {percent(value, 1)} ({target:.0%})", width, 16, out)


def spark(title: str, values: Sequence[float | None], *, target: float | None = None) -> Svg:
    """A small line without words, for a table."""
    known = [one for one in values if one is not None]
    low, high = min(known, default=0.0), max(known, default=1.0)
    if target is not None:
        low, high = min(low, target), max(high, target)
    step = 96 / max(1, len(values) - 1)

    def y_of(value: float) -> float:
        return 3 + 18 * (1 - (value - low) / (high - low)) if high > low else 12

    out = [] if target is None else [_line(0, y_of(target), 100, y_of(target), "axis")]
    spots = [(2 + n * step, y_of(one)) for n, one in enumerate(values) if one is not None]
    out.append(_curve(spots, "curve"))
    if spots:
        out.append(f'<circle class="dot" cx="{_n(spots[-1][0])}" cy="{_n(spots[-1][1])}" r="2.5"/>')
    return _svg(title, 100, 24, out, "chart spark")


def track(title: str, zones: Iterable[Zone], marks: Sequence[Mark], *, width: int = 920) -> Svg:
    """A stretch of time drawn to scale, its zones, and what happened on it. Words that would meet stand on further lines."""
    left, room = 8, width - 16
    upper = _lanes([one for one in marks if one.is_above], room)
    lower = _lanes([one for one in marks if not one.is_above], room)
    middle = 16 * (1 + max(upper.values(), default=0)) + 16
    height = middle + 30 + 16 * (1 + max(lower.values(), default=0))
    out = [
        f'<rect class="zone-{escape(one.kind)}" x="{_n(left + room * one.start)}" y="{middle - 4}" '
        f'width="{_n(room * max(0.0, one.end - one.start))}" height="8"/>'
        for one in zones
    ]
    for one in marks:
        lane = (upper if one.is_above else lower)[one]
        x, y = left + room * one.place, middle + (-14 - 16 * lane if one.is_above else 24 + 16 * lane)
        out.append(
            _line(x, middle - 10 if one.is_above else middle - 4, x, middle + (4 if one.is_above else 10), "tick")
        )
        out.append(_text(x, y, one.label, "strong" if one.is_above else "", _anchor(one, room)))
    return _svg(title, width, height, out)


def _lanes(marks: Sequence[Mark], room: float) -> dict[Mark, int]:
    """On which line the words of each mark stand, so that none covers another's."""
    ends: list[float] = []
    out: dict[Mark, int] = {}
    for one in sorted(marks):
        wide = sum(12 if ord(char) > 0x2E7F else 6.5 for char in one.label) + 10
        start = room * one.place - {"start": 0.0, "middle": wide / 2, "end": wide}[_anchor(one, room)]
        lane = next((n for n, end in enumerate(ends) if end <= start), len(ends))
        ends[lane : lane + 1] = [start + wide]
        out[one] = lane
    return out


def _anchor(one: Mark, room: float) -> str:
    return "start" if room * one.place < 60 else "end" if room * (1 - one.place) < 60 else "middle"


def _linked(one: Bar | Cell | Point, drawn: str) -> str:
    tip = f"<title>{escape(one.tip)}</title>" if one.tip else ""
    if one.href is None:
        return f"<g>{tip}{drawn}</g>"
    count = "" if one.rounds is None else f' data-n="{one.rounds}"'
    return f'<a href="{escape(one.href)}"{count} aria-label="{escape(one.tip or str(one.rounds))}">{tip}{drawn}</a>'


def _curve(spots: Sequence[tuple[float, float]], name: str) -> str:
    return f'<polyline class="{name}" points="{" ".join(f"{_n(x)},{_n(y)}" for x, y in spots)}"/>' if spots else ""


def _line(x1: float, y1: float, x2: float, y2: float, name: str) -> str:
    return f'<line class="{name}" x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}"/>'


def _text(x: float, y: float, text: str, name: str = "", anchor: str = "start") -> str:
    kind = f' class="{name}"' if name else ""
    where = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text{kind} x="{_n(x)}" y="{_n(y)}"{where}>{escape(text)}</text>'


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _svg(title: str, width: float, height: float, parts: Iterable[str], name: str = "chart") -> Svg:
    inner = "".join(parts)
    role = "group" if "<a " in inner else "img"
    return Svg(
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{name}" viewBox="0 0 {_n(width)} {_n(height)}" role="{role}" '
        f'aria-label="{escape(title)}">{inner}</svg>'
    )
