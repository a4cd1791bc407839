"""Design spaces by their distributions, in closed form, and the command on tables and runs."""

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ks_2samp

from common.cli import spaces
from common.errors import UserError
from common.tables.distributions import Sample, best_of, distance, distribution, effective, normalised, quantile


def test_the_share_of_networks_below_an_error():
    errors = [3.0, 1.0, 2.0, 4.0]
    assert [distribution(errors, at) for at in (1.0, 1.5, 2.0, 4.0, 5.0)] == [0.0, 0.25, 0.25, 0.75, 1.0]
    assert distribution(errors, 2.5, [0.1, 0.6, 0.3, 0.0]) == pytest.approx(0.9)


def test_the_distance_is_that_of_kolmogorov_and_smirnov():
    rng = np.random.default_rng(0)
    for n, m in ((5, 5), (40, 25)):
        a, b = rng.normal(size=n).round(1), rng.normal(0.5, size=m).round(1)
        even = [np.full(len(x), 1 / len(x)) for x in (a, b)]
        assert distance(a, even[0], b, even[1]) == pytest.approx(ks_2samp(a, b).statistic)
    same, apart = np.arange(4.0), np.arange(4.0) + 10
    w = np.full(4, 0.25)
    assert distance(same, w, same[::-1].copy(), w) == 0 and distance(same, w, apart, w) == 1


def test_like_complexities_weigh_alike():
    rng = np.random.default_rng(1)
    small = Sample("small", rng.random(400).tolist(), (10 * rng.random(400) ** 2).tolist())
    large = Sample("large", rng.random(300).tolist(), (10 * rng.random(300) ** 0.5).tolist())
    weights = normalised(small, large, bins=20).weights
    means = [float(np.dot(w, s.complexities)) for w, s in zip(weights, (small, large), strict=True)]
    assert [w.sum() for w in weights] == pytest.approx([1, 1]) and abs(means[0] - means[1]) < 0.15
    assert abs(np.mean(small.complexities) - np.mean(large.complexities)) > 3
    outside = [c for w, s in zip(weights, (small, large), strict=True) for c, x in zip(s.complexities, w, strict=True) if x == 0]
    low, high = max(min(small.complexities), min(large.complexities)), min(max(small.complexities), max(large.complexities))
    assert all(not low <= c <= high for c in outside)


def test_fewer_bins_where_one_would_be_empty():
    one, other = Sample("a", [0.0] * 3, [1.0, 5.0, 9.0]), Sample("b", [0.0] * 2, [1.0, 9.0])
    alike = normalised(one, other, bins=10)
    assert alike.weights[1].tolist() == [0.5, 0.5] and (alike.bins, alike.inside) == (2, (3, 2))
    with pytest.raises(UserError, match=r"no range of complexities in common \(a 1 to 9, b 20 to 20\); .* of several widths"):
        normalised(one, Sample("b", [0.0], [20.0]))


def test_unequal_weights_are_worth_fewer_networks():
    assert effective(np.full(8, 1 / 8)) == pytest.approx(8) and effective(np.array([0.5, 0.5, 0.0])) == pytest.approx(2)
    assert effective(np.array([0.7, 0.1, 0.1, 0.1])) == pytest.approx(1 / 0.52)


def test_the_expected_best_is_that_over_all_choices():
    errors = [5.0, 1.0, 4.0, 2.5, 3.0]
    for draws in range(1, 6):
        wanted = np.mean([min(choice) for choice in combinations(errors, draws)])
        assert best_of(errors, draws) == pytest.approx(wanted)
    for draws in (0, 6):
        with pytest.raises(UserError, match=f"{draws} draws from 5 networks: give 1 to 5"):
            best_of(errors, draws)


def test_weighted_quantiles():
    errors, even = np.array([4.0, 1.0, 3.0, 2.0]), np.full(4, 0.25)
    assert [quantile(errors, even, share) for share in (0.01, 0.25, 0.5, 1.0)] == [1, 1, 2, 4]
    assert quantile(errors, np.array([0.7, 0.1, 0.1, 0.1]), 0.5) == 4


def table(path: Path, scores: list[float], macs: list[float]) -> Path:
    rows = [f"{i},{score},{cost}" for i, (score, cost) in enumerate(zip(scores, macs, strict=True))]
    path.write_text("\n".join(["arch.number,accuracy,cost.macs", *rows]) + "\n")
    return path


def test_the_command_tells_spaces_apart_and_sizes_away(tmp_path, capsys):
    """Scores follow sizes alone: of the larger space's networks more are good, and as many at like sizes."""
    rng = np.random.default_rng(2)
    small, large = 10 * rng.random(600) ** 2, 10 * rng.random(600) ** 0.5
    files = (
        table(tmp_path / "small.csv", (small / 10).tolist(), small.tolist()),
        table(tmp_path / "large.csv", (large / 10).tolist(), large.tolist()),
    )
    spaces(files, "accuracy")
    said = capsys.readouterr().out
    row = next(line for line in said.splitlines() if line.startswith("| small, large |"))
    plain, alike = (float(cell) for cell in row.split("|")[2:4])
    assert plain > 0.4 and alike < 0.12
    assert "| small | 600 |" in said and "best of 100" in said
    out = tmp_path / "new" / "page.md"
    spaces(files, "accuracy", out=out)
    assert out.read_text() == said and capsys.readouterr().out.strip() == str(out)
    losses = table(tmp_path / "losses.csv", (1 - small / 10).tolist(), small.tolist())
    spaces((losses, losses), "accuracy", direction="min")
    assert "| losses (1), losses (2) | 0.000 | 0.000 |" in capsys.readouterr().out


