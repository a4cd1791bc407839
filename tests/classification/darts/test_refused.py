"""Settings of a gradient-based search that do nothing, contradict others or end with nothing: one line, and no run folder."""

from dataclasses import replace

import pytest

from classification.darts.methods import METHODS
from classification.darts.recipes import RECIPES
from classification.darts.spaces import SpaceSettings
from classification.settings import DataSettings
from common.objective import Constraint
from common.overrides import override
from common.stages.search import check_search
from tests.classification.micro import call, made

SHORT = {"weights.steps": "6", "search.engine.snapshots": "3"}
TABLE = "space=nasbench201 network.auxiliary=0 network.drop_path=0"
ABANDON = "search.engine.abandon={} search.engine.rule=none search.engine.arch={}"
NONE_READ = "does not read it; leave it out, or give the weighting as a whole"

CASES = [
    # what is left is not derived as asked
    ("darts", "search.engine.cap=1 search.engine.project={}", "cap with project: what is left is derived as it is"),
    ("gold-nas", "search.engine.cap=1", "cap with prune: what is left is derived as it is"),
    ("gold-nas", "search.engine.threshold=0.5", "threshold with prune: what is left is derived as it is"),
    ("gold-nas", 'search.engine.forbidden=["skip_connect"]', "forbidden with prune: what is left"),
    ("p-darts", "search.engine.grow=[] search.engine.derive={}", "cap with derive: draws do not keep to it"),
    ("da-nas", "search.engine.cap=1 search.engine.shrink.keep=[5,2]", "can be left with none, skip_connect alone; keep more"),
    ("da-nas", "search.engine.shrink.keep=[100,3]", "shrink: keep=100: no decision has more than 8 options"),
    ("p-darts", 'search.engine.grow=[{"keep":100},{"keep":1}]', "grow: keep=100: no decision has more than 8"),
    ("darts", 'search.engine.derive={"trials":2}', "takes several members, and options alone can be drawn; set derive=null"),
    ("darts", 'search.engine.forbidden=["none","Edge(source=0)"]', "'Edge(source=0)' is no option of the space"),
    ("p-darts", 'search.engine.grow=[{"keep":3},{"keep":2}]', "keeps [3, 2] options; give numbers that descend to 1"),
    ("darts", "search.engine.stop=skips search.engine.cap=1", "cap=1 with stop=skips: it stops at two skips"),
    ("gold-nas", "search.engine.prune=null", "every decision of this space takes all its members unless a rule drops some"),
    ("p-darts", 'search.engine.grow=[{"keep":1}]', "grow: it has one search, which is a search without it; give two or more"),
    ("da-nas", "search.engine.shrink.curriculum=[1,1,1]", "curriculum=[1, 1, 1]: all classes from the beginning"),
    (
        "gold-nas",
        'search.engine.prune=null search.engine.threshold=0.5 search.engine.shrink={"at":[0.5],"keep":[1]}',
        "search.engine.shrink: no decision of this space is between options; set it to null",
    ),
    (
        "darts",
        TABLE + ' search.engine.project={"items":10,"begin":0.3} search.engine.derive={"trials":6}',
        "derive with project: one option of each decision is left, and all draws are alike; set derive=null",
    ),
    (
        "darts",
        TABLE + ' search.engine.shrink={"at":[0.5],"keep":[1]} search.engine.derive={"trials":6}',
        "derive with shrink: one option of each decision is left, and all draws are alike; set derive=null, or keep more",
    ),
    (
        "darts",
        TABLE + ' search.engine.forbidden=["none","skip_connect","avg_pool_3x3","nor_conv_1x1"]',
        "one option of each decision is allowed: nothing is searched; allow more",
    ),
    # schedules
    (
        "darts",
        "search.engine.stop=skips search.engine.snapshots=1",
        "stop=skips with snapshots=1: the one snapshot is of the last",
    ),
    ("darts", 'search.engine.freeze={"every":2,"threshold":-1}', "freeze.threshold=-1: a cosine; give a number above -1"),
    ("gold-nas", "search.engine.arch.lr=1e-3", "no gate falls below 0.496, nor below prune.threshold=0.05: nothing is dropped"),
    ("darts", "search.engine.arch.begin=0.9", "none of 6 steps teaches the architecture"),
    ("darts", 'search.engine.project={"begin":0.99}', "12 decisions are settled one by one after 6 of 6 steps"),
    ("da-nas", "search.engine.arch.begin=0.4", "options are dropped after 2 steps, and the architecture learns from step 3 on"),
    ("gold-nas", "search.engine.prune.every=7", "prune.every=7: a search of 6 steps has no round"),
    ("darts", 'search.engine.freeze={"every":7}', "freeze.every=7: a search of 6 steps has no such interval"),
    ("darts", "weights.steps=60 search.engine.stop=ranks search.engine.snapshots=10", "the same order in 10 snapshots after one"),
    (
        "darts",
        "weights.steps=60 search.engine.stop=ranks search.engine.snapshots=15 search.engine.arch.begin=0.5",
        "8 of search.engine.snapshots=15 follow the begin",
    ),
    ("darts", "search.engine.diversity=-1", "diversity=-1: give 0 or more"),
    ("darts", "search.engine.diversity=1 search.engine.diversity_fall=0", "diversity_fall=0: give a share of the search"),
    ("darts", "search.engine.diversity_fall=0.5", "diversity_fall=0.5 with diversity=0: it has no effect"),
    ("darts", "search.engine.discount=0.5", "discount=0.5: give 1 or more"),
    ("darts", "search.engine.discount=3", "discount=3 with forbidden=['none']: none is never derived; give 1"),
    # spaces
    ("darts", "space.gated=true", "has 16,777,216 subsets of 24 options"),
    (
        "gold-nas",
        "search.engine.stop=skips",
        "stop=skips: no decision of this space is between skip_connect and other",
    ),
    ("gold-nas", "search.engine.stop=size", "stop=size: no decision of this space"),
    ("gold-nas", "search.engine.scored=10", "scored=10: no decision of this space"),
    ("gold-nas", "weights.steps=60 search.engine.snapshots=30 search.engine.stop=ranks", "stop=ranks: no decision of this space"),
    ("darts", "space.cells=2", "space.cells=2: a stack of fewer than 3 cells has no normal cell; give 3"),
    ("darts", "network.cells=1", "network.cells=1: a stack of fewer than 3 cells"),
    (
        "p-darts",
        'search.engine.grow=[{"keep":3},{"keep":1,"overrides":["space.cells=1"]}]',
        "space.cells=1: a stack of fewer than 3 cells",
    ),
    ("gold-nas", "space.inputs=0", "space.inputs=0 with gated"),
    ("gold-nas", "space.gated=false", "needs an option; give a space whose operations are all gates"),
    ("darts", 'search.engine.prune={"every":2} search.engine.forbidden=[]', "it closes gates; give them weights of their own"),
    ("gold-nas", TABLE, "space.gated=true is the method's idea"),
    ("pc-darts", TABLE, "space.partial=4 is the method's idea"),
    ("merge-nas", TABLE, "space.merged=true is the method's idea"),
    ("darts", TABLE + ' search.engine.members={"kind":"softmax"}', "this space has no members to weigh"),
    ("darts", 'space.family=nasnet space.operations=["none","skip_connect"]', "family=nasnet with operations"),
    ("darts", "space.family=nasnet", "'none' is no option of the space; choose among avg_pool_3x3, conv 1x1"),
    ("darts", 'space.operations=["skip_connect","sep_conv_3x3"]', "or set search.engine.forbidden=[]"),
    ("snas", 'space.operations=["noise","none"]', "nothing passes an input on"),
    ("darts", "space.skip_dropout=0.3 search.engine=random", "it belongs to gradient-based searches"),
    (
        "darts",
        'space.gated=true space.operations=["skip_connect","sep_conv_3x3"] search.engine.forbidden=[]',
        'give them weights, search.engine.members={"kind":"sigmoid"}',
    ),
    ("gold-nas", "search.engine.rule=first-order search.engine.freeze={}", "of members, which it does not stop; set freeze=null"),
    ("darts", 'search.engine.forbidden=["none","skip_connect"] search.engine.cap=1', "between skip_connect and other operations"),
    (
        "darts",
        'weights.steps=60 search.engine.snapshots=30 search.engine.stop=ranks space.operations=["skip_connect","sep_conv_3x3"] '
        "search.engine.forbidden=[]",
        "stop=ranks: no decision of this space is between two that learn",
    ),
    ("gold-nas", "search.engine.options.kind=sigmoid", "which search.engine.members weighs; leave options as they are"),
    ("darts", "search.engine.options.keep=0.9", "options.keep=0.9: of 8 options, the most of a decision, it takes all"),
    ("nasp", "search.engine.options.kept=8", "options.kept=8: of 7 options, the most of a decision, it takes all; give less"),
    # weights that are drawn, or shared by both levels
    ("snas", "search.engine.radius=0.3", "radius with rule=one-level: weights and architecture share a mixture"),
    ("gdas", "search.engine.radius=0.3", "radius with options.kind=hard-gumbel: it computes one option"),
    ("snas", "search.engine.freeze={}", "freeze with rule=one-level: it has no validation gradient"),
    ("gdas", "search.engine.project={}", "project with options.kind=hard-gumbel: it compares a mixture"),
    ("nasp", "search.engine.project={}", "project with options.kind=one-hot"),
    ("gdas", "search.engine.scored=10", "scored with options.kind=hard-gumbel: it would score one draw"),
    ("darts", "search.engine.scored=10 search.engine.options.keep=0.5", "scored with options.kind=softmax, keep=0.5"),
    # sub-networks are scored, and the architecture has no steps
    ("darts", "search.engine.rule=none", "rule=none: nothing decides between options; give search.engine.abandon={}"),
    ("darts", "search.engine.abandon={}", "abandon with rule=first-order: the scores of sub-networks decide"),
    ("darts", ABANDON, "search.engine.abandon.passes=3: with 8 options of each decision 105 sub-networks are trained"),
    ("darts", ABANDON + " weights.steps=104", "passes * (2 + ... + 8), and the search has 104 steps; give 105 steps or more"),
    (
        "darts",
        ABANDON.replace("{}", '{"parent":2}', 1) + " weights.steps=105",
        "parent=2: the supernet of this system is no pair",
    ),
    (
        "darts",
        "search.engine.abandon={} search.engine.rule=none",
        "arch with abandon: the architecture takes no steps; set search.engine.arch={}",
    ),
    # searches in a row read the space and their own training
    (
        "p-darts",
        'search.engine.grow=[{"keep":3},{"keep":1,"overrides":["search.engine.arch.lr=1"]}]',
        "give settings of space or weights",
    ),
    (
        "p-darts",
        'search.engine.grow=[{"keep":3},{"keep":1,"overrides":["network.width=8"]}]',
        "give settings of space or weights",
    ),
    ("p-darts", 'search.engine.grow=[{"keep":3},{"keep":1,"overrides":["seed=8"]}]', "give settings of space or weights"),
    (
        "p-darts",
        'search.engine.grow=[{"keep":3},{"keep":1,"overrides":["weights.ema=0.9"]}]',
        "ema=0.9: an architecture learns",
    ),
    (
        "p-darts",
        'search.engine.arch.begin=0.8 search.engine.grow=[{"keep":3},{"keep":1,"overrides":["weights.steps=2"]}]',
        "with weights.steps=2: search.engine.arch: with begin=0.8 and every=1 none of 2 steps teaches",
    ),
    (
        "p-darts",
        'search.engine.grow=[{"keep":3},{"keep":1,"overrides":["space.inputs=0"]}]',
        "changes the decisions of the space",
    ),
    # numbers
    ("mile-nas", "search.engine.balance=-1", "balance=-1: give a number above 0"),
    ("mile-nas", "search.engine.balance=NaN", "balance takes a number"),
    ("nasp", "search.engine.members.kept=0", "search.engine.members.kept=0: give 1 or more"),
    ("darts", "search.engine.options.keep=0", "search.engine.options.keep=0: give a fraction above 0"),
    ("gdas", "search.engine.options.temperature=[0,0]", "search.engine.options.temperature=[0, 0]: give two numbers above 0"),
    ("darts", 'search.engine.options={"kind":"reinmax","temperature":[0.5,0.5]}', "1 or more: ReinMax does not change it"),
    ("darts", 'search.engine.options={"kind":"reinmax","temperature":[2,1]}', "one temperature twice"),
    ("darts", "search.engine.std=Infinity", "std takes a number"),
    ("darts", "search.engine.arch.lr=Infinity", "lr takes a number"),
    ("da-nas", "search.engine.shrink.curriculum=[0.2,NaN,1]", "curriculum takes a list of numbers"),
    ("gold-nas", "search.engine.start=-10", "gates begin at 4.54e-05, and prune.threshold=0.05 drops them at once"),
    # gradients and rewards
    ("darts2", "weights.optim.name=adam", "weights.optim.name=adam with search.engine.rule=second-order"),
    ("darts2", "weights.optim.nesterov=true", "weights.optim.nesterov=true with search.engine.rule=second-order"),
    (
        "darts",
        "search.engine.reward=accuracy",
        "rewards are of single networks; give options.kind=hard-gumbel or",
    ),
    ("gdas", "search.engine.reward=nonsense", "training gives loss, class_loss, accuracy"),
    ("darts", 'search.engine.options={"kind":"two-gates"}', "arch.betas with options.kind=two-gates"),
    ("gdas", "search.engine.reward=accuracy search.engine.rule=second-order", "REINFORCE takes its place; set rule=first-order"),
    # thresholds
    ("fair-darts", "space.inputs=2", "every node of this space has a fixed number of inputs"),
    (
        "darts",
        "space.inputs=0 search.engine.threshold=0.99",
        "no strength gets above 0.298: no input passes it, whatever is learnt; give another threshold",
    ),
    ("fair-darts", "search.engine.arch.lr=1e-5", "no strength gets above 0.501: no input passes it"),
    ("fair-darts", "search.engine.threshold=0.05 search.engine.arch.lr=1e-5", "gets below 0.499: none is dropped"),
    ("gold-nas", "search.engine.prune=null search.engine.threshold=0.9 search.engine.arch.lr=1e-5", "gets above 0.501"),
    ("gold-nas", "search.engine.prune=null search.engine.threshold=0.1 search.engine.arch.lr=1e-5", "gets below 0.499: none is"),
    (
        "darts",
        'space.inputs=0 search.engine.threshold=0.9 search.engine.options={"kind":"hard-gumbel"}',
        "no strength gets above 0.298",
    ),
    # settings of other settings
    ("darts", "search.engine.dual_rate=0.5", "dual_rate=0.5 with cost=filter: give cost=dual, or leave it 0.01"),
    ("darts", "search.engine.rivals=3 search.random_baseline=false", "there are no rivals; leave it 8"),
    (
        "darts",
        TABLE + ' search.engine.derive={"engine":{"eta":1}}',
        "search.engine.derive.engine=halving: successive halving:",
    ),
    (
        "darts",
        TABLE + ' search.engine.derive={"engine":{"candidates":0}}',
        "search.engine.derive.engine=halving: successive halving:",
    ),
    ("darts", "search.engine.balance=0.5", "balance with rule=first-order"),
    ("darts", "search.engine.size=3", "size=3 with stop=never"),
    ("darts", "search.engine.size=1000 search.engine.stop=size", "a derived architecture has at most 8 convolutions; give fewer"),
    ("darts", "search.engine.cost=dual", "cost=dual without a budget"),
    ("gdas", "search.engine.options.noise=[2,1]", f"options.noise=[2, 1]: kind=hard-gumbel {NONE_READ}"),
    ("darts", "search.engine.options.noise=[2,1]", f"options.noise=[2, 1]: kind=softmax {NONE_READ}"),
    ("nasp", "search.engine.members.keep=0.5", f"members.keep=0.5: kind=one-hot {NONE_READ}"),
    ("darts", "search.engine.options.drawn=proportional", "kind=softmax with keep=1 does not read it"),
    ("darts", "search.engine.freeze.every=3", "freeze is null so far; give it as a whole, 'search.engine.freeze={\"every\": 3}'"),
    ("p-darts", "search.engine.grow=3", "grow takes a list of objects as JSON, each with keep, overrides"),
]


