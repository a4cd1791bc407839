"""The report of a made-up run: its numbers, what it dares to claim, and what it does with less than a whole run."""

from __future__ import annotations

import json
import random
import re
import shutil
import statistics
from html import unescape
from html.parser import HTMLParser

import pytest
from scipy import stats

from common.arch import save
from common.errors import UserError
from common.run.folder import RunFolder
from common.run.report import compare, write_report
from common.run.report.drawing import draw, sanitise
from common.run.report.findings import axis, findings
from common.run.report.load import read_run
from common.search.base import Trial
from common.space import ManyOf, OneOf, sample
from tests.common.run.report.make_run import CONFIG, DECISIONS, LIMIT, make_run, write_rows


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("report") / "run")


@pytest.fixture
def copy(run, tmp_path):
    return shutil.copytree(run, tmp_path / "run")


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def text(html):
    html = re.sub(r"<(style|svg).*?</\1>", "", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", html)))


def told(path):
    known = axis(read_run(path))
    return [(finding.mark, finding.text) for finding in findings(read_run(path), known)]


def retrained(values, kind="searched", name="", arch=None):
    return [
        {
            "name": name or kind,
            "kind": kind,
            "seed": seed,
            "arch": arch or {"a": kind},
            "test": {"AP50": value},
            "cost": {"macs": 5e6},
        }
        for seed, value in enumerate(values)
    ]


def test_numbers_are_those_of_the_files(run):
    html = text(write_report(run).read_text())
    nets, trials = rows(run / "retrained.jsonl"), rows(run / "trials.jsonl")
    mine = [net["test"]["AP50"] for net in nets if net["kind"] == "searched"]
    base = [net["test"]["AP50"] for net in nets if net["kind"] == "baseline"]
    assert f"searched {statistics.mean(mine):.4f} ± {statistics.stdev(mine):.4f} (3 seeds)" in html
    gap = stats.ttest_ind(mine, base, equal_var=False)
    interval = gap.confidence_interval(0.95)
    half = (interval.high - interval.low) / 2
    assert f"{statistics.mean(mine) - statistics.mean(base):.3f} ± {half:.3f} AP50: not beyond the spread" in html
    feasible = [t for t in trials if t["status"] == "ok" and t["cost"]["macs"] <= LIMIT]
    assert f"the best has AP50 {max(t['scores']['AP50'] for t in feasible):.4g}" in html
    assert "40 architectures, 2 failed" in html
    pairs = {n["name"]: (n["inherited"]["AP50"], []) for n in nets}
    for net in nets:
        pairs[net["name"]][1].append(net["val"]["AP50"])
    tau = stats.kendalltau([a for a, _ in pairs.values()], [statistics.mean(b) for _, b in pairs.values()])
    assert f"Kendall's tau {tau[0]:.2f} over 6 networks (15 pairs), p = {tau[1]:.2g}" in html
    total = sum(stage["seconds"] for stage in rows(run / "stages.jsonl"))
    assert f"all {int(total // 60)} min {round(total % 60):02d} s" in html


def test_option_counts_are_those_of_the_ten_best(run):
    html = write_report(run).read_text()
    feasible = [t for t in rows(run / "trials.jsonl") if t["status"] == "ok" and t["cost"]["macs"] <= LIMIT]
    best = {}
    for trial in sorted(feasible, key=lambda t: -t["scores"]["AP50"]):
        best.setdefault(json.dumps(trial["arch"]), trial["arch"])
    top = list(best.values())[:10]
    for path, options in DECISIONS.items():
        row = re.search(rf'<th scope="row">{re.escape(path)}</th>(.*?)</tr>', html).group(1)
        shown = re.findall(r'<span class="cell[^>]*>([^<]*)</span>', row)
        assert shown == [str(sum(a[path] == o for a in top) or "·") for o in options]


def test_every_retrained_network_has_its_row(run):
    html = text(write_report(run).read_text())
    for net in rows(run / "retrained.jsonl"):
        assert f"{net['name']} {net['kind']} {net['seed']} {net['test']['AP50']:.4g}" in html


def test_a_clear_lead_is_called_settled_and_an_unclear_one_is_not(copy):
    write_rows(copy / "retrained.jsonl", retrained([0.90, 0.91, 0.92]) + retrained([0.50, 0.51, 0.52], "baseline", "all-3x3"))
    assert any(m == "settled" and "ahead of the baseline all-3x3 by 0.400 ± 0.023" in t for m, t in told(copy))
    write_rows(copy / "retrained.jsonl", retrained([0.50, 0.51, 0.52]) + retrained([0.90, 0.91, 0.92], "baseline", "all-3x3"))
    assert any(m == "lost" and "behind the baseline all-3x3" in t for m, t in told(copy))
    write_rows(copy / "retrained.jsonl", retrained([0.90]) + retrained([0.10], "baseline", "all-3x3"))
    assert any(m == "open" and "no spread to judge it by" in t for m, t in told(copy))


def test_a_search_that_ends_at_a_hand_made_network_is_not_compared_with_it(copy):
    found, other = retrained([0.90, 0.91]), retrained([0.50, 0.51], "baseline")
    same = [{**row, "name": "all-3x3", "kind": "baseline"} for row in found]
    write_rows(copy / "retrained.jsonl", [*found, *same, *({**row, "arch": {"a": "other"}} for row in other)])
    statements = [t for _, t in told(copy)]
    assert any("The searched network is the baseline all-3x3 itself" in t for t in statements)
    assert not any("baseline all-3x3 by" in t or "than the baseline all-3x3" in t for t in statements)
    assert any("ahead of the baseline by 0.400" in t for t in statements)


def test_a_score_to_minimise_turns_the_order_round(copy):
    config = {**CONFIG, "objectives": [{"name": "error", "direction": "min"}], "constraints": []}
    (copy / "config.json").write_text(json.dumps(config))
    nets = retrained([0.10, 0.11]) + retrained([0.50, 0.51], "baseline")
    write_rows(copy / "retrained.jsonl", [{**net, "test": {"error": net["test"]["AP50"]}} for net in nets])
    write_rows(
        copy / "trials.jsonl",
        [{"id": i, "arch": {"a": str(i)}, "scores": {"error": e}, "status": "ok"} for i, e in enumerate((3, 1, 2))],
    )
    statements = told(copy)
    assert any("the best has error 1 during the search" in t for _, t in statements)
    assert any(m == "settled" and "ahead of the baseline by" in t for m, t in statements)


def test_random_networks_count_once_each(copy):
    nets = [row for i in range(3) for row in retrained([0.5 + i / 10, 0.5 + i / 10], "random", f"r{i}", {"a": str(i)})]
    write_rows(copy / "retrained.jsonl", nets)
    assert any("random 0.60 ± 0.10 (3 networks)" in t for _, t in told(copy))


def test_same_files_give_the_same_bytes(copy):
    first = write_report(copy).read_bytes()
    assert write_report(copy).read_bytes() == first
    assert not [path for path in copy.iterdir() if "tmp" in path.name]


class _Ids(HTMLParser):
    def __init__(self):
        super().__init__()
        self.ids, self.links, self.scripts = [], [], 0

    def handle_starttag(self, tag, attrs):
        self.scripts += tag == "script"
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "xlink:href") and tag != "a":
                self.links.append(value)
            assert not name.startswith("on")


