"""Charts: what is drawn where, with which marks, on which axes."""

from xml.etree import ElementTree

import pytest
from matplotlib import rc_context
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex

from common.run.report import charts
from common.run.report.charts import _STAND_IN as COLOURS
from common.run.report.figures import spread
from common.run.report.findings import Team


@pytest.fixture
def drawn(monkeypatch):
    """The figure and the axes of each chart that is drawn."""
    kept, real = [], charts._svg

    def svg(figure, axes, name, **words):
        kept.append((figure, axes))
        return real(figure, axes, name, **words)

    monkeypatch.setattr(charts, "_svg", svg)
    return kept


def dots(axes):
    """(places, area, thickness of the edge) of each group of dots."""
    return [
        (c.get_offsets().tolist(), *c.get_sizes(), *c.get_linewidths()) for c in axes.collections if isinstance(c, PathCollection)
    ]


def lines(axes, role):
    return [line for line in axes.lines if to_hex(line.get_color()) == COLOURS[role]]


def ticks(axes):
    """How many ticks an axis of 7 units gets."""
    return len(axes.xaxis.get_major_locator().tick_values(0, 7))


def texts(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("text")]


def team(name: str, *scores: float, cost: float | None = None, kind: str = "searched", role: str = "search") -> Team:
    return Team(label=name, kind=kind, role=role, unit="seed", scores=scores, summary=spread(scores), cost=cost)  # fmt: skip


def test_a_trade_off_has_dots_a_stair_limits_and_rings(drawn):
    svg = charts.trade_off(
        search=[(1.0, 0.5), (2.0, 0.75)],
        random=[(3.0, 0.25)],
        front=[(1.0, 0.5), (2.0, 0.75)],
        marked=[((2.0, 0.75), "ink")],
        limits=[2.5],
        score="AP",
        cost="macs",
        maximise=True,
    )
    ((figure, axes),) = drawn
    assert figure.get_figheight() == 3.5
    assert dots(axes) == [([[3.0, 0.25]], 20, 0), ([[1.0, 0.5], [2.0, 0.75]], 20, 0), ([[2.0, 0.75]], 90, 2)]
    assert not len(axes.collections[2].get_facecolors()), "a ring is not filled"
    assert [line.get_xdata() for line in lines(axes, "limit")] == [[2.5, 2.5]] and "stroke-dasharray: 5.6,4.2" in svg
    assert "2 trials of the search, 1 of random search, 2 on the front. Better is above and to the left." in svg


def test_progress_goes_from_0_to_a_little_beyond_the_last_trial_and_ends_in_a_dot(drawn):
    charts.progress(search=[None, 0.5, 0.5, 0.75], random=[0.25] * 10, score="AP")
    ((figure, axes),) = drawn
    assert figure.get_figheight() == 3.5 and axes.get_xlim() == (0, pytest.approx(10.3)) and ticks(axes) <= 7
    assert dots(axes) == [([[10, 0.25]], 26, 0), ([[4, 0.75]], 26, 0)]
    charts.progress(search=[0.5], random=[], score="AP")
    assert dots(drawn[1][1]) == [([[1, 0.5]], 26, 0)]
    (random,), (search,) = lines(axes, "random"), lines(axes, "search")
    assert "\N{MINUS SIGN}0.8" in texts(charts.progress(search=[-1.0, 0.0], random=[], score="AP")), "not a hyphen"
    assert search.get_linewidth() > random.get_linewidth() and list(search.get_ydata()) == [0.5, 0.75, 0.75]


@pytest.mark.parametrize(
    ("values", "scale"), [([31.0, 1.0], "log"), ([30.0, 1.0], "linear"), ([9.0, 0.0], "linear"), ([9.0, -1.0], "linear")]
)
def test_a_loss_that_falls_far_and_stays_positive_has_a_log_axis(values, scale, drawn):
    points = [(float(i), value) for i, value in enumerate(values)]
    charts.loss(stage="a", metric="loss", raw=points, smooth=[])
    ((_, axes),) = drawn
    assert axes.get_yscale() == scale and not axes.collections


