"""Charts with what stands above and below them."""

from common.run.report import plots
from common.run.report.findings import axis
from common.run.report.load import read_run
from tests.common.run.report.make_run import make_run


def test_the_chart_of_ranks_tells_tau_without_the_resampling_that_its_interval_takes(tmp_path, monkeypatch):
    run, asked = read_run(make_run(tmp_path / "run")), []
    known, real = axis(run), plots.rank_correlation
    assert known is not None
    monkeypatch.setattr(plots, "rank_correlation", lambda a, b, resamples: (asked.append(resamples), real(a, b, resamples))[1])
    shown = plots.ranking(run, known)
    assert shown is not None and shown.caption.startswith("Kendall's tau ") and asked == [0]
    assert ("dot", "search", "searched") in shown.legend