def test_refers_to_nothing_outside_and_no_id_twice(run):
    parser = _Ids()
    html = write_report(run).read_text()
    parser.feed(html)
    assert parser.scripts == 0
    assert all(link.startswith(("#", "data:")) for link in parser.links)
    assert "@import" not in html
    assert not re.findall(r"url\((?!#)", html)
    assert {link[1:] for link in parser.links if link.startswith("#")} <= set(parser.ids)
    assert sorted(set(parser.ids)) == sorted(parser.ids)


EVIL = '<script>alert(1)</script>" onload="x $\\frac{1}$ & 中文 \x07'


def test_text_of_files_is_escaped(copy):
    config = json.loads((copy / "config.json").read_text())
    config.update(
        title=EVIL, command=EVIL, task=EVIL, paper=EVIL, recipe=EVIL, notes=[EVIL], settings={EVIL: EVIL}, data={EVIL: [EVIL]}
    )
    config["objectives"][0] = {"name": EVIL, "direction": "max", "unit": EVIL}
    (copy / "config.json").write_text(json.dumps(config))
    trials = rows(copy / "trials.jsonl")
    for trial in trials:
        trial["arch"] = {f"{EVIL}.{path}": EVIL for path in trial["arch"]}
        trial["scores"] = dict.fromkeys([EVIL] if trial["scores"] else [], 0.1 + int(trial["id"]) / 100)
        trial["error"] = EVIL
    write_rows(copy / "trials.jsonl", trials)
    nets = rows(copy / "retrained.jsonl")
    write_rows(
        copy / "retrained.jsonl",
        [
            {**n, "name": EVIL, "arch": {EVIL: EVIL}, "test": {EVIL: 0.5}, "inherited": {EVIL: 0.1}, "val": {EVIL: n["seed"]}}
            for n in nets
        ],
    )
    write_rows(copy / "metrics.jsonl", [{"stage": EVIL, "step": i, "values": {EVIL: 1.0}} for i in range(3)])
    (copy / "samples" / "samples.json").write_text(
        json.dumps([{"file": "0.png", "caption": EVIL}, {"file": "../config.json", "caption": EVIL}])
    )
    (copy / "best" / "arch.json").unlink()
    html = write_report(copy).read_text()
    parser = _Ids()
    parser.feed(html)
    assert parser.scripts == 0
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_a_paper_may_not_be_a_script(copy):
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "paper": "javascript:alert(1)"}))
    assert 'href="javascript' not in write_report(copy).read_text()


