"""The tree holds every module once and groups it as a person would, for any family."""

from __future__ import annotations

import pytest

from ftgui.engine.model.backbones import build
from ftgui.engine.model.freezing import Freezer
from ftgui.engine.model.layer_tree import build_tree, output_shapes
from ftgui.protocol.recipe import Backbone

FAMILIES = [
    "tf_efficientnet_lite0",
    "resnet18",
    "convnext_atto",
    "vit_tiny_patch16_224",
    "deit_tiny_distilled_patch16_224",
    "swin_tiny_patch4_window7_224",
    "mobilenetv3_small_100",
    "regnety_004",
    "densenet121",
    "levit_128s",
    "torchvision/vgg11",
    "torchvision/squeezenet1_1",
    "torchvision/swin_t",
    "torchvision/googlenet",
    "torchvision/mobilenet_v3_small",
    "torchvision/shufflenet_v2_x0_5",
]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The default weight initialization:FutureWarning")
@pytest.mark.parametrize("name", FAMILIES)
def test_tree_of(name: str) -> None:
    built = build(Backbone(name=name, weights="none"), ["a", "b", "c"])
    tree = build_tree(built.model, built.heads)
    freezer = Freezer(built.model, tree)
    assert freezer.trainable_parameters == 0

    groups = [tree.rows[index] for index in tree.names.groups]
    names = [row.name for row in groups]
    assert names[-1] == "head" and "stage 1" in names and "stage 3" in names
    assert names.index("stage 2") == names.index("stage 1") + 1
    assert len({row.name for row in tree.rows}) == len(tree.rows)

    owners = {
        path for path, module in built.model.named_modules() if next(module.parameters(recurse=False), None) is not None
    }
    assert sorted(tree.rows[index].path or "" for index in tree.names.units) == sorted(owners)
    assert sum(row.parameters for row in groups) == freezer.total_parameters

    freezer.set_trainable(freezer.resolve(["everything"]))
    assert freezer.trainable_parameters == freezer.total_parameters
    freezer.set_trainable(freezer.resolve(["head"]))
    assert 0 < freezer.trainable_parameters < freezer.total_parameters / 4

    shapes = output_shapes(built.model, built.preprocessing.size)
    assert [len(node.output) > 0 for node in tree.nodes(shapes) if node.name == "head"] == [True]


def test_lite0_reads_like_its_paper() -> None:
    built = build(Backbone(weights="none"), ["a", "b"])
    tree = build_tree(built.model, built.heads)
    nodes = tree.nodes(output_shapes(built.model, 224))
    top = {node.name: (node.output, node.parameters) for node in nodes if node.parent < 0}
    assert list(top) == ["stem", *(f"stage {number}" for number in range(1, 8)), "neck", "head"]
    assert top["stage 6"] == ([192, 7, 7], 1_652_640)
    assert top["neck"] == ([1280, 7, 7], 412_160)
    assert top["head"] == ([2], 2_562)
    stage6 = next(i for i, node in enumerate(nodes) if node.name == "stage 6")
    assert [node.label for node in nodes if node.parent == stage6] == ["block 0", "block 1", "block 2", "block 3"]
