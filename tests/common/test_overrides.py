"""Settings survive JSON and take overrides; what does not fit is named."""

import json
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import pytest

from common.engines import Gradient
from common.errors import UserError
from common.overrides import from_plain, override, plain
from detection.detnas.recipes import RECIPES
from detection.detnas.settings import Settings
from detection.heads import FasterRCNN, RetinaNet


@dataclass(frozen=True, kw_only=True)
class Circle:
    radius: float


@dataclass(frozen=True, kw_only=True)
class Box:
    width: float
    height: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Scene:
    shape: Circle | Box
    name: str | None = None
    mode: Literal["fast", "slow"] = "fast"
    pair: tuple[int, str] = (1, "a")
    many: tuple[float, ...] = ()
    listed: list[int] = field(default_factory=list)
    limits: dict[str, float] = field(default_factory=dict)
    on: bool = False
    extra: Any = None
    shapes: tuple[Circle | Box, ...] = ()


def there_and_back(value):
    return from_plain(type(value), json.loads(json.dumps(plain(value))))


def test_every_kind_of_field_survives():
    scene = Scene(
        shape=Box(width=2),
        name="x",
        mode="slow",
        pair=(3, "b"),
        many=(1, 2.5),
        listed=[1],
        limits={"macs": 3e8},
        on=True,
        extra={"a": [1]},
        shapes=(Circle(radius=1.5), Box(width=1.0, height=2.0)),
    )
    assert there_and_back(scene) == scene
    assert there_and_back(Scene(shape=Circle(radius=1.0))) == Scene(shape=Circle(radius=1.0))


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_survive(name):
    settings = RECIPES[name]()
    assert there_and_back(settings) == settings


@pytest.mark.parametrize("head", [RetinaNet(), FasterRCNN()])
def test_heads_are_told_apart_by_their_fields(head):
    settings = replace(RECIPES["smoke"](), head=head)
    assert type(there_and_back(settings).head) is type(head)
    assert there_and_back(settings) == settings


def test_fields_that_a_newer_version_added_take_their_defaults():
    assert from_plain(Scene, {"shape": {"radius": 1}}) == Scene(shape=Circle(radius=1))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"name": 3}, r"^config\.name is 3, not str \| None; it was written by another version, or by hand$"),
        ({"mode": "medium"}, r'^config\.mode is "medium", not '),
        ({"pair": [1]}, r"^config\.pair is \[1\], not "),
        ({"pair": [1, 2]}, r"^config\.pair\.1 is 2, not str"),
        ({"many": [1, "x"]}, r'^config\.many\.1 is "x", not float'),
        ({"limits": {"macs": None}}, r"^config\.limits\.macs is null, not float"),
        ({"on": 1}, r"^config\.on is 1, not bool"),
        ({"listed": [True]}, r"^config\.listed\.0 is true, not int"),
        ({"shape": {"side": 1}}, r"^config\.shape is "),
        ({"colour": "red"}, r"^config\.colour is no field of Scene"),
    ],
)
def test_what_does_not_fit_is_named(change, reason):
    good = plain(Scene(shape=Circle(radius=1.0)))
    with pytest.raises(UserError, match=reason):
        from_plain(Scene, {**good, **change}, "config")


def test_a_missing_field_is_named():
    with pytest.raises(UserError, match=r"config\.shape is missing, Scene needs it"):
        from_plain(Scene, {"name": "x"}, "config")


def test_values_are_checked_like_those_of_a_new_run():
    data = plain(RECIPES["smoke"]())
    with pytest.raises(UserError, match="space 'huge' does not exist"):
        from_plain(Settings, {**data, "space": "huge"})