def test_the_result_says_how_many_bins_there_are_and_how_many_networks_lie_in_the_common_range(tmp_path, capsys):
    """Sizes 1 to 40 and 21 to 60 share 21 to 40; without those from 25 to 34 three bins or more leave one empty."""
    small = table(tmp_path / "small.csv", [0.5] * 40, [float(c) for c in range(1, 41)])
    gap = [float(c) for c in range(21, 61) if not 25 <= c <= 34]
    large = table(tmp_path / "large.csv", [0.5] * 30, gap)
    spaces((small, large), "accuracy")
    said = capsys.readouterr().out
    assert "| small | 40 | 20 | 20.0 |" in said and "| large | 30 | 10 | 9.6 |" in said
    assert "count, 21 to 40, divided into 2 bins." in said
    note = "The common range of macs has 2 of the 10 bins asked for"
    assert said.count(note) == 1
    spaces((small, large), "accuracy", bins=2)
    assert "asked for" not in capsys.readouterr().out
    out = tmp_path / "page.md"
    spaces((small, large), "accuracy", out=out)
    captured = capsys.readouterr()
    assert note in out.read_text() and captured.err.startswith(f"note: {note}") and captured.out.strip() == str(out)


def test_one_bin_makes_no_sizes_alike(tmp_path, capsys):
    near, far = (table(tmp_path / f"{last}.csv", [0.5] * 13, [*map(float, range(1, 13)), last]) for last in (100.0, 200.0))
    spaces((near, far), "accuracy")
    assert "1 of the 10 bins asked for, because with more" in (said := capsys.readouterr().out)
    assert "so that within the range macs is not made alike" in said and "divided into 1 bin." in said
    same = table(tmp_path / "same.csv", [0.5] * 12, [1.0] * 12)
    spaces((same, same), "accuracy")
    assert "asked for" not in capsys.readouterr().out


def test_spaces_with_few_networks_in_the_common_range_are_refused(tmp_path):
    small = table(tmp_path / "small.csv", [0.5] * 40, [float(c) for c in range(1, 41)])
    large = table(tmp_path / "large.csv", [0.5] * 40, [float(c) for c in range(32, 72)])
    beyond = table(tmp_path / "beyond.csv", [0.5] * 40, [float(c) for c in range(41, 81)])
    with pytest.raises(UserError, match="in common \\(small 1 to 40, beyond 41 to 80\\)"):
        spaces((small, beyond), "accuracy")
    with pytest.raises(UserError, match="small: 9 of 40 networks have macs in the range that all spaces have \\(32 to 40\\); "):
        spaces((small, large), "accuracy")
    spaces((small, table(tmp_path / "enough.csv", [0.5] * 40, [float(c) for c in range(31, 71)])), "accuracy")


@pytest.mark.parametrize(
    ("rows", "bins", "says"),
    [
        (9, 10, "number of networks: 9; a space is told by 10 random ones or more"),
        (1, 10, "number of networks: 1; a space is told by 10 random ones or more"),
        (12, 0, "--bins 0: give 1 or more"),
        (None, 10, "two run"),
    ],
)
def test_what_cannot_be_compared_is_refused(tmp_path, rows, bins, says):
    file = table(tmp_path / "a.csv", [0.5] * (rows or 12), [1.0] * (rows or 12))
    with pytest.raises(UserError, match=says):
        spaces((file,) if rows is None else (file, file), "accuracy", bins=bins)


def run(folder: Path, engine: str, *files: str) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"settings": {"search": {"engine": {"name": engine}}}}))
    rows = [{"arch": {"n": str(i)}, "scores": {"accuracy": i / 40}, "cost": {"macs": i}} for i in range(1, 21)]
    for file in files:
        (folder / file).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_of_a_run_random_networks_alone_are_compared(tmp_path, capsys):
    random = run(tmp_path / "a", "random", "trials.jsonl")
    beside = run(tmp_path / "b", "aging", "trials.jsonl", "random.jsonl")
    spaces((random, beside), "accuracy")
    assert "| a | 20 |" in capsys.readouterr().out
    for wrong, says in (
        (run(tmp_path / "c", "aging", "trials.jsonl"), "c: the search was aging; give a run with search.engine=random"),
        (tmp_path, "no run; give a run with search.engine=random, or a table"),
        (tmp_path / "nowhere", "nowhere: no such file or folder; give a run folder or a table"),
    ):
        with pytest.raises(UserError, match=says):
            spaces((random, wrong), "accuracy")
