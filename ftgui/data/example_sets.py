"""Well-known sets of pictures that can be downloaded by name: what they are, and where they lie once they are here.

Names are those of the classes of ``torchvision.datasets``; how they are fetched and read is
`ftgui.engine.downloads.example_sets`. Left
out are CIFAR (its pictures lie in pickles, and nothing is unpickled here), what torchvision can no longer download or
only through another program (Stanford Cars, FER2013, PCam), what it knows no checksum of (FGVC Aircraft), and what is
too large or too large for what it teaches (Places365, iNaturalist, STL10).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ftgui.base import paths


@dataclass(frozen=True)
class ExampleSet:
    """Figures are those its authors give."""

    name: str
    """Of the class in ``torchvision.datasets``; also what `ftgui example` takes."""
    title: str
    classes: int
    images: int
    megabytes: int
    """Of the download, about: 10⁶ bytes."""
    licence: str
    splits: str
    """Words for how it comes split."""
    teaches: str
    """One sentence."""

    @property
    def folder(self) -> Path:
        """Where it lies; there is such a folder only when it is complete."""
        return base() / self.name

    @property
    def is_here(self) -> bool:
        return self.folder.is_dir()


_TRAIN_VAL_TEST = "comes split into train, val and test"
_TRAIN_TEST = "comes split into train and test; val is drawn from train"
_GREY = "28 × 28 grey pixels each"

EXAMPLE_SETS = (
    ExampleSet(
        name="Flowers102",
        title="Oxford Flowers",
        classes=102,
        images=8_189,
        megabytes=345,
        licence="not stated",
        splits=_TRAIN_VAL_TEST,
        teaches="What pretraining is worth: ten training images of each flower are enough for most of them.",
    ),
    ExampleSet(
        name="OxfordIIITPet",
        title="Oxford-IIIT Pets",
        classes=37,
        images=7_349,
        megabytes=811,
        licence="CC BY-SA 4.0",
        splits=_TRAIN_TEST,
        teaches="Breeds of cats and dogs: small differences between classes, which the last stages have to learn.",
    ),
    ExampleSet(
        name="Imagenette",
        title="Imagenette, 320 pixels",
        classes=10,
        images=13_394,
        megabytes=342,
        licence="ImageNet's: for research",
        splits="comes split into train and val",
        teaches="Ten easy classes of ImageNet: a pretrained model knows them, so compare it with one trained from scratch.",
    ),
    ExampleSet(
        name="EuroSAT",
        title="EuroSAT",
        classes=10,
        images=27_000,
        megabytes=94,
        licence="MIT",
        splits="comes without a split; one is drawn",
        teaches="Land seen from a satellite, unlike any photo the model was pretrained on: more layers should learn.",
    ),
    ExampleSet(
        name="DTD",
        title="Describable Textures",
        classes=47,
        images=5_640,
        megabytes=625,
        licence="for research",
        splits=_TRAIN_VAL_TEST,
        teaches="Textures instead of things, and classes that overlap: the confusion table shows what is hard to say.",
    ),
    ExampleSet(
        name="Food101",
        title="Food-101",
        classes=101,
        images=101_000,
        megabytes=4_996,
        licence="not stated; scientific fair use",
        splits=_TRAIN_TEST,
        teaches="A large set in which some training labels are wrong on purpose: find them after training.",
    ),
    ExampleSet(
        name="GTSRB",
        title="German Traffic Signs",
        classes=43,
        images=39_270,
        megabytes=277,
        licence="not stated",
        splits=_TRAIN_TEST,
        teaches="Rare and common classes, and up to 30 images of the same sign, which a split should keep together.",
    ),
    ExampleSet(
        name="SVHN",
        title="Street View House Numbers",
        classes=10,
        images=99_289,
        megabytes=246,
        licence="not for commercial use",
        splits=_TRAIN_TEST,
        teaches="Digits from real streets, 32 × 32 pixels each: neighbouring digits distract from the middle one.",
    ),
    ExampleSet(
        name="MNIST",
        title="MNIST",
        classes=10,
        images=70_000,
        megabytes=12,
        licence="not stated",
        splits=_TRAIN_TEST,
        teaches=f"Handwritten digits, {_GREY}: small, quick and practically solved; what remains are ambiguous labels.",
    ),
    ExampleSet(
        name="FashionMNIST",
        title="Fashion-MNIST",
        classes=10,
        images=70_000,
        megabytes=31,
        licence="MIT",
        splits=_TRAIN_TEST,
        teaches=f"Clothes, {_GREY}: quick like MNIST but harder; shirts and T-shirts are easily confused.",
    ),
    ExampleSet(
        name="KMNIST",
        title="Kuzushiji-MNIST",
        classes=10,
        images=70_000,
        megabytes=21,
        licence="CC BY-SA 4.0",
        splits=_TRAIN_TEST,
        teaches=f"Cursive Japanese letters, {_GREY}: one letter has several forms, so a class is not one shape.",
    ),
)


def base() -> Path:
    """The folder of all example sets."""
    return paths.data_dir() / "examples"


def find(name: str) -> ExampleSet | None:
    """By name or title, upper case or lower."""
    wanted = name.strip().lower()
    return next((known for known in EXAMPLE_SETS if wanted in (known.name.lower(), known.title.lower())), None)


def search(text: str) -> list[ExampleSet]:
    """Those in whose names, licence or lesson every word of a text occurs, in their order."""
    words = text.lower().split()

    def matches(known: ExampleSet) -> bool:
        everything = f"{known.name} {known.title} {known.licence} {known.splits} {known.teaches}".lower()
        return all(word in everything for word in words)

    return [known for known in EXAMPLE_SETS if matches(known)]