PARTS = ("space.json", "stages.jsonl", "trials.jsonl", "random.jsonl", "metrics.jsonl", "retrained.jsonl", "samples", "best")


@pytest.mark.parametrize(
    "missing", [*((part,) for part in PARTS), PARTS, PARTS[1:4] + PARTS[5:], ("trials.jsonl", "random.jsonl")], ids=str
)
def test_whatever_is_missing_a_report_is_written(copy, missing):
    for part in missing:
        target = copy / part
        shutil.rmtree(target) if target.is_dir() else target.unlink()
    html = text(write_report(copy).read_text())
    assert ("No network has been retrained yet." in html) == ("retrained.jsonl" in missing)
    assert ("No trial has been recorded yet." in html) == (
        {"trials.jsonl", "random.jsonl", "retrained.jsonl"} <= set(missing)  # else the search has ended without any
    )
    assert ("No stage has finished yet." in html) == ("stages.jsonl" in missing)


def test_a_line_cut_short_is_left_out_and_told(copy):
    whole = (copy / "trials.jsonl").read_bytes()
    (copy / "trials.jsonl").write_bytes(whole[:-40])
    run = read_run(copy)
    assert len(run.trials) == 39
    assert run.damage == ("trials.jsonl: 1 damaged line left out",)
    assert "trials.jsonl: 1 damaged line left out" in write_report(copy).read_text()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '{"objectives": 3, "settings": [], "notes": "x", "seed": null}',
        '{"objectives": [{"name": "AP50"}]}',
    ],
)
def test_odd_files_never_crash_a_report(copy, content):
    for name in ("space.json", "samples/samples.json", "best/arch.json", "best/metrics.json", "drawing.svg"):
        (copy / name).write_text(content)
    lines = [
        "null",
        "3",
        "[]",
        "{}",
        '{"scores": 3, "arch": [], "cost": null, "status": "ok"}',
        '{"values": {"loss": NaN}}',
        '{"scores": {"AP50": 1e999}}',
    ]
    for name in ("stages.jsonl", "trials.jsonl", "random.jsonl", "metrics.jsonl", "retrained.jsonl"):
        (copy / name).write_text("\n".join(lines))
    if content.startswith('{"'):
        (copy / "config.json").write_text(content)
    assert write_report(copy).stat().st_size > 5000


