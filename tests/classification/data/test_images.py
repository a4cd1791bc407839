import io

import numpy as np
import pytest
from PIL import Image

from classification.data.images import fault, picture

GREY = np.arange(0, 256, dtype=np.uint8).reshape(16, 16)
COLOUR = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)


def stored(image, kind="PNG", **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def decoded(image, size=16, kind="PNG", **options):
    return picture(stored(image, kind, **options), size).transpose(1, 2, 0)


def test_colour_stays():
    assert np.array_equal(decoded(Image.fromarray(COLOUR)), COLOUR)


def test_grey_becomes_three_equal_channels():
    assert np.array_equal(decoded(Image.fromarray(GREY)), np.repeat(GREY[..., None], 3, axis=2))
    assert np.array_equal(decoded(Image.fromarray(GREY > 99)), np.repeat(np.where(GREY > 99, 255, 0)[..., None], 3, axis=2))


def test_16_bit_grey_is_divided_by_257():
    deep = Image.fromarray(GREY.astype(np.uint16) * 257)
    assert deep.mode == "I;16"
    assert np.array_equal(decoded(deep), np.repeat(GREY[..., None], 3, axis=2))


def test_alpha_is_dropped():
    alpha = np.concatenate([COLOUR, GREY[..., None]], axis=2)
    assert np.array_equal(decoded(Image.fromarray(alpha)), COLOUR)
    assert np.array_equal(decoded(Image.merge("LA", [Image.fromarray(GREY)] * 2)), np.repeat(GREY[..., None], 3, axis=2))


def test_palettes_with_transparency_are_converted_without_a_warning():
    palette = Image.fromarray(COLOUR // 64 * 64).quantize(16)
    expected = np.asarray(palette.convert("RGB"))
    assert np.array_equal(decoded(palette, transparency=bytes(range(16))), expected)


def test_cmyk_is_converted():
    assert decoded(Image.new("CMYK", (16, 16), (0, 0, 0, 0)), kind="JPEG").min() > 250


def test_pictures_are_turned_as_they_are_shown():
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned right by a quarter
    image = Image.fromarray(np.concatenate([COLOUR, COLOUR[:, ::-1]]))
    assert np.array_equal(decoded(image, exif=exif), np.rot90(np.asarray(image), -1)[:, 8:24])


@pytest.mark.parametrize(("width", "height"), [(40, 20), (20, 40)])
def test_the_middle_is_cut_out(width, height):
    image = Image.new("RGB", (width, height))
    image.paste((200, 100, 50), ((width - 20) // 2, (height - 20) // 2, (width + 20) // 2, (height + 20) // 2))
    assert (decoded(image, 20) == (200, 100, 50)).all()
    for size in (8, 32):  # at the border the filter reaches beyond
        assert (decoded(image, size)[1:-1, 1:-1] == (200, 100, 50)).all()


def test_large_jpegs_are_close_to_those_read_in_full():
    smooth = Image.fromarray(COLOUR).resize((512, 512), Image.Resampling.BICUBIC)
    full = Image.open(io.BytesIO(stored(smooth, "JPEG", quality=95))).convert("RGB").resize((16, 16), Image.Resampling.BILINEAR)
    difference = np.abs(decoded(smooth, 16, "JPEG", quality=95).astype(int) - np.asarray(full).astype(int))
    assert difference.max() < 12
    assert difference.mean() < 2


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_cut_and_altered_files_are_told_apart_from_good_ones(kind):
    whole = stored(Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 40, 3), dtype=np.uint8)), kind)
    assert fault(lambda: picture(whole, 16)) == ""
    for length in range(0, len(whole) - 20, max(1, len(whole) // 40)):
        assert fault(lambda length=length: picture(whole[:length], 16)) != "", f"{length} of {len(whole)} bytes"


def test_altered_bytes_raise_nothing_unforeseen():
    rng = np.random.default_rng(2)
    for kind in ("PNG", "JPEG", "WEBP"):
        whole = stored(Image.fromarray(COLOUR), kind)
        for _ in range(150):
            altered = bytearray(whole)
            altered[int(rng.integers(len(whole)))] = int(rng.integers(256))
            fault(lambda altered=altered: picture(bytes(altered), 16))


def test_faults_are_worded(tmp_path):
    assert fault(lambda: picture(tmp_path / "none.png", 8)) == "missing"
    assert fault(lambda: picture(b"", 8)) == "empty file"
    assert fault(lambda: picture(stored(Image.fromarray(COLOUR))[:200], 8)).startswith("damaged: ")
