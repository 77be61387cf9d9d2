"""The benchmark's report: what the documents say is what the committed run found."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from bench import report
from bench.chart import Chart, Line, Target
from bench.goals import GOALS
from bench.results import COMMITTED, Results
from bench.spread import Spread, percentile

committed = pytest.mark.skipif(not COMMITTED.exists(), reason="no run is committed yet")


@committed
def test_the_documents_show_the_committed_run() -> None:
    run = Results.read(COMMITTED)
    for file, block in ((report.DOC, report.block(run)), (report.README, report.short(run))):
        text = file.read_text("utf-8")
        assert report.replaced(text, block) == text


@committed
def test_every_plot_is_that_of_the_committed_run() -> None:
    plots = report.plots(Results.read(COMMITTED))
    drawn = {file.stem: file.read_text("utf-8") for file in report.PLOTS.glob("*.svg")}
    assert drawn == {name: chart.svg() for name, chart in plots.items()}


@committed
def test_a_committed_run_is_no_trial_and_has_a_figure_for_every_goal() -> None:
    run = Results.read(COMMITTED)
    assert run.found["plan"]["rounds"] >= 3
    assert [goal.what for goal in GOALS if goal.found(run) is None] == []


def test_only_what_is_between_the_marks_is_replaced() -> None:
    text = f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n"
    assert report.replaced(text, "new") == f"before\n{report.BEGIN}\nnew\n{report.END}\nafter\n"
    with pytest.raises(ValueError, match="no '<!--"):
        report.replaced("no marks", "new")


def test_a_goal_holds_by_its_median_on_the_right_side() -> None:
    fast, slow = Spread(16_000, 14_000, 17_000), Spread(14_000, 13_000, 15_500)
    rate, answer = GOALS[0], GOALS[1]
    assert (rate.wanted, answer.wanted) == ("≥ 15,000 /s", "≤ 8 ms")
    assert rate.holds(fast)
    assert not rate.holds(slow)
    assert answer.holds(Spread(8, 7, 9))
    assert not answer.holds(Spread(8.1, 7, 9))


def test_ratios_are_taken_round_by_round() -> None:
    assert Spread.of_ratios([10, 30, 20], [10, 10, 10]) == Spread(2, 1, 3)
    assert percentile([4, 1, 3, 2], 50) == 3
    assert percentile([4, 1, 3, 2], 99) == 4


def test_a_chart_has_its_points_higher_the_more_they_are_and_its_target_between() -> None:
    lines = [Line("a & b", [(1, Spread(10, 9, 11)), (100, Spread(1000, 900, 1100))])]
    svg = Chart("title", "across", "up", lines, [Target("wanted", 100)]).svg()
    picture = ET.fromstring(svg)
    heights = [float(one.get("cy", "")) for one in picture.iter() if one.tag.endswith("circle")]
    dashed = [one for one in picture.iter() if one.get("stroke-dasharray") == "6 4"]
    assert heights[1] < float(dashed[0].get("y1", "")) < heights[0]
    assert {"a & b", "title", "across", "up", "wanted"} <= {one.text for one in picture.iter()}
