"""A line over days, twice: as SVG for every reader, and as facts for the script that lets one look closer."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from sanfen.catalogue import t
from sanfen.charts import Point, Svg, line
from sanfen.notify.notice import clock_text

__all__ = ["Plot", "plot"]


class Plot(NamedTuple):
    """``facts``: what static/plot.js reads."""

    svg: Svg
    facts: dict[str, Any]


def plot(
    title: str,
    points: Sequence[Point],
    language: str,
    *,
    range_url: str,
    unit: Literal["share", "ms"] = "share",
    target: float | None = None,
    second: Sequence[float | None] = (),
    ahead: Sequence[float] = (),
) -> Plot:
    """``range_url``: the rounds of the part that is shown, but for its days. The labels of the points are their days."""
    is_share = unit == "share"
    name = "" if target is None else f"{target:.0%}" if is_share else clock_text(round(target))
    facts = {
        "title": title, "unit": unit, "target": target, "second": list(second), "ahead": list(ahead), "range": range_url,
        "columns": "--red-bar" if is_share else "--calm-bar",
        "points": [
            {"day": one.label, "value": one.value, "column": one.column, "low": one.is_low, "says": one.tip, "url": one.href,
             "rounds": one.rounds} for one in points
        ],
        "words": {key: t(f"plot_{key}", language, **_KEPT.get(key, {})) for key in ("closer", "wider", "whole", "part", "keys")},
    }  # fmt: skip
    shown = [one._replace(label=one.label[5:]) for one in points]
    svg = line(
        title, shown, target=target, target_name=name, ahead=ahead, second=second, is_share=is_share,
    )  # fmt: skip
    return Plot(svg, facts)


_KEPT = {"part": {name: f"{{{name}}}" for name in ("first", "last", "count")}}
"""Values the script puts in."""
