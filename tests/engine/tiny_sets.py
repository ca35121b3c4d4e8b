"""Files laid out like those of the real example sets, with a handful of pictures each."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import scipy.io

from tests.conftest import picture


@dataclass
class TinySet:
    """One set, as its server has it and as it should come out."""

    files: dict[str, bytes]
    """Path on the server -> content."""
    tree: dict[str, bytes | np.ndarray] = field(default_factory=dict)
    """``split/class/file`` -> the file's bytes, or pixels (H, W) or (H, W, 3)."""
    others: int = 0
    """Files that come out besides."""


def image(seed: int, kind: str = "JPEG") -> bytes:
    stream = io.BytesIO()
    picture((90, 30 + 20 * seed % 200, 120), seed, (24, 20)).save(stream, kind)
    return stream.getvalue()


def tarred(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def mat(**values: object) -> bytes:
    stream = io.BytesIO()
    scipy.io.savemat(stream, values, do_compression=True)
    return stream.getvalue()


def flowers() -> TinySet:
    images = {f"jpg/image_{number:05d}.jpg": image(number) for number in range(1, 9)}
    labels = [1, 1, 60, 60, 1, 60, 1, 60]
    splits = {"trnid": [1, 3, 5], "valid": [2, 4], "tstid": [6, 7, 8]}
    names = {1: "pink primrose", 60: "pink-yellow dahlia_"}  # the second has a question mark, which no Windows takes
    base = "/~vgg/data/flowers/102/"
    tree = {
        f"{split}/{names[labels[number - 1]]}/image_{number:05d}.jpg": images[f"jpg/image_{number:05d}.jpg"]
        for split, key in (("train", "trnid"), ("val", "valid"), ("test", "tstid"))
        for number in splits[key]
    }
    files = {
        base + "102flowers.tgz": tarred(images),
        base + "imagelabels.mat": mat(labels=labels),
        base + "setid.mat": mat(**splits),
    }
    return TinySet(files, tree)


def pets() -> TinySet:
    names = {"Abyssinian_1": "1 1 1", "Abyssinian_2": "1 1 1", "great_pyrenees_7": "2 2 1", "great_pyrenees_9": "2 2 1"}
    images = {f"images/{name}.jpg": image(number) for number, name in enumerate(names)}
    lists = {"trainval": ["Abyssinian_1", "great_pyrenees_7"], "test": ["Abyssinian_2", "great_pyrenees_9"]}
    notes = {
        f"annotations/{split}.txt": "".join(f"{name} {names[name]}\n" for name in members).encode()
        for split, members in lists.items()
    }
    notes["annotations/trimaps/Abyssinian_1.png"] = image(50, "PNG")
    base = "/~vgg/data/pets/data/"
    tree = {
        "train/Abyssinian/Abyssinian_1.jpg": images["images/Abyssinian_1.jpg"],
        "test/Abyssinian/Abyssinian_2.jpg": images["images/Abyssinian_2.jpg"],
        "train/Great Pyrenees/great_pyrenees_7.jpg": images["images/great_pyrenees_7.jpg"],
        "test/Great Pyrenees/great_pyrenees_9.jpg": images["images/great_pyrenees_9.jpg"],
    }
    return TinySet({base + "images.tar.gz": tarred(images), base + "annotations.tar.gz": tarred(notes)}, tree)


def imagenette() -> TinySet:
    folders = {"n01440764": "tench", "n03888257": "parachute"}
    packed, tree = {}, {}
    for seed, (split, folder) in enumerate((split, folder) for split in ("train", "val") for folder in folders):
        content = image(seed)
        packed[f"imagenette2-320/{split}/{folder}/{folder}_{seed}.JPEG"] = content
        tree[f"{split}/{folders[folder]}/{folder}_{seed}.JPEG"] = content
    return TinySet({"/fast-ai-imageclas/imagenette2-320.tgz": tarred(packed)}, tree)


def eurosat() -> TinySet:
    tree = {f"{name}/{name}_{n}.jpg": image(n + len(name)) for name in ("Forest", "SeaLake") for n in (1, 2)}
    path = "/datasets/torchgeo/eurosat/resolve/c877bcd43f099cd0196738f714544e355477f3fd/EuroSAT.zip"
    return TinySet({path: zipped({f"2750/{name}": content for name, content in tree.items()})}, tree)


def textures(noise: int = 0) -> TinySet:
    """`noise`: bytes of a file that no packing makes smaller, for a download that takes its time."""
    packed, tree = {}, {}
    for seed, split in enumerate(("train", "val", "test")):
        lines = []
        for name in ("banded", "woven"):
            content = image(seed + len(name))
            packed[f"dtd/images/{name}/{name}_{seed:04d}.jpg"] = content
            tree[f"{split}/{name}/{name}_{seed:04d}.jpg"] = content
            lines.append(f"{name}/{name}_{seed:04d}.jpg\n")
        packed[f"dtd/labels/{split}1.txt"] = "".join(lines).encode()
    if noise:
        packed["dtd/imdb/imdb.mat"] = np.random.default_rng(1).bytes(noise)
    return TinySet({TEXTURES: tarred(packed)}, tree)


TEXTURES = "/~vgg/data/dtd/download/dtd-r1.0.1.tar.gz"


def food() -> TinySet:
    packed, tree = {}, {}
    for split in ("train", "test"):
        members: dict[str, list[str]] = {}
        for seed, name in enumerate(("apple_pie", "waffles")):
            number = f"{len(split)}{seed}"
            content = image(int(number))
            packed[f"food-101/images/{name}/{number}.jpg"] = content
            tree[f"{split}/{name}/{number}.jpg"] = content
            members[name] = [f"{name}/{number}"]
        packed[f"food-101/meta/{split}.json"] = json.dumps(members).encode()
    return TinySet({"/cvl/food-101.tar.gz": tarred(packed)}, tree)


def signs() -> TinySet:
    base = "/public/archives/daaeac0d7ce1152aea9b61d9f1e19370/"
    training, images, tree = {}, {}, {}
    for label, name in ((0, "00 speed limit 20"), (14, "14 stop")):
        content = image(label, "PPM")
        training[f"GTSRB/Training/{label:05d}/00000_00000.ppm"] = content
        training[f"GTSRB/Training/{label:05d}/GT-{label:05d}.csv"] = b"Filename;Width\n"
        tree[f"train/{name}/00000_00000.ppm"] = content
    table = ["Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId"]
    for number, (label, name) in enumerate(((14, "14 stop"), (0, "00 speed limit 20"))):
        content = image(number + 30, "PPM")
        images[f"GTSRB/Final_Test/Images/{number:05d}.ppm"] = content
        table.append(f"{number:05d}.ppm;24;20;1;1;20;20;{label}")
        tree[f"test/{name}/{number:05d}.ppm"] = content
    # torchvision counts the folders that are there, so there has to be one of each class.
    others = set(range(43)) - {0, 14}
    for label in others:
        content = image(label + 60, "PPM")
        training[f"GTSRB/Training/{label:05d}/00000_00000.ppm"] = content
    files = {
        base + "GTSRB-Training_fixed.zip": zipped(training),
        base + "GTSRB_Final_Test_Images.zip": zipped(images),
        base + "GTSRB_Final_Test_GT.zip": zipped({"GT-final_test.csv": "\n".join(table).encode()}),
    }
    return TinySet(files, tree, len(others))


def house_numbers() -> TinySet:
    files, tree = {}, {}
    rng = np.random.default_rng(2)
    number = 0
    for split in ("train", "test"):
        pixels = rng.integers(0, 256, (32, 32, 3, 3), dtype=np.uint8)
        labels = np.array([[10], [1], [7]], dtype=np.uint8)  # ten means zero
        files[f"/housenumbers/{split}_32x32.mat"] = mat(X=pixels, y=labels)
        for place, label in enumerate(("0", "1", "7")):
            tree[f"{split}/{label}/{number:06d}.png"] = pixels[..., place]
            number += 1
    return TinySet(files, tree)


def digits(prefix: str, names: Iterable[str]) -> TinySet:
    rng = np.random.default_rng(3)
    names = list(names)
    files, tree = {}, {}
    number = 0
    for split, their in (("train", "train"), ("test", "t10k")):
        pixels = rng.integers(0, 256, (len(names), 28, 28), dtype=np.uint8)
        labels = np.arange(len(names), dtype=np.uint8)
        head = struct.pack(">4B3I", 0, 0, 8, 3, len(names), 28, 28)
        files[f"{prefix}{their}-images-idx3-ubyte.gz"] = gzip.compress(head + pixels.tobytes())
        files[f"{prefix}{their}-labels-idx1-ubyte.gz"] = gzip.compress(
            struct.pack(">4BI", 0, 0, 8, 1, len(names)) + labels.tobytes()
        )
        for place, name in enumerate(names):
            tree[f"{split}/{name}/{number:06d}.png"] = pixels[place]
            number += 1
    return TinySet(files, tree)


TINY_SETS: dict[str, Callable[[], TinySet]] = {
    "Flowers102": flowers,
    "OxfordIIITPet": pets,
    "Imagenette": imagenette,
    "EuroSAT": eurosat,
    "DTD": textures,
    "Food101": food,
    "GTSRB": signs,
    "SVHN": house_numbers,
    "MNIST": lambda: digits("/mnist/", ["0 - zero", "1 - one", "2 - two"]),
    "FashionMNIST": lambda: digits("/", ["T-shirt_top", "Trouser", "Pullover"]),
    "KMNIST": lambda: digits("/kmnist/dataset/kmnist/", ["o", "ki", "su"]),
}
