"""Every JSON file of a run that is read back: what is missing or odd is named with the file, the line and the remedy."""

import json
import pickle

import pytest
import torch
from torch import nn

from common.differentiable.candidates import strengths_of
from common.errors import UserError
from common.run.checkpoint import Checkpoint
from common.run.digests import digest_of
from common.run.files import Jsonl, read_json, write_json
from common.run.folder import RunFolder
from common.run.schema import misfit
from common.space import OneOf
from common.train.fit import fit
from common.train.step import Losses
from tests.fuzz.damage import RAW

TRIAL = {
    "id": 0, "arch": {"a": "1"}, "scores": {"acc": 0.5}, "cost": {}, "status": "ok", "fidelity": "full", "seconds": 1.0,
    "parents": [0], "origin": "random", "error": "",
}  # fmt: skip
RETRAINED = {"name": "searched", "kind": "searched", "seed": 0, "arch": {}, "val": {"acc": float("nan")}, "test": {}}
LINES = {
    "trials.jsonl": TRIAL,
    "random.jsonl": TRIAL,
    "stages.jsonl": {"stage": "search", "seconds": 1, "result": {}},
    "sessions.jsonl": {"stage": "search", "event": "start"},
    "metrics.jsonl": {"stage": "search", "step": 3, "values": {"loss": 0.5}},
    "retrained.jsonl": RETRAINED,
    "tuned.jsonl": {"name": "searched", "seed": 0, "words": ["a=1"], "val": {}, "seconds": 0.5},
    "inherited.jsonl": {"arch": {}, "scores": {}},
    "searched-0.curve.jsonl": {"step": 0, "values": {}, "seconds": 0.5},
}
FILES = {
    "space.json": {"fingerprint": "ab", "decisions": {"a": ["1", "2"]}},
    "state.json": {"step": 0, "files": {"a": {}}, "extra": {}},
    "model.safetensors.json": {"bytes": 3, "sha256": "0" * 64},
}
KEYS = [(name, key) for name, value in (LINES | FILES).items() for key in value]


@pytest.mark.parametrize(("name", "key"), KEYS)
def test_a_key_that_is_missing_or_of_another_kind_is_named(tmp_path, name, key):
    whole, file = (LINES | FILES)[name], tmp_path / name

    def read(value, raw=""):
        text = json.dumps(value)
        file.write_text((text.replace('"@raw@"', raw) if raw else text) + "\n")
        return Jsonl(file).rows() if name in LINES else read_json(file)

    assert json.dumps(read(whole)) == json.dumps([whole] if name in LINES else whole)
    where = f"{name}, line 1: " if name in LINES else f"{name} is damaged: "
    odd = [None, "\x1b[2J" * 2_000] if not isinstance(whole[key], str) else [None, 3]
    cases = [({k: v for k, v in whole.items() if k != key}, "", f"{key!r} is missing")]
    cases += [({**whole, key: value}, "", f"{key!r} is ") for value in odd]
    cases += [({**whole, key: "@raw@"}, raw, said) for raw, said in (("9" * 5_000, "digits"), (RAW["@deep@"], "deep"))]
    cases += [({**whole, key: {"a": ["@raw@"]}}, "1" + "0" * 400, "a number of 401 digits")]
    for value, raw, said in cases:
        with pytest.raises(UserError) as refused:
            read(value, raw)
        message = str(refused.value)
        assert where in message and said in message and "; restore the file" in message
        assert message.isprintable() and len(message) < 500


@pytest.mark.parametrize("name", [*LINES, *FILES, "config.json", "strengths.json"])
def test_other_values_than_objects(tmp_path, name):
    for value in ([], 3, None, "text"):
        assert misfit(tmp_path / name, value) == f"{value!r} is not a JSON object"
    assert misfit(tmp_path / "snapshots.json", []) == ""


def test_a_result_that_is_no_object_is_named_with_its_stage(tmp_path):
    with RunFolder.create(tmp_path / "run", {}, ()) as folder:
        folder.finish("search", {"arch": ["x"], "best": {"a": 1}}, 1.0)
        assert folder.result_of("search", "best") == {"a": 1}
        for key, shown in (("arch", r"\['x'\]"), ("chosen", "None")):
            with pytest.raises(
                UserError, match=rf"stages\.jsonl: in the result of stage 'search' {key} is {shown}, not an object"
            ):
                folder.result_of("search", key)


@pytest.mark.parametrize("values", [[1, 2, 3], [0, 0], [1, -1], ["a", "b"], "ab", [float("nan"), 1], {"a": 1}])
def test_strengths_of_another_space_or_no_numbers(tmp_path, values):
    space = {"a": OneOf(1, 2)}
    write_json(tmp_path / "strengths.json", {"a": [0.5, 0.5]})
    assert strengths_of(space, tmp_path / "strengths.json") == {"a": [0.5, 0.5]}
    write_json(tmp_path / "strengths.json", {"a": values})
    with pytest.raises(UserError, match=r"strengths\.json: 'a' is .*, not 2 numbers from 0"):
        strengths_of(space, tmp_path / "strengths.json")


class Opened:
    """What a pickle may call, if it is let."""

    def __reduce__(self):
        return (print, ("code ran",))


def trained(path):
    model = nn.Linear(2, 1)
    return fit(
        Losses(model, lambda m, x, step: {"loss": m(x).square().mean()}),
        batch_at=lambda number: torch.ones(2, 2),
        optimizer=torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
        schedule=lambda fraction: 1.0,
        steps=2,
        checkpoint=Checkpoint(path),
    )


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("optimizer.pt", pickle.dumps(Opened()), r"optimizer\.pt is damaged"),
        ("optimizer.pt", pickle.dumps([1]), r"optimizer\.pt is damaged"),
        ("optimizer.pt", b"", r"optimizer\.pt is damaged"),
        ("weights.safetensors", b"\xff" * 40, r"weights\.safetensors is damaged"),
        ("extra", {}, r"net holds another state than this training's \(KeyError\('recent'\)\); delete the folder"),
        ("extra", {"recent": [1]}, "net holds another state"),
        ("extra", {"recent": {"loss": None}}, "net holds another state"),
        ("extra", [], r"state\.json is damaged"),
        ("step", "3", r"state\.json is damaged"),
        ("step", -1, r"state\.json is damaged"),
        ("files", {"optimizer.pt": 3}, r"state\.json is damaged"),
    ],
)
def test_a_checkpoint_with_other_content_and_its_right_digest(tmp_path, capsys, file, content, said):
    net = tmp_path / "net"
    last = trained(net)
    assert trained(net) == last
    state = json.loads((net / "state.json").read_text())
    if isinstance(content, bytes):
        (net / file).write_bytes(content)
        state["files"][file] = digest_of(content)
    else:
        state[file] = content
    (net / "state.json").write_text(json.dumps(state))
    with pytest.raises(UserError, match=said):
        trained(net)
    assert capsys.readouterr().out == ""