@pytest.mark.parametrize(("method", "settings", "says"), CASES)
def test_it_is_refused_before_the_run(method, settings, says, tmp_path, capsys):
    words = settings.split(" ")
    given = {word.partition("=")[0] for word in words}
    short = [f"{name}={value}" for name, value in SHORT.items() if name not in given and "search.engine" not in given]
    with pytest.raises(SystemExit) as stopped:
        call([method, "--recipe", "smoke", "--workers", "0", "--quiet", "--out", str(tmp_path / "run"), "--set", *short, *words])
    error = capsys.readouterr().err
    assert stopped.value.code == 2 and error.count("\n") == 1 and says in error
    assert not (tmp_path / "run").exists()


def test_a_cap_without_a_network_in_the_budget_is_refused_before_the_run(tmp_path, capsys):
    """Edges can be skips or convolutions alone: a normal cell of convolutions is larger than the budget."""
    words = ["darts", "--recipe", "smoke", "--workers", "0", "--quiet", "--out", str(tmp_path / "run"), "--budget", "macs=600000"]
    settings = ["search.engine.cap=0", 'space.operations=["none","skip_connect","sep_conv_3x3"]', "weights.steps=6"]
    with pytest.raises(SystemExit):
        call([*words, "--set", *settings])
    error = capsys.readouterr().err
    assert "search.engine.cap=0: budget macs=600000 is impossible: the cheapest architecture without none costs" in error
    assert error.endswith("raise the budget; or set search.engine.cap=null\n") and not (tmp_path / "run").exists()


