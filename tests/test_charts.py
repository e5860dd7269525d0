"""Charts: well-formed, escaped, to scale, and each mark a link to as many rounds as it shows."""

import xml.etree.ElementTree as ET
from fractions import Fraction

import pytest

from sanfen.charts import STYLE, Bar, Cell, Mark, Point, Svg, Zone, bars, gauge, heat, line, percent, spark, track

HOSTILE = '"><script>alert(1)</script>'
SVG = "{http://www.w3.org/2000/svg}"


def parsed(chart: Svg) -> ET.Element:
    return ET.fromstring(chart)  # noqa: S314  # our own text


def texts(chart: Svg) -> list[str]:
    return [one.text or "" for one in parsed(chart).iter(SVG + "text")]


@pytest.mark.parametrize(
    "chart",
    [
        bars(HOSTILE, [Bar(HOSTILE, 3, HOSTILE, tip=HOSTILE, href=HOSTILE)]),
        heat(HOSTILE, [HOSTILE], [HOSTILE], {(0, 0): Cell(HOSTILE, 1, tip=HOSTILE, href=HOSTILE)}),
        line(HOSTILE, [Point(HOSTILE, 0.9, 2, tip=HOSTILE, href=HOSTILE)], target=0.9, target_name=HOSTILE),
        spark(HOSTILE, [0.5]),
        track(HOSTILE, [Zone(HOSTILE, 0, 1)], [Mark(0.5, HOSTILE)]),
    ],
)
def test_no_text_becomes_markup(chart: Svg) -> None:
    assert parsed(chart).get("aria-label") == HOSTILE
    assert not list(parsed(chart).iter(SVG + "script"))


@pytest.mark.parametrize(
    "chart", [bars("x", []), heat("x", [], [], {}), line("x", []), spark("x", []), track("x", [], [])]
)
def test_nothing_is_no_mistake(chart: Svg) -> None:
    assert parsed(chart).get("role") == "img"


def test_bars_are_to_scale_and_lead_to_their_rounds() -> None:
    chart = parsed(
        bars("today", [Bar("8", 10, "98", href="/rounds?hour=8", rounds=10), Bar("9", 5, "83", is_low=True)])
    )
    tall = [float(one.get("height", 0)) for one in chart.iter(SVG + "rect")]

    assert tall[0] == 2 * tall[1]
    assert [(one.get("href"), one.get("data-n")) for one in chart.iter(SVG + "a")] == [("/rounds?hour=8", "10")]


def test_below_target_is_told_by_a_sign_too() -> None:
    assert "83▼" in texts(bars("today", [Bar("9", 5, "83", is_low=True)]))


def test_a_gauge_is_to_scale_and_marks_its_target() -> None:
    chart = parsed(gauge("rate", 0.85, 0.9, is_low=True, width=200))
    bar, mark = list(chart.iter(SVG + "rect"))[1], next(chart.iter(SVG + "line"))

    assert (bar.get("width"), bar.get("class"), mark.get("x1")) == ("170", "bar low", "180")
    assert chart.get("aria-label") == "rate: 85.0% (90%)"


def test_a_line_of_waits_is_labelled_as_times() -> None:
    points = [Point("1", 60_000.0, 3), Point("2", 200_000.0, 5, is_low=True)]
    chart = line("waits", points, target=180_000, target_name="3:00", second=[30_000, None], is_share=False)

    assert "3:00" in texts(chart)
    assert "0:04" in texts(chart)
    assert [one.get("class") for one in parsed(chart).iter(SVG + "polyline")] == ["second", "curve"]


def test_a_target_and_what_is_coming_are_on_the_same_scale() -> None:
    points = [Point("1", 0.95), Point("2", 0.90), Point("3", None)]
    chart = parsed(line("rate", points, target=0.9, target_name="90 %", ahead=[0.9, 0.85]))
    curve, ahead = [str(one.get("points")).split() for one in chart.iter(SVG + "polyline")]
    (target,) = [one for one in chart.iter(SVG + "line") if one.get("class") == "target"]

    assert curve[1].split(",")[1] == target.get("y1") == ahead[1].split(",")[1]
    assert float(ahead[2].split(",")[1]) > float(target.get("y1", 0))


def test_a_track_is_to_scale_and_no_words_meet() -> None:
    marks = [Mark(0.25, "first words"), Mark(0.26, "second words"), Mark(0.5, "deadline", is_above=True)]
    chart = parsed(track("round", [Zone("calm", 0, 0.5), Zone("over", 0.5, 1)], marks))
    calm, over = list(chart.iter(SVG + "rect"))
    places = {one.text: float(one.get("y", 0)) for one in chart.iter(SVG + "text")}
    ticks = [float(one.get("x1", 0)) for one in chart.iter(SVG + "line")]

    assert calm.get("width") == over.get("width")
    assert places["first words"] != places["second words"]
    assert ticks == [8 + 904 * 0.25, pytest.approx(8 + 904 * 0.26, abs=0.1), 8 + 904 * 0.5]


@pytest.mark.parametrize(
    ("value", "places", "shown"),
    [(None, 2, "–"), (0.8999, 1, "89.9%"), (Fraction(89_999, 100_000), 2, "89.99%"), (0.9, 0, "90%"), (0.29, 2, "29.00%"),
     (1.0, 1, "100.0%"), (0.005, 0, "0%"), (0.0199, 1, "1.9%")],
)  # fmt: skip
def test_a_share_is_cut_so_that_none_looks_like_its_target(
    value: float | Fraction | None, places: int, shown: str
) -> None:
    assert percent(value, places) == shown


def test_every_class_has_its_look() -> None:
    for name in ("bar", "low", "curve", "ahead", "target", "dot", "tint", "zone-calm", "zone-over", "tick"):
        assert f".{name}" in STYLE
