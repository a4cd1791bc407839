import numpy as np
import pytest

from common.errors import UserError
from segmentation.data.labels import VOID_NAMES, colours, read_classes


def test_lines_are_values_and_void_names_are_ignored(tmp_path):
    file = tmp_path / "classes.txt"
    file.write_bytes(b"\xef\xbb\xbfsky\r\n Unlabelled\r\nroad \r\n\r\n")
    labels, void = read_classes(file)
    assert labels.classes == ("sky", "road")
    assert void == ("Unlabelled",)
    assert labels.table[[0, 1, 2, 3, 254, 255]].tolist() == [0, 255, 1, -1, -1, 255]
    assert labels.value_of(1) == 2
    assert len(labels.palette) == 2
    assert (0, 0, 0) not in labels.palette


@pytest.mark.parametrize("name", sorted(VOID_NAMES))
def test_every_void_name_in_any_case(tmp_path, name):
    (tmp_path / "classes.txt").write_text(f"a\nb\n{name.upper()}\n")
    assert read_classes(tmp_path / "classes.txt")[0].classes == ("a", "b")


def test_left_out_classes_are_ignored_and_the_others_move_up(tmp_path):
    (tmp_path / "classes.txt").write_text("a\nb\nvoid\nc\nd\n")
    labels = read_classes(tmp_path / "classes.txt")[0]
    left = labels.without({"b"})
    assert left.classes == ("a", "c", "d")
    assert left.palette == (labels.palette[0], labels.palette[2], labels.palette[3])
    assert left.table[[0, 1, 2, 3, 4, 5, 254, 255]].tolist() == [0, 255, 255, 1, 2, -1, -1, 255]
    assert (labels.without(()).table == labels.table).all()


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (b"", "is empty: write one class name per line"),
        (b"\n \n", "is empty"),
        (b"a\n\nb\n", "line 2 is empty"),
        (b"car\nroad\nCar\n", "class 'Car' stands on line 1 and on line 3"),
        (b"a\nvoid\n", r"names 1 class\(es\) besides"),
        (b"\xff\xfe\x00", "is not a UTF-8 text"),
        ("\n".join(f"c{i}" for i in range(256)).encode(), "has 256 lines"),
    ],
)
def test_unusable_classes_files(tmp_path, content, parts):
    (tmp_path / "classes.txt").write_bytes(content)
    with pytest.raises(UserError, match=rf"classes\.txt.*{parts}"):
        read_classes(tmp_path / "classes.txt")


def test_missing_classes_file(tmp_path):
    with pytest.raises(UserError, match=r"classes\.txt is missing: write it, one class name per line"):
        read_classes(tmp_path / "classes.txt")


def test_colours_are_voc_s():
    """Against the colours VOC documents for background, aeroplane, bicycle, person, tvmonitor and void."""
    found = colours(256)
    known = {0: (0, 0, 0), 1: (128, 0, 0), 2: (0, 128, 0), 15: (192, 128, 128), 20: (0, 64, 128), 255: (224, 224, 192)}
    assert {index: found[index] for index in known} == known
    assert len(set(found)) == 256
    assert np.array(found).max() <= 255
