import numpy as np

from detection.data.batches import batch_at
from detection.data.load import load_data
from detection.data.preview import preview
from detection.settings import DataSettings


def test_a_preview_shows_training_items_with_their_boxes():
    settings = DataSettings(train=5, val=1, test=1)
    items = preview(settings, 16)
    batch = batch_at(load_data(settings).train, 0, 5, 0, "preview")
    assert [text for _, text in items] == [file.rsplit("/", 1)[-1] for file in (sample.file for sample in batch.samples)]
    for (picture, _), image, boxes in zip(items, batch.images, batch.boxes, strict=True):
        plain = image.permute(1, 2, 0).numpy().repeat(3, axis=0).repeat(3, axis=1)
        changed = (np.asarray(picture) != plain).any(axis=2)
        for box in boxes:
            x1, y1, x2, _ = (3 * box.int()).tolist()
            assert changed[y1, x1:x2].mean() > 0.8
        assert changed.mean() < 0.5