def test_a_loss_is_faint_below_its_mean_and_one_value_is_a_dot(drawn):
    charts.loss(stage="a", metric="loss", raw=[(0.0, 3.0), (1.0, 1.0)], smooth=[(0.5, 2.0)])
    charts.loss(stage="a", metric="loss", raw=[(0.0, 3.0)], smooth=[])
    (_, several), (_, one) = drawn
    raw, mean = lines(several, "search")
    assert (list(raw.get_ydata()), list(mean.get_ydata())) == ([3.0, 1.0], [2.0])
    assert (raw.get_alpha(), raw.get_linewidth()) == (0.3, 0.9) and mean.get_alpha() is None and mean.get_linewidth() == 2
    assert dots(one) == [([[0.0, 3.0]], 26, 0)]


def test_seeds_are_rows_of_dots_with_a_bar_and_a_band(drawn):
    svg = charts.seeds(groups=[team("found", 0.25, 0.75), team("by hand", 0.5, role="baseline")], score="AP")
    ((figure, axes),) = drawn
    assert figure.get_figheight() == pytest.approx(0.75 + 2 * 0.52) and ticks(axes) <= 7
    assert dots(axes) == [([[0.25, 0], [0.75, 0]], 34, 0), ([[0.5, -1]], 34, 0)]
    assert not any(line.get_visible() for line in axes.get_xgridlines()), "no grid beside the rules"
    assert [list(rule.get_ydata()) for rule in lines(axes, "rule")] == [[0, 0], [-1, -1]], "a rule for each row"
    band, bar = lines(axes, "search")
    sd = 0.125**0.5
    assert band.get_xdata() == pytest.approx([0.5 - sd, 0.5 + sd]) and list(band.get_ydata()) == [0, 0]
    assert band.get_linewidth() == 9 and band.get_solid_capstyle() == "butt", "a round end would be more than one deviation"
    assert list(bar.get_xdata()) == [0.5, 0.5] and len(lines(axes, "baseline")) == 1, "one training has no deviation"
    assert {"found", "by hand"} <= set(texts(svg)) and "found: mean 0.5; by hand: mean 0.5." in svg


def test_means_against_costs_have_limits_and_room_at_the_sides(drawn):
    groups = [team("found", 0.25, 0.75, cost=2.0), team("by hand", 0.5, cost=4.0, role="baseline"), team("unpriced", 0.5)]
    charts.retrained(groups=groups, limits=[3.0], score="AP", cost="macs")
    ((figure, axes),) = drawn
    assert figure.get_figheight() == 3.5 and ticks(axes) <= 7
    assert dots(axes) == [([[2.0, 0.5]], 60, 0), ([[4.0, 0.5]], 60, 0)]
    assert [line.get_xdata() for line in lines(axes, "limit")] == [[3.0, 3.0]]
    left, right = axes.get_xlim()
    assert (left, right) == (pytest.approx(2.0 - 0.3), pytest.approx(4.0 + 0.3))


def test_a_ranking_is_dots_with_room_around(drawn):
    charts.ranking(points=[((0.0, 1.0), "search"), ((1.0, 2.0), "baseline")], score="AP")
    ((figure, axes),) = drawn
    assert figure.get_figheight() == 3.5 and ticks(axes) <= 7
    assert dots(axes) == [([[0.0, 1.0]], 60, 0), ([[1.0, 2.0]], 60, 0)]
    assert axes.get_xlim() == (pytest.approx(-0.12), pytest.approx(1.12))
    assert axes.get_ylim() == (pytest.approx(0.88), pytest.approx(2.12))


def test_bars_have_their_texts_above_and_their_values_beside_them(drawn):
    svg = charts.bars(title="Which", rows=[("a: x", 0.75), ("b: $y$", 0.5)])
    ((figure, axes),) = drawn
    assert figure.subplotpars.top == 1
    assert [(bar.get_width(), round(bar.get_y() + bar.get_height() / 2, 9)) for bar in axes.patches] == [(0.75, 0), (0.5, -1)]
    assert [(t.get_text(), t.get_position()[1]) for t in axes.texts] == [
        ("a: x", 0.19), ("0.75", 0), ("b: $y$", pytest.approx(-0.81)), ("0.50", -1),
    ]  # fmt: skip
    assert {"a: x", "b: $y$", "0.75", "0.50"} <= set(texts(svg)) and axes.get_xlim() == (0, 1.1)


def test_the_grid_is_thin_and_behind_everything(drawn):
    with rc_context({"grid.linewidth": 3}):  # of a user's own
        charts.ranking(points=[((0.0, 1.0), "search")], score="AP")
    ((_, axes),) = drawn
    assert {line.get_linewidth() for line in axes.get_xgridlines()} == {0.8} and axes.get_axisbelow() is True
