"""Charts with what stands above and below them."""

import json
import re

from common.run.report import plots, write_report
from common.run.report.findings import axis
from common.run.report.load import read_run
from tests.common.run.report.make_run import CONFIG, make_run, write_rows


def test_the_chart_of_ranks_tells_tau_without_the_resampling_that_its_interval_takes(tmp_path, monkeypatch):
    run, asked = read_run(make_run(tmp_path / "run")), []
    known, real = axis(run), plots.rank_correlation
    assert known is not None
    monkeypatch.setattr(plots, "rank_correlation", lambda a, b, resamples: (asked.append(resamples), real(a, b, resamples))[1])
    shown = plots.ranking(run, known)
    assert shown is not None and shown.caption.startswith("Kendall's tau ") and asked == [0]
    assert ("dot", "search", "searched") in shown.legend


def timed(run):
    """The run, whose networks have a latency besides: the more, the fewer multiply-adds they need."""
    for name in ("trials.jsonl", "random.jsonl", "retrained.jsonl"):
        rows = [json.loads(line) for line in (run / name).read_text().splitlines()]
        write_rows(run / name, [{**row, "cost": {**row["cost"], "latency": 9e6 / row["cost"]["macs"]}} for row in rows])
    return run


def shown(path):
    """The pictures that have a cost, and the best so far, by title."""
    run = read_run(path)
    known = axis(run)
    assert known is not None
    return {plot.title: plot for plot in (*plots.search(run, known), *plots.costs(run, known))}


def test_scores_are_drawn_against_the_latency_too_where_networks_have_one(tmp_path):
    plain = shown(make_run(tmp_path / "plain"))
    assert list(plain) == ["Score against cost", "Best so far", "What the score costs"]
    both = shown(timed(make_run(tmp_path / "run")))
    search = ["Score against macs", "Score against latency", "Best so far"]
    assert list(both) == [*search, "What the score costs: macs", "What the score costs: latency"]
    limit = ("dash", "limit", "limit 6 M")
    for title, plot in both.items():
        assert ("latency (ms)" in plot.svg) == ("latency" in title)
        assert (limit in plot.legend) == ("macs" in title), "a budget of another cost is no line here"
    assert both["Score against macs"].legend[1] != both["Score against latency"].legend[1], "the fronts have other networks"


def test_a_search_for_latency_is_drawn_against_it_alone(tmp_path):
    path = timed(make_run(tmp_path / "run"))
    goals = [CONFIG["objectives"][0], {"name": "latency", "direction": "min", "unit": "ms"}]
    (path / "config.json").write_text(json.dumps({**CONFIG, "objectives": goals}))
    found = shown(path)
    assert list(found) == ["Score against cost", "Best so far", "What the score costs"]
    assert "latency (ms)" in found["Score against cost"].svg and "latency (ms)" in found["What the score costs"].svg


def test_networks_without_a_latency_are_named_and_the_others_drawn(tmp_path):
    path = timed(make_run(tmp_path / "run"))
    nets = [json.loads(line) for line in (path / "retrained.jsonl").read_text().splitlines()]
    write_rows(
        path / "retrained.jsonl",
        [{**net, "cost": {"macs": net["cost"]["macs"]} if net["kind"] == "baseline" else net["cost"]} for net in nets],
    )
    found = shown(path)
    by_macs, by_latency = found["What the score costs: macs"], found["What the score costs: latency"]
    assert by_macs.caption == "Means after retraining, whiskers one standard deviation."
    assert by_latency.caption == f"{by_macs.caption} Without latency, and not drawn: all-3x3 (baseline)."
    assert [text for mark, _, text in by_latency.legend if mark == "dot"] == ["searched", "random"]
    assert "2 networks with their spread" in by_latency.svg and "3 networks" in by_macs.svg
    write_rows(path / "retrained.jsonl", [{**net, "cost": {"macs": net["cost"]["macs"]}} for net in nets])
    found = shown(path)
    assert "What the score costs" in found and "Score against latency" in found


def test_two_pictures_of_one_kind_share_no_id(tmp_path):
    html = write_report(timed(make_run(tmp_path / "run"))).read_text()
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert sorted(set(ids)) == sorted(ids)
