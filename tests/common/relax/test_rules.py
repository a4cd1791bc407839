"""Which losses the rules of a hypergradient take, and where."""

from typing import Any

import torch

from common.relax.hypergradient import AMENDED, FIRST_ORDER, ONE_LEVEL, Inner, Rule, arch_gradient, mixed_level


def test_losses_are_those_of_their_names_where_the_rule_takes_them():
    w, a = torch.tensor(1.0, requires_grad=True), torch.tensor(2.0, requires_grad=True)

    def found(rule: Rule) -> tuple[Any, Any]:
        inner = Inner(rate=1e-12) if rule.lookahead else None
        result = arch_gradient(rule, lambda: (a * w.square()).sum(), lambda: 3 * (a * w).sum(), [w], [a], inner)
        return tuple(None if loss is None else round(float(loss), 6) for loss in (result.train, result.val))

    assert found(Rule(train=1.0, amended=0.1)) == found(mixed_level()) == found(mixed_level(1.0, 1.0)) == (2.0, 6.0)
    assert found(AMENDED) == found(FIRST_ORDER) == (None, 6.0) and found(ONE_LEVEL) == (2.0, None)


def test_the_look_ahead_of_mixed_level_is_a_bare_gradient_step():
    assert mixed_level(1.0, 1.0).plain and not mixed_level().plain
