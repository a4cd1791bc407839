"""What a run supports saying: axes, groups, pairs and single statements, from rows written by hand."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from common.run.report.figures import RankCorrelation, Spread
from common.run.report.findings import Axis, Finding, Team, _tau, axis, comparison, findings, pairs, search_axis, split, teams
from common.run.report.load import Config, Goal, Limit, RetrainedRow, Run, StageRow, TrialRow

ACC, MACS = Goal(name="acc", maximise=True, unit="%"), Goal(name="macs", maximise=False, unit="MACs")
BUDGET = Limit(metric="macs", upper=8.0, lower=None)


def trial(acc: float | None, macs: float = 5.0, fidelity: str = "full") -> TrialRow:
    """A trial; one without a score failed."""
    scores = {} if acc is None else {"acc": acc}
    ok = acc is not None
    return TrialRow(
        id="0", arch={}, scores=scores, cost={"macs": macs}, fidelity=fidelity, seconds=1.0, ok=ok, origin="random", error=""
    )


def net(kind: str, name: str, test: float | None, arch: str = "", macs: float = 5.0, **more: Any) -> RetrainedRow:
    row: dict[str, Any] = {"seed": "0", "inherited": {}, "val": {}, "seconds": 1.0, "error": "", "cost": {"macs": macs}, **more}
    return RetrainedRow(name=name, kind=kind, arch={"a": arch or name}, test={} if test is None else {"acc": test}, **row)


def run_of(
    trials: tuple[TrialRow, ...] = (),
    random: tuple[TrialRow, ...] = (),
    retrained: tuple[RetrainedRow, ...] = (),
    goals: tuple[Goal, ...] = (ACC, MACS),
    limits: tuple[Limit, ...] = (BUDGET,),
) -> Run:
    texts = dict.fromkeys(("system", "title", "paper", "task", "recipe", "seed", "command"), "")
    config = Config(**texts, settings={}, goals=goals, limits=limits, environment={}, data={}, notes=())
    rest: dict[str, Any] = dict.fromkeys(("stages", "metrics", "samples", "tiles", "damage"), ())
    rest |= {name: {} for name in ("decisions", "strengths", "best_arch", "best_metrics")}
    return Run(
        path=Path(), config=config, fingerprint="", trials=trials, random=random, retrained=retrained, drawing=None, **rest
    )


def known(run: Run) -> Axis:
    found = axis(run)
    assert found is not None
    return found


def said(run: Run) -> list[Finding]:
    return findings(run, known(run))


def test_the_score_is_the_first_goal_that_is_no_cost():
    swapped = known(run_of((trial(1.0),), goals=(MACS, ACC)))
    assert (swapped.score, swapped.cost, swapped.limits) == (ACC, MACS, (BUDGET,))
    unnamed = known(run_of((trial(1.0),), goals=(), limits=()))
    assert unnamed.score == Goal(name="acc", maximise=True, unit="") and unnamed.cost == Goal(
        name="macs", maximise=False, unit=""
    )
    assert axis(run_of(goals=(), limits=())) is None and known(run_of(limits=())).cost is None
    other = Limit(metric="ms", upper=1.0, lower=None)
    assert known(run_of((trial(1.0),), limits=(BUDGET, other))).limits == (BUDGET,), "no trial knows the other"


def test_a_search_that_had_a_reward_is_told_by_it():
    run = run_of()
    assert search_axis(run, known(run)) == known(run)
    rewarded = replace(run, config=replace(run.config, reward="acc / macs"))
    sought = search_axis(rewarded, known(rewarded))
    assert (sought.score, sought.cost) == (Goal(name="reward", maximise=True, unit=""), known(run).cost)


def test_what_is_feasible():
    on = Axis(score=ACC, cost=MACS, limits=(BUDGET,), lower=frozenset({"half"}))
    cases = [trial(1.0), trial(1.0, 8.0), trial(1.0, 8.1), trial(None), trial(1.0, fidelity="half")]
    assert [on.feasible(row) for row in cases] == [True, True, False, False, False]
    assert [on.score_of(row) for row in cases] == [1.0, 1.0, None, None, None]
    assert known(run_of((trial(1.0, fidelity="a"), trial(1.0, fidelity="b"), trial(1.0, fidelity="a")))).lower == {"a"}


def test_the_split_is_test_where_any_network_was_tested():
    val, tested = net("searched", "s", None, val={"acc": 1.0}), net("searched", "s", 2.0)
    assert [split(run_of(retrained=rows), "acc") for rows in ((val, tested), (val,), ())] == ["test", "val", ""]
    assert [team.scores for team in teams(run_of(retrained=(val, tested)), Axis(score=ACC, cost=None, limits=()))] == [(2.0,)]


def test_teams_are_networks_by_seed_and_random_networks_together():
    rows = (
        net("baseline", "base", 1.0),
        net("random", "r1", 4.0),
        net("random", "r1", 6.0),
        net("random", "r2", 9.0),
        net("searched", "searched", 2.0, macs=3.0),
        net("searched", "searched", 3.0, macs=3.0),
        net("other", "odd", 1.0),
    )
    run = run_of(retrained=rows)
    searched, random, base, odd = teams(run, known(run))
    assert [team.label for team in (searched, random, base, odd)] == ["searched", "random", "base (baseline)", "odd"]
    assert (searched.scores, searched.sample, searched.cost, searched.arch) == ((2.0, 3.0), "2 seeds", 3.0, {"a": "searched"})
    assert (random.summary.mean, random.sample, random.arch) == (7.0, "2 networks", {}), "the mean of 5 and 9"
    assert [team.role for team in (searched, random, base, odd)] == ["search", "random", "baseline", "muted"]


def test_pairs_are_means_over_the_seeds_of_an_architecture_on_validation():
    rows = (
        net("searched", "s", 0.0, "x", inherited={"acc": 1.0}, val={"acc": 5.0}),
        net("random", "r", 0.0, "x", inherited={"acc": 1.0}, val={"acc": 7.0}),
        net("reference", "t", 0.0, "y", inherited={"acc": 1.0}, val={"acc": 5.0}),
        net("baseline", "b", 0.0, "z", val={"acc": 1.0}),
    )
    run = run_of(retrained=rows)
    (pair,) = pairs(run, known(run))
    assert (pair.inherited, pair.retrained, pair.role) == (1.0, 6.0, "search")
    (untested,) = pairs(run_of(retrained=(net("random", "r", 3.0, inherited={"acc": 1.0}),)), known(run))
    assert (untested.retrained, untested.role) == (3.0, "random")


def team(kind: str, mean: float, sd: float | None, n: int = 3, label: str = "") -> Team:
    summary = Spread(n=n, mean=mean, sd=sd)
    return Team(label=label or kind, kind=kind, role="", unit="seed", scores=(), summary=summary, cost=None)


@pytest.mark.parametrize(
    ("mine", "other", "maximise", "mark", "words"),
    [
        (
            (0.9, 0.01),
            (0.5, 0.01),
            True,
            "settled",
            "is ahead of the baseline by 0.400 ± 0.023 acc: beyond the spread of",
        ),
        ((0.9, 0.01), (0.5, 0.01), False, "lost", "is behind the baseline by 0.400"),
        ((0.5, 0.30), (0.6, 0.30), True, "open", "is behind the baseline by 0.10 ± 0.68 acc: not beyond the spread"),
        ((0.5, 0.30), (0.6, 0.30), False, "open", "is ahead of the baseline"),
        ((0.9, None), (0.5, 0.01), True, "open", "by 0.4 acc, but there is a single value of the searched network: no spread"),
        ((0.5, 0.01), (0.5, 0.02), True, "open", "The searched network and the baseline are equal in acc: not beyond"),
    ],
)
def test_a_comparison_claims_no_more_than_the_spread_allows(mine, other, maximise, mark, words):
    score = Goal(name="acc", maximise=maximise, unit="")
    finding = comparison(team("searched", *mine), team("baseline", *other), score)
    assert finding.mark == mark and words in finding.text
    assert ("(95 % Welch interval, 3 seeds against 3 seeds)" in finding.text) == (mine[1] is not None)


def test_the_search_is_told_with_its_best_trial_and_random_search():
    trials = (trial(70.0), trial(None), trial(90.0, 9.0), trial(80.0, 4.0))
    first, second = said(run_of(trials, (trial(75.0),)))
    assert first == Finding(
        text="The search evaluated 4 architectures, 1 failed; the best has acc 80 % during the search and costs 4 MACs, "
        "50% of the limit of 8."
    )
    assert second.mark == "open" and second.text.startswith(
        "Random search with 1 trial reached 75 %: the search is ahead of it by 5."
    )
    behind = said(run_of(trials, (trial(85.0), *[trial(None)] * 3)))[1].text
    assert behind.startswith("Random search with as many trials reached 85 %: the search is behind it by 5.")
    assert "neither is ahead" in said(run_of(trials, (trial(80.0),)))[1].text
    (nothing,) = said(run_of((trial(None), trial(90.0, 9.0))))
    assert nothing == Finding(
        text="The search evaluated 2 architectures, 1 failed; none has a score inside the limits.", mark="open"
    )
    staged = said(run_of((trial(99.0, fidelity="half"), trial(80.0))))[0].text
    assert staged.startswith("The search trained 2 candidates at several fidelities; the best has acc 80 %")


def test_random_search_at_the_cost_of_a_differentiable_search_is_told():
    """It is not compared with candidates that such a search trains at last: those had other shares of the steps."""
    rivals = (trial(75.0, fidelity="0.377904"), trial(85.0, fidelity="0.377904"))
    (told,) = said(run_of((), rivals))
    assert told == Finding(
        text="Random search trained 2 random architectures, each for 37.8% of the steps of a training: together for as many "
        "floating-point operations as the search. The best has acc 85 % then; it is retrained beside the searched network."
    )
    (whole,) = said(run_of((), (trial(75.0),)))
    assert whole.text.startswith("Random search trained 1 random architecture: together for as many")
    (odd,) = said(run_of((), (trial(75.0, fidelity="odd"),)))
    assert odd.text.startswith("Random search trained 1 random architecture: together")
    (nothing,) = said(run_of((), (trial(99.0, 9.0),)))
    assert nothing.mark == "open" and nothing.text.endswith("as the search; none has a score inside the limits.")
    relaxed = (StageRow(name="relaxed search", seconds=1.0, result={}),)
    both = [finding.text for finding in said(replace(run_of((trial(80.0),), rivals), stages=relaxed))]
    assert len(both) == 2 and not any("is ahead of it" in text or "reached" in text for text in both)


def test_trainings_that_failed_are_told_even_where_all_did():
    lost = net("searched", "s", None, error="loss is not finite")
    told = Finding(text="Of 1 training alone, 1 failed: left out of every mean.", mark="open")
    assert said(run_of(retrained=(lost,))) == [told]
    first, *_, last = said(run_of(retrained=(lost, net("searched", "s", 2.0), net("baseline", "b", 2.0, macs=4.0))))
    assert first.text == "Of 3 trainings alone, 1 failed: left out of every mean."
    assert last.text == "The searched network s costs 5 MACs, 25% more than the baseline b."


@pytest.mark.parametrize(
    ("order", "mark", "words"),
    [
        ((0, 1), "open", "too few, or too equal"),
        ((0, 1, 2, 3), "open", "even a perfect order would be no evidence"),
        ((2, 0, 3, 1, 4), "open", "not to be told from no relation at all"),
        (range(7), "settled", "tau 1.00 over 7 networks (21 pairs), p = 0.0004: the orders agree more than by chance"),
        (range(7, 0, -1), "lost", "the orders disagree"),
        (range(9), "settled", "95 % bootstrap interval 1.00 to 1.00"),
    ],
)
def test_the_order_of_inherited_scores(order, mark, words):
    rows = [net("random", f"r{i}", None, inherited={"acc": i}, val={"acc": value}) for i, value in enumerate(order)]
    last = said(run_of(retrained=tuple(rows)))[-1]
    assert last.mark == mark and words in last.text


def test_an_order_is_told_from_none_below_5_percent_not_at_it():
    marks = [_tau(RankCorrelation(n=9, tau=0.5, p=p, low=None, high=None)).mark for p in (0.05, 0.049)]
    assert marks == ["open", "settled"]


def test_a_comparison_without_spread_says_whose_is_missing():
    score = Goal(name="AP", maximise=True, unit="")
    alone, several = team("searched", 0.5, None), team("baseline", 0.6, None)
    assert "there is a single value of the searched network and the baseline: no" in comparison(alone, several, score).text
    other = team("baseline", 0.6, 0.1)
    assert "there is a single value of the searched network: no" in comparison(alone, other, score).text
    assert "there is a single value of the baseline: no" in comparison(team("searched", 0.5, 0.1), several, score).text
