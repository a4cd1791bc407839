"""The walk over a data folder."""

import os
from pathlib import Path

import pytest

from common.data.folder import folders, in_hidden, inside, is_file, left_out_notes, walk
from common.errors import UserError


@pytest.fixture
def root(tmp_path):
    for name in ("a/1.png", "a/b/2.JPG", "a/notes.txt", "c/3.webp", ".git/4.png", "a/.DS_Store"):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_bytes(b"x")
    return tmp_path / "set"


def below(root, files):
    return [file.relative_to(root).as_posix() for file in files]


def test_files_come_in_order_and_pictures_go_by_their_endings(root):
    found = walk(root, root)
    assert below(root, found.files) == ["a/1.png", "a/b/2.JPG", "a/notes.txt", "c/3.webp"]
    assert below(root, found.pictures) == ["a/1.png", "a/b/2.JPG", "c/3.webp"]
    assert found.left_out == (".git/ (hidden)", "a/.DS_Store (hidden)")
    assert folders(root) == ("a", "c") and folders(root / "none") == ()


def test_a_shallow_walk_lists_the_folders_it_leaves_out(root):
    found = walk(root / "a", root, deep=False)
    assert below(root, found.files) == ["a/1.png", "a/notes.txt"]
    assert found.left_out == ("a/.DS_Store (hidden)", "a/b/ (a folder, where pictures are expected)")


def test_links_are_followed_once_and_loops_end(root, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "5.png").write_bytes(b"x")
    (root / "link").symlink_to(tmp_path / "elsewhere")
    (root / "again").symlink_to(tmp_path / "elsewhere")
    (root / "a" / "up").symlink_to(root)
    (tmp_path / "elsewhere" / "back").symlink_to(root / "a")
    (root / "c" / "top").symlink_to(tmp_path)
    (root / "6.png").symlink_to(root / "c" / "3.webp")
    (root / "7.png").symlink_to("7.png")
    os.mkfifo(root / "8.png")
    found = walk(root, root)
    assert below(root, found.files) == ["6.png", "a/1.png", "a/b/2.JPG", "a/notes.txt", "again/5.png", "c/3.webp"]
    assert set(found.left_out) == {
        ".git/ (hidden)",
        "7.png (a link that leads nowhere)",
        "8.png (no regular file)",
        "a/.DS_Store (hidden)",
        "a/up/ (a link to the folder ./, which is read already)",
        "again/back/ (a link to the folder a/, which is read already)",
        f"c/top/ (a link to the folder {tmp_path}/, which is read already)",
        "link/ (a link to the folder again/, which is read already)",
    }


def test_hundreds_of_folders_inside_each_other_are_walked(root):
    place = root / "deep"
    for _ in range(300):
        place /= "d"
    place.mkdir(parents=True)
    (place / "x.png").touch()
    assert walk(root / "deep", root).files == (place / "x.png",)


def test_a_folder_that_cannot_be_listed_is_named(root, monkeypatch):
    def refuse(folder):
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UserError, match=r"set cannot be listed \(Permission denied\)"):
        walk(root, root)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a/1.png", True), ("x/../a/1.png", True), ("../set/a/1.png", True), ("../x.png", False), ("/etc/hostname", False)],
)
def test_paths_that_leave_the_folder_are_known_by_their_spelling(root, name, expected):
    assert inside(root, root / name) == expected


def test_a_folder_named_by_a_point_is_a_data_folder_like_any_other(root, monkeypatch):
    monkeypatch.chdir(root)
    assert inside(Path(), Path("a/1.png")) and not inside(Path(), Path("../x.png"))


def test_hidden_parts_count_below_the_data_folder_alone(tmp_path):
    root = tmp_path / ".cache" / "set"
    assert not in_hidden(root, root / "a" / "1.png")
    assert in_hidden(root, root / ".x" / "1.png") and in_hidden(root, root / "a" / "._1.png")


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "none.png"])
def test_names_that_no_file_can_have_are_no_files(root, name):
    assert not is_file(root / name)


def test_what_is_left_out_is_told_in_one_note():
    assert left_out_notes([]) == []
    assert left_out_notes(["b (hidden)", "a (hidden)", "b (hidden)"]) == [
        "left out, as no data: 2 entries: a (hidden); b (hidden)"
    ]
