"""What tells the collapse of a differentiable search has charts of its own."""

from types import SimpleNamespace
from typing import Any

from common.run.report.plots import MONITORS, losses, monitors


def run(**values: list[float]) -> Any:
    names = list(values)
    steps = len(values[names[0]])
    rows = [
        SimpleNamespace(stage="search", step=i, values={name: values[name][i] for name in names if i < len(values[name])})
        for i in range(steps)
    ]
    return SimpleNamespace(metrics=rows)


def test_monitors_have_charts_beside_the_loss():
    logged = run(loss=[2.0, 1.5, 1.0], skip_share=[0.1, 0.9], entropy=[1.0, 0.5], options=[112.0, 70.0])
    assert [plot.title for plot in losses(logged)] == ["search"]
    plots = monitors(logged)
    assert [plot.title for plot in plots] == ["search: entropy", "search: skip_share", "search: options"]
    assert "0.1 to 0.9" in plots[1].caption and "<svg" in plots[0].svg and set(MONITORS) == {"entropy", "skip_share", "options"}
    assert "left in all decisions, 112 to 70" in plots[2].caption


def test_searches_without_them_have_none():
    assert monitors(run(loss=[2.0, 1.0])) == []
