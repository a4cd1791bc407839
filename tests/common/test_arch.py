"""Architecture files are read back exactly, or refused by name."""

import json
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.arch import from_json, from_labels, labels, load, save, to_json
from common.errors import UserError
from common.space import Arch, ManyOf, OneOf, sample
from tests.common.space.toys import BOUNDED, NESTED, SPACES, Conv, Net

FEW = settings(derandomize=True, max_examples=60, deadline=None, database=None)
SPACE = Net(stem=OneOf(4, 8), body=(OneOf("shuffle3", "shuffle5"), OneOf("shuffle3", Conv(kernel=OneOf(3, 5)))))


@FEW
@given(SPACES, st.integers(0, 2**32))
def test_what_is_written_is_read(space, seed):
    arch = sample(space, Random(seed))
    data = json.loads(json.dumps(to_json(space, arch)))
    assert from_json(space, data) == arch
    assert from_labels(space, labels(space, arch)) == arch


def test_files_hold_labels(tmp_path):
    path = tmp_path / "arch.json"
    arch = sample(NESTED, Random(5))
    save(path, NESTED, arch)
    assert load(path, NESTED) == arch
    choices = json.loads(path.read_text())["choices"]
    assert choices["stem"] in ("4", "8")
    assert choices["extras"].startswith("{")


def test_every_subset_of_many_is_read_back():
    space = ManyOf(["a", "b", "a, b", "", Conv(kernel=3), Conv(kernel=3, width=16)], 0, 6)
    for rank in range(len(space)):
        arch = Arch({"": rank})
        assert from_labels(space, labels(space, arch)) == arch


def test_a_large_subset_decision_is_read_at_once():
    space = ManyOf([f"edge{i}" for i in range(60)], 0, 60)  # 2**60 subsets: looking through them would never end
    arch = sample(space, Random(6))
    assert from_labels(space, labels(space, arch)) == arch


def written(**changes):
    arch = from_labels(SPACE, {"stem": "8", "body.0": "shuffle5", "body.1": "Conv", "body.1[Conv].kernel": "5"})
    data = to_json(SPACE, arch)
    return {**data, "choices": {**data["choices"], **changes}}


def test_a_stale_option_is_named_with_its_decision_and_what_there_is():
    with pytest.raises(UserError, match=r"^old\.json: decision 'body\.0' has no option 'shuffle9'; it has shuffle3, shuffle5$"):
        from_json(SPACE, written(**{"body.0": "shuffle9"}), "old.json")


@pytest.mark.parametrize("value", [None, 1, ["shuffle3"], {"a": 1}])
def test_an_option_that_is_no_text_is_refused(value):
    with pytest.raises(UserError, match=r"decision 'body\.0' has no option"):
        from_json(SPACE, written(**{"body.0": value}))


def test_an_impossible_subset_is_refused():
    space = ManyOf(["a", "b", "c"], 1, 2)
    for text in ("{}", "{b, a}", "{a, b, c}", "{a, a}", "a", "", "{a,b}"):
        with pytest.raises(UserError, match="it has 1 to 2 of a, b, c"):
            from_labels(space, {"": text})


def test_a_reordered_option_list_is_refused_by_name():
    turned = Net(stem=OneOf(4, 8), body=(OneOf("shuffle5", "shuffle3"), SPACE.body[1]))
    with pytest.raises(UserError, match=r"the options of decision 'body\.0' have changed or moved; make it anew"):
        from_json(turned, written())


def test_an_option_added_elsewhere_is_refused_too():
    grown = Net(stem=OneOf(4, 8), body=SPACE.body, extras=OneOf("none", "pool"))
    with pytest.raises(UserError, match="decision 'extras' is missing; it needs one of none, pool"):
        from_json(grown, written())
    dead = Net(stem=SPACE.stem, body=(SPACE.body[0], OneOf("shuffle3", Conv(kernel=OneOf(3, 5, 7)))))
    simple = to_json(SPACE, from_labels(SPACE, {"stem": "4", "body.0": "shuffle3", "body.1": "shuffle3"}))
    with pytest.raises(UserError, match="decisions it does not use have changed"):
        from_json(dead, simple)


def test_a_file_of_another_space_is_refused_by_name():
    with pytest.raises(UserError, match=r"decision 'extras' is missing"):
        from_json(NESTED, {**written(), "choices": {"stem": "8", "body.count": "0"}})
    with pytest.raises(UserError, match=r"decision 'body\.2' does not exist in this space; the file belongs to another one"):
        from_json(SPACE, written(**{"body.2": "shuffle3"}))


def test_a_broken_rule_is_named():
    with pytest.raises(UserError, match="breaks the rule 'the stem is no wider than the body'"):
        from_labels(BOUNDED, {"stem": "3", "body.0": "1", "body.1": "1"})


@pytest.mark.parametrize("digests", [None, [], "abc", {}])
def test_damaged_digests_are_refused_without_a_crash(digests):
    with pytest.raises(UserError, match="written for space elsewhere"):
        from_json(SPACE, {**written(), "space": "elsewhere", "digests": digests})


@pytest.mark.parametrize("data", [None, [], {}, {"choices": []}, "text", 3])
def test_other_json_is_refused(data):
    with pytest.raises(UserError, match="not an architecture file"):
        from_json(SPACE, data)


@pytest.mark.parametrize("content", [b"", b"{", b'{"space": "ab', b"\xff\xfe\x00", b"\x89PNG\r\n"])
def test_a_damaged_file_is_refused_by_name(tmp_path, content):
    path = tmp_path / "arch.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"arch\.json: not JSON .*; give an architecture file"):
        load(path, SPACE)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"nothing\.json: cannot be read"):
        load(tmp_path / "nothing.json", SPACE)
    with pytest.raises(UserError, match="cannot be read"):
        load(tmp_path, SPACE)