BUDGET = {"macs": 846464.0}
ACCEPTED = [
    (
        "darts",
        'space.operations=["skip_connect","sep_conv_3x3"] search.engine.forbidden=[] search.engine.cap=3',
        {"macs": 846464.0},
    ),
    ("darts", 'space.inputs=0 search.engine.threshold=0.4 search.engine.shrink={"at":[0.5],"keep":[2]}', {}),
    ("gdas", 'search.engine.members={"kind":"softmax"} search.engine.radius=0.3', {}),
    ("mile-nas", "search.engine.rule=mixed-second-order search.engine.balance=3", {}),
    ("darts", 'search.engine.options={"kind":"gumbel-softmax","shape":"exponential","temperature":[1,0.03]}', {}),
    ("darts", 'search.engine.cap=4 search.engine.shrink={"at":[0.5],"keep":[2]}', {}),  # no normal cell has more edges
    ("gold-nas", "search.engine.arch.lr=1000", {}),
    ("fair-darts", "search.engine.start=-800 search.engine.arch.lr=1000", {}),
    ("nasp", "search.engine.options.kept=2", {}),  # the first node's two inputs are both kept, of later ones two of more
    ("darts", 'search.engine.options={"kind":"dirichlet"} search.engine.radius=0.3 search.engine.freeze={"every":2}', {}),
    ("darts", 'weights.steps=40 search.engine.project={"begin":0.5,"items":16}', {}),
    ("darts", ABANDON + " weights.steps=105", {}),
    ("darts", ABANDON + " weights.steps=105 search.engine.forbidden=[]", {}),
    ("darts", "search.engine.entropy=0.1 search.engine.options.kind=sigmoid search.engine.zero_one=1", {}),
]


@pytest.mark.parametrize(("method", "settings", "budget"), ACCEPTED)
def test_what_goes_together_is_not_refused(method, settings, budget):
    words = settings.split(" ")
    given = {word.partition("=")[0] for word in words}
    short = [f"{name}={value}" for name, value in SHORT.items() if name not in given]
    s = override(RECIPES[method]["smoke"](), [*short, *words])
    check_search(s.search, made(s), [Constraint(metric, upper=upper) for metric, upper in budget.items()])


@pytest.mark.parametrize("recipe", ["smoke", "small", "paper"])
@pytest.mark.parametrize("method", METHODS)
def test_recipes_are_not_refused(method, recipe):
    s = RECIPES[method][recipe]()
    if isinstance(s.space, SpaceSettings) and s.space.gated:  # each cell has a decision of its own: a minute for 20 of them
        s = replace(s, space=replace(s.space, cells=4))
    task = made(replace(s, data=DataSettings(size=32)))
    check_search(s.search, task, [Constraint(metric, upper=upper) for metric, upper in s.budget.items()])
