import numpy as np
import pytest

from common.data.digits import digits
from common.data.photographs import photographs
from common.data.scenes import SceneRules, compose, digits_within
from common.errors import UserError
from common.streams import numpy_stream

RULES = {
    "small": SceneRules(),
    "large": SceneRules(size=128, classes=10, digits_per_scene=(2, 4), digit_px=(24, 44)),
    "any ink": SceneRules(ink="any"),
    "crowded": SceneRules(size=64, classes=10, digits_per_scene=(4, 8), digit_px=(16, 40)),
}
LUMA = np.array([0.299, 0.587, 0.114])


def scenes(rules, count=100, seed=0):
    table, photos = digits("train"), photographs()
    return [compose(numpy_stream(seed, "test", i), table, photos, rules) for i in range(count)]


@pytest.fixture(scope="module", params=RULES)
def made(request):
    return RULES[request.param], scenes(RULES[request.param])


def test_boxes_are_tight_around_the_instance_pixels(made):
    rules, some = made
    for scene in some:
        assert 1 <= len(scene.boxes) == len(scene.labels) == scene.instances.max() <= rules.digits_per_scene[1]
        for number, box in enumerate(scene.boxes, start=1):
            rows, columns = np.nonzero(scene.instances == number)
            assert box.tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def test_boxes_do_not_overlap_and_have_the_size_asked_for(made):
    rules, some = made
    for scene in some:
        covered = np.zeros((rules.size, rules.size), dtype=int)
        for x1, y1, x2, y2 in scene.boxes.astype(int):
            covered[y1:y2, x1:x2] += 1
            assert rules.digit_px[0] * 0.75 <= max(x2 - x1, y2 - y1) <= rules.digit_px[1] * 1.25
        assert covered.max() == 1


def test_labels_are_of_the_classes_asked_for_and_all_occur(made):
    rules, some = made
    assert {int(label) for scene in some for label in scene.labels} == set(range(rules.classes))


def test_class_map_agrees_with_the_labels(made):
    _, some = made
    for scene in some:
        classes = scene.class_map()
        assert classes.dtype == np.uint8
        assert ((classes == 0) == (scene.instances == 0)).all()
        for number, label in enumerate(scene.labels, start=1):
            assert (classes[scene.instances == number] == label + 1).all()


def test_digits_stand_out_from_their_surroundings():
    contrasts = []
    for scene in scenes(RULES["small"], 200):
        for number, (x1, y1, x2, y2) in enumerate(scene.boxes.astype(int), start=1):
            luma = scene.image[y1:y2, x1:x2] @ LUMA
            inside = scene.instances[y1:y2, x1:x2] == number
            if (~inside).sum() > 30:
                contrasts.append(abs(luma[inside].mean() - luma[~inside].mean()))
    assert np.quantile(contrasts, 0.05) > 40


def test_a_scene_is_a_function_of_its_stream():
    first, again, other = scenes(RULES["small"], 3), scenes(RULES["small"], 3), scenes(RULES["small"], 3, seed=1)
    for a, b in zip(first, again):
        assert (a.image == b.image).all()
        assert (a.boxes == b.boxes).all()
    assert any((a.image != b.image).any() for a, b in zip(first, other))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"classes": 0}, "classes=0"),
        ({"classes": 11}, "classes=11"),
        ({"digits_per_scene": (0, 2)}, r"digits_per_scene=\(0, 2\)"),
        ({"digits_per_scene": (3, 2)}, r"digits_per_scene=\(3, 2\)"),
        ({"digit_px": (20, 65)}, r"digit_px=\(20, 65\), size=64"),
        ({"digit_px": (4, 20)}, r"digit_px=\(4, 20\)"),
        ({"size": 320}, "size=320"),
    ],
)
def test_impossible_rules_are_refused(wrong, message):
    with pytest.raises(UserError, match=message):
        SceneRules(**wrong)


def test_a_larger_scene_is_given_more_digits():
    assert digits_within(32) == digits_within(64) == (1, 2)
    assert digits_within(96) == (1, 4)
