"""Which images are alike to a model: by what its head is given for them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional


class Embeddings:
    """What one model's head is given for each image, in half precision, as far as anybody asked."""

    def __init__(self) -> None:
        self._place: dict[str, int] = {}
        self._rows: list[torch.Tensor] = []
        self._stacked: torch.Tensor | None = None

    def add(self, paths: Sequence[str], embeddings: torch.Tensor) -> None:
        """Args: embeddings (N, C) float32, in the order of the paths."""
        for path, row in zip(paths, functional.normalize(embeddings).half(), strict=True):
            if path in self._place:
                self._rows[self._place[path]] = row
            else:
                self._place[path] = len(self._rows)
                self._rows.append(row)
        self._stacked = None

    def missing(self, paths: Sequence[str]) -> list[str]:
        """Those that nothing is known of."""
        return [path for path in paths if path not in self._place]

    def nearest(self, embedding: torch.Tensor, among: Sequence[str], count: int) -> list[tuple[str, float]]:
        """The most alike of some images, and the cosine to each.

        Args:
            embedding: (C,) float32.
            among: paths; those that nothing is known of are left out.
            count: at most so many.
        """
        known = [path for path in among if path in self._place]
        if not known:
            return []
        if self._stacked is None:
            self._stacked = torch.stack(self._rows)
        rows = self._stacked[torch.tensor([self._place[path] for path in known])]
        cosines = rows.float() @ functional.normalize(embedding[None].float())[0]
        best = cosines.topk(min(count, len(known)))
        return [(known[at], float(cosine)) for cosine, at in zip(best.values, best.indices.tolist(), strict=True)]
