"""The whole decoded set on the device, and views cut from it there: no image crosses the bus twice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from ftgui.data.images.preprocessing import Pixels, Preprocessing
from ftgui.engine.input_pipeline.augmentation import View

_GRAY = (0.299, 0.587, 0.114)
"""ITU-R 601-2, as Pillow's conversion to grey."""

_AT_ONCE = 64
"""Images that are cut out together. On the way to a batch there are some 4 MB an image of indices and neighbours, which
must not be what a large batch has no memory for: it can be trained in parts, but it comes whole."""


class GpuImageCache:
    """Images of any size, packed one behind the other.

    Args:
        images: (H, W, 3) uint8 each.
        preprocessing: size of the views, and how they are normalised.
        device: where they go.
    """

    def __init__(self, images: Sequence[Pixels], preprocessing: Preprocessing, device: torch.device) -> None:
        self._preprocessing = preprocessing
        self._device = device
        sizes = np.array([image.shape[:2] for image in images], dtype=np.int64)
        self._heights, self._widths = sizes[:, 0], sizes[:, 1]
        counts = self._heights * self._widths
        self._starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        self._pixels = torch.empty(int(counts.sum()), 3, dtype=torch.uint8, device=device)
        for start, count, image in zip(self._starts, counts, images, strict=True):
            # PyTorch warns of arrays that are read-only, as decoded images are.
            rows = np.require(image, requirements=("C", "W")).reshape(-1, 3)
            self._pixels[start : start + count] = torch.from_numpy(rows).to(device)

    @property
    def bytes(self) -> int:
        return self._pixels.nbytes

    def batch(self, positions: Sequence[int], views: Sequence[View | None]) -> torch.Tensor:
        """Views of some images.

        Args:
            positions: N indices into the images.
            views: what is done to each; None takes the plain middle.

        Returns:
            (N, 3, S, S) float32, normalised, channels-last.
        """
        size = self._preprocessing.size
        images = torch.empty(len(positions), size, size, 3, device=self._device)
        for start in range(0, len(positions), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            images[some] = self._cut_out(np.asarray(positions[some]), views[some])
        return images.permute(0, 3, 1, 2)

    def _cut_out(self, chosen: npt.NDArray[np.int64], views: Sequence[View | None]) -> torch.Tensor:
        """(N, S, S, 3) float32, normalised, of the chosen images."""
        size = self._preprocessing.size
        heights, widths = self._heights[chosen], self._widths[chosen]
        boxes = np.array(
            [self._box(view, height, width) for view, height, width in zip(views, heights, widths, strict=True)]
        )
        flips = np.array([view is not None and view.flip for view in views])
        # One copy to the device for everything a batch needs.
        numbers = np.concatenate([boxes, flips[:, None], heights[:, None], widths[:, None]], axis=1)
        table = torch.from_numpy(numbers).to(self._device, torch.float32, non_blocking=True)
        starts = torch.from_numpy(self._starts[chosen]).to(self._device, non_blocking=True)
        images = self._sample(table, starts, size)
        images = self._color(images, views)
        mean = torch.tensor(self._preprocessing.mean, device=self._device) * 255
        std = torch.tensor(self._preprocessing.std, device=self._device) * 255
        return images.sub_(mean).div_(std)

    def _box(self, view: View | None, height: int, width: int) -> tuple[float, float, float, float]:
        if view is not None:
            left, top, w, h = view.box
            return left * width, top * height, w * width, h * height
        size = self._preprocessing.size
        return round((width - size) / 2), round((height - size) / 2), size, size

    def _sample(self, table: torch.Tensor, starts: torch.Tensor, size: int) -> torch.Tensor:
        """(N, S, S, 3) float32, 0 to 255, by bilinear interpolation within each box."""
        left, top, width, height, flip, rows, columns = table.T[:, :, None].unbind(0)
        steps = (torch.arange(size, device=self._device) + 0.5) / size
        across = torch.where(flip > 0, 1 - steps, steps)
        x0, x1, fx = _neighbours(left, width, across, columns)
        y0, y1, fy = _neighbours(top, height, steps.expand(len(table), -1), rows)
        stride = columns.to(torch.int64)
        upper, lower = starts[:, None] + y0 * stride, starts[:, None] + y1 * stride

        def at(lines: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
            return self._pixels[lines[:, :, None] + places[:, None, :]].float()

        fx, fy = fx[:, None, :, None], fy[:, :, None, None]
        above = torch.lerp(at(upper, x0), at(upper, x1), fx)
        return torch.lerp(above, torch.lerp(at(lower, x0), at(lower, x1), fx), fy)

    def _color(self, images: torch.Tensor, views: Sequence[View | None]) -> torch.Tensor:
        factors = np.array([view.color if view is not None else (1.0, 1.0, 1.0) for view in views], dtype=np.float32)
        if (factors == 1).all():
            return images
        brightness, contrast, saturation = torch.from_numpy(factors).to(self._device).T[:, :, None, None, None]
        gray = torch.tensor(_GRAY, device=self._device)
        images = (images * brightness).clamp_(0, 255)
        mean = (images @ gray).mean((1, 2))[:, None, None, None]
        images = torch.lerp(mean.expand_as(images), images, contrast.expand_as(images)).clamp_(0, 255)
        own = (images @ gray)[..., None].expand_as(images)
        return torch.lerp(own, images, saturation.expand_as(images)).clamp_(0, 255)


def _neighbours(
    start: torch.Tensor, length: torch.Tensor, share: torch.Tensor, limit: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Indices of the pixels on both sides of each place, and how far it lies towards the second."""
    place = start + share * length - 0.5
    # Not beyond the box: what is outside of the crop must not be seen at its edge.
    low = start.clamp(min=0)
    high = torch.minimum(start + length, limit) - 1
    place = torch.minimum(torch.maximum(place, low), torch.maximum(high, low))
    first = place.floor()
    second = torch.minimum(first + 1, (limit - 1).clamp(min=0))
    return first.to(torch.int64), second.to(torch.int64), place - first
