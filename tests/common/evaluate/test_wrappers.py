"""Wrappers around evaluators."""

from inspect import signature

import pytest

from common.errors import UserError
from common.evaluate.base import Scores
from common.evaluate.wrappers import Cached, Constrained, Each, failed
from common.space import Arch
from tests.common.evaluate.jobs import score

A, B, C = (Arch({"0": i}) for i in range(3))


def test_an_exception_is_a_failed_score_and_the_others_go_on():
    ok, bad = Each(score)([A, Arch({"0": 3})], "full")
    assert ok.status == "ok" and ok.values == {"gene": 0, "full": 1.0}
    assert bad.status == "failed" and bad.error == "ValueError: gene 3 is bad" and not bad.values
    assert 0 <= bad.seconds < 2


def test_a_failure_is_named_by_its_kind_where_it_has_no_words():
    assert [failed(error).error for error in (ValueError(), KeyError("x"))] == ["ValueError", "KeyError: 'x'"]
    assert failed(ValueError()).seconds == 0
    assert failed(ValueError(), 3.0) == Scores(status="failed", seconds=3.0, error="ValueError")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), UserError("no such file")])
def test_what_ends_a_run_passes(error):
    def interrupted(arch, fidelity):
        raise error

    with pytest.raises(type(error)):
        Each(interrupted)([A], "full")


def test_time_is_measured():
    import time

    assert 0.02 <= Each(lambda arch, fidelity: time.sleep(0.02) or {})([A], "full")[0].seconds < 2


def test_the_cache_evaluates_once_per_fidelity_and_failures_again():
    calls = []

    def evaluator(archs, fidelity):
        calls.append((list(archs), fidelity))
        return [Scores(values={"x": 1.0}, seconds=2.0, status="failed" if arch == C else "ok") for arch in archs]

    assert list(signature(Cached).parameters) == ["evaluator"], "what is known is nobody's to give"
    cached = Cached(evaluator)
    assert [s.seconds for s in cached([A, B, A], "full")] == [2.0, 2.0, 2.0]
    assert [s.seconds for s in cached([B, C], "full")] == [0.0, 2.0]
    cached([C], "full")
    cached([A], "short")
    cached([A], "full")
    assert calls == [([A, B], "full"), ([C], "full"), ([C], "full"), ([A], "short")]


def test_the_constraint_filter_keeps_the_order():
    def evaluator(archs, fidelity):
        assert archs and B not in archs, "never asked for nothing"
        return [Scores(values={"gene": arch["0"]}) for arch in archs]

    results = Constrained(evaluator, lambda arch: arch != B, "gene != 1")([A, B, C], "full")
    assert [s.values.get("gene") for s in results] == [0, None, 2]
    assert results[1].status == "failed" and results[1].error == "breaks the constraint gene != 1"
    assert [s.status for s in Constrained(evaluator, lambda arch: False, "x")([A], "full")] == ["failed"]
