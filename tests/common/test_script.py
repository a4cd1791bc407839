"""Settings survive JSON; what does not fit is named."""

import json
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import pytest

from common.errors import UserError
from common.options import parse_budget
from common.overrides import from_plain, override, plain
from common.script import BAD_INPUT, main, next_folder
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
        ("limits.macs=1", r"^--set 'limits\.macs=1': dict has no field 'macs'; it has no fields; give it as a whole, as JSON$"),
        ("on=yes", r"^--set 'on=yes': on is bool \(false so far\)$"),
        ("mode=medium", r"mode is .*fast.*slow"),
        ("shape.width=wide", r"^--set 'shape\.width=wide': width is float \(1\.0 so far\)$"),
        ("many=3", r"many is tuple"),
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


def test_budgets():
    assert parse_budget(["macs=300e6", "params=4000000"]) == {"macs": 3e8, "params": 4e6}
    for word in ("macs", "macs=", "macs=0", "macs=inf", "macs=nan", "macs=-1", "macs:3"):
        with pytest.raises(UserError, match=f"^budget '{word}': "):
            parse_budget([word])


def test_the_next_folder_is_a_free_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(next_folder("x")) == "runs/x"
    (tmp_path / "runs" / "x-2").mkdir(parents=True)
    assert str(next_folder("x")) == "runs/x"
    (tmp_path / "runs" / "x").write_text("a file")
    assert str(next_folder("x")) == "runs/x-3"


def refuse() -> None:
    """Refuses."""
    raise UserError("x.json is empty; write it again")


def interrupt() -> None:
    """Is interrupted."""
    raise KeyboardInterrupt


def crash() -> None:
    """Has a bug."""
    raise ZeroDivisionError


def test_how_commands_end(capsys):
    commands = {"refuse": refuse, "interrupt": interrupt, "crash": crash}
    with pytest.raises(SystemExit) as stop:
        main("x", commands, ["refuse"])
    assert stop.value.code == BAD_INPUT == 2 and capsys.readouterr().err == "error: x.json is empty; write it again\n"
    with pytest.raises(SystemExit) as stop:
        main("x", commands, ["interrupt"])
    assert stop.value.code == 130 and capsys.readouterr().err == "\nStopped after 0 s.\n"
    with pytest.raises(ZeroDivisionError):
        main("x", commands, ["crash"])
