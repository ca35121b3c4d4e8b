"""What the model sees of an image in training: some views of it, as files of pixels."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

from PIL import Image

from ftgui.data.images.preprocessing import Preprocessing, center_view, decode
from ftgui.engine.errors import EngineError
from ftgui.engine.input_pipeline import augmentation
from ftgui.engine.input_pipeline.image_cache import NO_AUGMENTATION
from ftgui.protocol import messages as m

MOST_VIEWS = 64
"""Of an image at once: as many as a recipe may keep."""


def preview(command: m.PreviewAugmentation, preprocessing: Preprocessing) -> m.AugmentedViews:
    """The first views that training would draw with seed 0.

    Args:
        preprocessing: of the model; the command's intensity range counts.

    Raises:
        EngineError: more were asked for than are drawn at once.
        ImageError: the image can't be read.
    """
    if command.count > MOST_VIEWS:
        raise EngineError(f"At most {MOST_VIEWS} views of an image are drawn at once, not {command.count:,}.")
    preprocessing = replace(preprocessing, intensity=command.intensity)
    pixels = decode(Path(command.path), preprocessing)
    preset, images = command.augmentation.preset, []
    for number in range(max(command.count, 0)):
        if preset == NO_AUGMENTATION:
            view = center_view(pixels, preprocessing.size)
        else:
            drawn = augmentation.draw(preset, (pixels.shape[1], pixels.shape[0]), seed=0, image=0, number=number)
            view = augmentation.apply(pixels, drawn, preprocessing.size)
        file = io.BytesIO()
        Image.fromarray(view).save(file, "PNG", compress_level=1)
        images.append(file.getvalue())
    return m.AugmentedViews(command.request, images)