def test_no_run_folder_is_a_users_mistake(tmp_path):
    with pytest.raises(UserError, match=r"config\.json.*missing"):
        write_report(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(UserError, match="must be JSON"):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_damaged_samples_are_told_not_shown(copy):
    (copy / "samples" / "0.png").write_bytes(b"not a picture")
    (copy / "samples" / "1.png").unlink()
    html = write_report(copy).read_text()
    assert "0.png cannot be shown" in html
    assert "1.png cannot be shown" in html
    assert html.count("data:image/png;base64,") == 4


def test_drawing_groups_by_path_prefix():
    arch = {
        "stem": "16", "stages.0.depth": "2", "stages.0.blocks.0.kernel": "3", "stages.0.blocks.0.expand": "6",
        "stages.0.blocks.1.kernel": "5", "stages.0.blocks.1.expand": "6", "stages.1.blocks.0[MB(k=3.5)].kernel": "3",
    }  # fmt: skip
    picture = draw(arch, {path: [] for path in arch})
    assert [(part.name, [(b.place, b.text) for b in part.blocks]) for part in picture.parts] == [
        ("network", [("stem", "16")]),
        ("stages 0", [("depth", "2"), ("0", "kernel 3 · expand 6"), ("1", "kernel 5 · expand 6")]),
        ("stages 1", [("0", "3")]),
    ]
    assert [part.name for part in draw({"blocks.10": "a", "blocks.9": "b"}, {}).parts] == ["blocks"]
    assert [b.place for b in draw({"blocks.10": "a", "blocks.9": "b"}, {}).parts[0].blocks] == ["9", "10"]


def test_a_tasks_drawing_is_embedded_without_what_acts_or_fetches(copy):
    (copy / "drawing.svg").write_text(
        '<?xml version="1.0"?><!DOCTYPE svg PUBLIC "x" "y"><svg xmlns="http://www.w3.org/2000/svg" '
        'xmlns:xlink="http://www.w3.org/1999/xlink" width="10pt" height="8pt" onload="alert(1)">'
        "<script>alert(1)</script><style>@import url(http://x)</style><foreignObject><b>hi</b></foreignObject>"
        '<image href="http://x/y.png"/><defs><path id="p" d="M0 0"/></defs><use xlink:href="#p"/><use xlink:href="http://x#p"/>'
        '<a href="javascript:alert(1)"><text>gone</text></a>'
        '<rect id="r" clip-path="url(#p)" fill="url(http://x)" style="fill: red; background: url(http://x); position: fixed" '
        'onclick="x()" width="3"/><text>kept</text></svg>'
    )
    html = write_report(copy).read_text()
    drawing = re.search(r'<div class="drawing">(.*?)</div>', html, flags=re.DOTALL).group(1)
    assert "kept" in drawing
    assert 'viewBox="0 0 10 8"' in drawing
    assert 'clip-path="url(#drawing-p)"' in drawing
    assert 'href="#drawing-p"' in drawing
    for word in ("script", "alert", "http", "onclick", "onload", "foreign", "position", "background", "gone", "@import"):
        assert word not in drawing
    assert sanitise("<svg><unclosed></svg>") is None
    assert sanitise('<!DOCTYPE svg [<!ENTITY a "b">]><svg>&a;</svg>') is None
    assert sanitise("<html/>") is None


def test_a_folder_written_by_a_run_is_read(tmp_path):
    space = {"blocks": [OneOf("3x3", "5x5"), OneOf("3x3", OneOf("a", "b"))], "taps": ManyOf((1, 2, 3), 1, 2)}
    with RunFolder.create(tmp_path / "run", {**CONFIG, "environment": {"machine": {"cpu": "X", "cores": 2}}}, space) as folder:
        for index in range(4):
            arch = sample(space, random.Random(index))
            trial = {"scores": {"AP50": index / 10}, "cost": {"macs": 1e6}, "status": "ok", "fidelity": "val", "seconds": 1.0}
            folder.append_trial(Trial(id=index, arch=arch, parents=(), origin="random", error="", **trial))
            folder.append_metrics("pretrain", index, {"loss": 1.0})
        folder.finish("search", {"front": 2}, 3.0)
        (folder.path / "best").mkdir()
        save(folder.path / "best" / "arch.json", space, arch)
    run = read_run(tmp_path / "run")
    assert run.damage == ()
    assert [trial.scores["AP50"] for trial in run.trials] == [0.0, 0.1, 0.2, 0.3]
    assert run.best_arch == run.trials[-1].arch
    assert set(run.best_arch) <= set(run.decisions)
    assert "X, 2 cores" in write_report(tmp_path / "run").read_text()


def test_compare_puts_runs_side_by_side(run, copy):
    (copy / "retrained.jsonl").unlink()
    table = compare([run, copy]).splitlines()
    nets = [net["test"]["AP50"] for net in rows(run / "retrained.jsonl") if net["kind"] == "searched"]
    whole, part = table[-2:]
    assert f"{statistics.mean(nets):.4f} ± {statistics.stdev(nets):.4f} (3)" in whole
    assert "detnas" in whole
    assert "±" not in part
    with pytest.raises(UserError, match="no run folder"):
        compare([])


def test_a_settled_loss_is_not_shown_in_green(copy):
    """It is settled, in the colour of losses."""
    rows = [json.loads(line) for line in (copy / "retrained.jsonl").read_text().splitlines()]
    for row in rows:
        shift = -0.4 if row["kind"] == "searched" else 0.0
        row["test"] = {name: value + shift for name, value in row["test"].items()}
    write_rows(copy / "retrained.jsonl", rows)
    text = write_report(copy).read_text()
    badges = re.findall(r'<span class="badge (\w+)">([\w ]+)</span>([^<]*)', text)
    behind = [
        (mark, word)
        for mark, word, said in badges
        if " is behind the " in said and "beyond the spread" in said and "not b" not in said
    ]
    assert behind and set(behind) == {("lost", "settled")}
    colour = re.search(r"\.badge\.lost \{([^}]*)\}", text)
    assert colour and "--good" not in colour[1]