def test_override_reads_values_as_the_fields_take_them():
    scene = Scene(shape=Box(width=1.0))
    words = ["shape.width=3", "name=7", "mode=slow", 'pair=[2,"x"]', "many=[1,2]", 'limits={"macs":5}', "on=true", "extra=[1]"]
    changed = override(scene, words)
    expected = {"name": "7", "mode": "slow", "pair": (2, "x"), "many": (1, 2), "limits": {"macs": 5}, "on": True, "extra": [1]}
    assert changed == replace(scene, shape=Box(width=3), **expected)
    assert override(changed, ["name=null", 'shape={"radius":2}']) == replace(changed, name=None, shape=Circle(radius=2))
    assert override(scene, ["name=a=b"]).name == "a=b"
    assert scene == Scene(shape=Box(width=1.0))


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("colour=red", r"^--set 'colour=red': Scene has no field 'colour'; it has .*shape"),
        ("shape.radius=1", r"^--set 'shape\.radius=1': Box has no field 'radius'; it has height, width$"),
        (
            "limits.macs=1",
            r"^--set 'limits\.macs=1': limits has names of your own; give it as a whole, 'limits=\{\"macs\": 1\}'",
        ),
        ("on=yes", r"^--set 'on=yes': on takes true or false; it is false so far$"),
        ("mode=medium", "mode takes one of fast, slow"),
        ("shape.width=wide", r"^--set 'shape\.width=wide': width takes a number; it is 1\.0 so far$"),
        ("many=3", r"many takes a list of numbers as JSON"),
        ("name", r"write name=value"),
        ("=3", r"Scene has no field ''"),
        ("extra=" + "[" * 100_000, None),
    ],
)
def test_override_names_what_does_not_fit(word, reason):
    scene = Scene(shape=Box(width=1.0))
    if reason is None:
        assert override(scene, [word]).extra == word.partition("=")[2]
        return
    with pytest.raises(UserError, match=reason) as refused:
        override(scene, [word])
    assert "\n" not in str(refused.value)


@dataclass(frozen=True, kw_only=True)
class Fast:
    name: Literal["fast"] = "fast"
    steps: int = 1


@dataclass(frozen=True, kw_only=True)
class Slow:
    name: Literal["slow"] = "slow"
    steps: int = 100
    rate: float = 0.1


@dataclass(frozen=True, kw_only=True)
class Plan:
    way: Fast | Slow = Fast()
    seed: int = 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["way=slow"], Slow()),
        (["way=slow", "way.steps=7"], Slow(steps=7)),
        (["way.rate=0.5", "way=slow"], Slow(rate=0.5)),  # in any order
        (["way.steps=3"], Fast(steps=3)),
        (['way={"name":"slow","rate":0.2}'], Slow(rate=0.2)),
        (["way=slow", "way=fast"], Fast()),
    ],
)
def test_one_of_several_named_kinds_is_chosen_by_its_name_with_its_own_defaults(words, expected):
    changed = override(Plan(way=Fast(steps=9)) if words == [] else Plan(), words)
    assert changed == Plan(way=expected)
    assert there_and_back(changed) == changed


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["way=medium"], r"^--set 'way=medium': way is one of fast, slow; give a name, and its settings as way\.SETTING=VALUE$"),
        (["way=fast", "way.rate=0.5"], r"^--set 'way\.rate=0\.5': Fast has no field 'rate'; it has name, steps$"),
        (["rate=0.5"], r"^--set 'rate=0\.5': Plan has no field 'rate'; it has seed, way$"),
        (["steps=5"], r"^--set 'steps=5': Plan has no field 'steps'; way has: way\.steps; it has seed, way$"),
        (['way={"name":"slow","pace":1}'], r"way is one of fast, slow"),
    ],
)
def test_a_name_or_a_setting_that_no_kind_has_is_refused(words, reason):
    with pytest.raises(UserError, match=reason):
        override(Plan(), words)


def test_a_damaged_part_of_a_named_kind_is_named():
    with pytest.raises(UserError, match=r"^config\.way\.pace is no field of Slow"):
        from_plain(Plan, {"way": {"name": "slow", "pace": 1}}, "config")


def test_a_value_out_of_range_in_what_may_be_null_is_told_by_its_own_rule():
    """Not as a value of another type: the object fits, and a field of it does not."""
    engine = Gradient()
    for word, says in (
        ('freeze={"every":0}', r"freeze\.every=0: give 1 or more"),
        ('shrink={"at":[0.5],"keep":[0]}', "a decision needs an option; end with 1 or more"),
        ('grow=[{"keep":1}]', "grow: it has one search"),
    ):
        with pytest.raises(UserError, match=says):
            override(engine, [word])
    with pytest.raises(UserError, match="freeze takes an object as JSON, with every, threshold or null"):
        override(engine, ['freeze={"every":0.5}'])
