"""Settings survive JSON; what does not fit is named."""

import json
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import pytest

from common.errors import UserError
from common.script import from_plain, plain
from detection.detnas.settings import RECIPES, Settings
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
