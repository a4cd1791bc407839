import numpy as np
import pytest

from common.data import photographs as module
from common.errors import UserError


def test_photographs_are_thirteen_rgb_pictures_with_content():
    photos = module.photographs()
    assert len(photos) == 13
    for photo in photos:
        assert photo.mode == "RGB"
        assert min(photo.size) >= 300
        assert np.asarray(photo).std() > 5


def test_a_wheel_without_a_photograph_is_named(monkeypatch):
    monkeypatch.setattr(module, "FILES", ("astronaut.png", "unicorn.png"))
    with pytest.raises(UserError, match=r"unicorn\.png missing; .* pip install"):
        module.photographs.__wrapped__()


def test_without_scikit_image_the_remedy_is_told(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install scikit-image"):
        module.photographs.__wrapped__()
