"""Validation accuracy of the default recipe over three seeds, through ``ftgui train``, as a person would run it.

python tests/bench/bench_accuracy.py DATASET … [--against logistic fastai tutorial]

Data sets are named as in tests/bench/datasets.py. Against what, all from the same ImageNet weights:

logistic   logistic regression on the frozen features, C by cross-validation, the better of scaled and unscaled features;
           wants scikit-learn
fastai     ``fine_tune(4)`` with a concat-pool head, ``aug_transforms`` at 224; wants fastai
tutorial   the loop of PyTorch's transfer-learning tutorial, all layers, as many epochs as the recipe has at most; in
           channels_last, which is the same arithmetic in a third of the time, so the seconds flatter it
Neither package is among ftgui's own.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from ftgui.protocol import recipe_file
from ftgui.protocol.recipe import Dataset, Recipe
from ftgui.runs.run_folders import read_result
from tests.bench.bench_training import packaged_model, tutorial
from tests.bench.datasets import dataset

ROOT = Path(__file__).resolve().parents[2]
SEEDS = (0, 1, 2)


def ours(folder: Path, seed: int) -> float:
    """The default recipe in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        recipe = Path(name) / "recipe.toml"
        recipe_file.save(Recipe(seed=seed, dataset=Dataset(folder=str(folder))), recipe)
        subprocess.run(
            [sys.executable, "-m", "ftgui", "train", str(recipe)],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=dict(os.environ, PYTHONPATH=str(ROOT)),
        )
        result = read_result(next((Path(name) / "runs").iterdir()))
    assert result is not None
    return float(result["best_accuracy"])


def logistic(folder: Path, _seed: int) -> float:
    """Logistic regression on the frozen features."""
    import numpy as np
    import torch
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from torchvision import datasets

    from ftgui.data.images.preprocessing import center_view, decode
    from ftgui.engine.model import backbones
    from ftgui.engine.model.input_tensor import to_batch
    from ftgui.protocol.recipe import Backbone

    built = backbones.build(Backbone(), ["a", "b"], seed=0)
    model: Any = built.model.eval()

    def features(part: str) -> tuple[Any, Any]:
        samples = datasets.ImageFolder(str(folder / part)).samples
        rows = []
        with torch.inference_mode():
            for start in range(0, len(samples), 32):
                views = [
                    center_view(decode(Path(path), built.preprocessing), built.preprocessing.size)
                    for path, _ in samples[start : start + 32]
                ]
                batch = to_batch(views, built.preprocessing, torch.device("cpu"))
                rows.append(model.forward_head(model.forward_features(batch), pre_logits=True).numpy())
        return np.concatenate(rows), np.array([target for _, target in samples])

    train, val = features("train"), features("val")
    plain, scaled = (LogisticRegressionCV(Cs=np.logspace(-4, 3, 8), cv=5, max_iter=3000) for _ in range(2))
    fitted = [estimator.fit(*train) for estimator in (plain, make_pipeline(StandardScaler(), scaled))]
    return max(float(estimator.score(*val)) for estimator in fitted)


def fastai(folder: Path, seed: int) -> float:
    """``fine_tune(4)``, as vision_learner would set it up for these weights."""
    import torch
    from fastai.vision.all import (
        ImageDataLoaders,
        Learner,
        Normalize,
        Resize,
        accuracy,
        apply_init,
        aug_transforms,
        create_head,
        default_split,
        imagenet_stats,
        set_seed,
    )
    from torch import nn

    set_seed(seed)
    loaders = ImageDataLoaders.from_folder(
        folder,
        train="train",
        valid="val",
        item_tfms=Resize(460),
        batch_tfms=[*aug_transforms(size=224), Normalize.from_stats(*imagenet_stats)],
        bs=32,
        num_workers=2,
    )

    class Body(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = packaged_model(len(loaders.vocab)).requires_grad_(True)
            self.model.classifier = nn.Identity()

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            features: torch.Tensor = self.model.forward_features(images)
            return features

    head = create_head(1280, len(loaders.vocab), concat_pool=True)
    apply_init(head, nn.init.kaiming_normal_)
    learner = Learner(loaders, nn.Sequential(Body(), head), splitter=default_split, metrics=accuracy)
    with learner.no_bar(), learner.no_logging():
        learner.fine_tune(4)
    return max(float(values[2]) for values in learner.recorder.values)


def whole_tutorial(folder: Path, seed: int) -> float:
    """The tutorial's loop at the recipe's epochs."""
    import torch

    torch.manual_seed(seed)
    epochs = sum(phase.epochs for phase in Recipe().phases)
    return tutorial(folder, "everything", epochs, torch.channels_last)[1]


AGAINST: dict[str, Callable[[Path, int], float]] = {
    "logistic": logistic,
    "fastai": fastai,
    "tutorial": whole_tutorial,
}


def show(name: str, train: Callable[[Path, int], float], folder: Path, seeds: tuple[int, ...]) -> None:
    accuracies, began = [], time.monotonic()
    for seed in seeds:
        accuracies.append(train(folder, seed))
    each = ", ".join(f"{accuracy:.1%}" for accuracy in accuracies)
    seconds = (time.monotonic() - began) / len(seeds)
    print(f"  {name:<9} median {statistics.median(accuracies):.1%}  ({each})  {seconds:.0f} s each", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="+")
    parser.add_argument("--against", nargs="*", choices=AGAINST, default=[])
    parser.add_argument("--without-ftgui", action="store_true")
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    given = parser.parse_args()
    for words in given.datasets:
        with dataset(words) as (name, folder):
            print(name, flush=True)
            seeds = tuple(range(given.seeds))
            if not given.without_ftgui:
                show("ftgui", ours, folder, seeds)
            for other in given.against:
                show(other, AGAINST[other], folder, seeds if other != "logistic" else (0,))


if __name__ == "__main__":
    main()
