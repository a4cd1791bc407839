"""The reader of picture files: what it opens, and why it refuses the rest."""

from __future__ import annotations

import io
import os
import warnings

import numpy as np
import pytest
from PIL import Image

from common.data.pictures import displayed_size
from common.data.reader import Unusable, opened


def stored(kind: str, **options) -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (30, 50, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP"])
def test_a_file_and_its_bytes_are_the_same_picture(tmp_path, kind):
    content = stored(kind)
    (tmp_path / "x").write_bytes(content)
    pixels = []
    for source in (tmp_path / "x", content):
        with opened(source) as image:
            assert displayed_size(image) == (50, 30)
            pixels.append(np.asarray(image))
    assert np.array_equal(*pixels)


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "missing"), (b"", "empty file"), (b"hello", "not an image"), (stored("PNG")[:1000], "damaged: ")],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_reason(tmp_path, content, told):
    file = tmp_path / "x.png"
    if content is not None:
        file.write_bytes(content)
        with pytest.raises(Unusable, match=f"^{told}"), opened(content) as image:
            image.load()
    with pytest.raises(Unusable, match=f"^{told}"), opened(file) as image:
        image.load()
    assert not file.exists() or file.read_bytes() == content


def test_a_pipe_is_no_picture_and_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.png")
    with pytest.raises(Unusable, match=r"^no regular file"), opened(tmp_path / "x.png"):
        pass


def test_pictures_beyond_pillows_limit_are_told_as_such(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 700)
    with (
        pytest.raises(Unusable, match=r"^has more than the 1,400 pixels that Pillow decodes .*scale it down"),
        opened(stored("PNG")),
    ):
        pass
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1400)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
        with opened(stored("PNG")) as image:
            assert image.size == (50, 30)


def test_a_folder_is_no_picture(tmp_path):
    with pytest.raises(Unusable, match=r"^missing"), opened(tmp_path):
        pass


def test_damage_without_a_message_is_named_by_its_kind():
    with pytest.raises(Unusable, match=r"^damaged: EOFError$"), opened(stored("PNG")):
        raise EOFError
    with pytest.raises(Unusable, match=r"^damaged: first$"), opened(stored("PNG")):
        raise OSError("first\nsecond")


def test_a_refusal_of_the_block_is_kept_and_a_mistake_of_the_code_is_no_damage():
    with pytest.raises(Unusable, match=r"^has an alpha channel$"), opened(stored("PNG")):
        raise Unusable("has an alpha channel")
    with pytest.raises(KeyError), opened(stored("PNG")):
        raise KeyError("x")


@pytest.mark.parametrize(("orientation", "size"), [(1, (50, 30)), (4, (50, 30)), (5, (30, 50)), (8, (30, 50))])
def test_sizes_are_those_of_the_picture_as_displayed(orientation, size):
    exif = Image.Exif()
    exif[0x0112] = orientation
    with opened(stored("JPEG", exif=exif)) as image:
        assert displayed_size(image) == size


def test_a_pointer_of_git_lfs_is_told_as_such(tmp_path):
    (tmp_path / "x.png").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n")
    for source in (tmp_path / "x.png", (tmp_path / "x.png").read_bytes()):
        with pytest.raises(Unusable, match="a pointer of Git LFS: fetch the files with `git lfs pull`"), opened(source):
            pass


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b"])
def test_names_that_no_file_can_have_are_missing(tmp_path, name):
    with pytest.raises(Unusable, match=r"^missing"), opened(tmp_path / name):
        pass
