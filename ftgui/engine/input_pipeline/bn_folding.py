"""Batch norms folded into the convolutions before them, where neither learns: the prefix runs faster without them."""

from __future__ import annotations

import copy

from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights


def fold(module: fx.GraphModule) -> fx.GraphModule:
    """A copy with batch norms folded into the convolutions before them: in eval mode both are linear, one is enough."""
    folded: fx.GraphModule = copy.deepcopy(module).eval().requires_grad_(False)
    parts = dict(folded.named_modules())
    for node in list(folded.graph.nodes):
        norm = parts.get(str(node.target)) if node.op == "call_module" else None
        if not isinstance(norm, nn.BatchNorm2d) or norm.running_mean is None or norm.running_var is None:
            continue
        before = node.args[0]
        conv = parts.get(str(before.target)) if isinstance(before, fx.Node) and before.op == "call_module" else None
        if not isinstance(conv, nn.Conv2d) or len(before.users) != 1 or _uses(folded, before.target) != 1:
            continue
        conv.weight, conv.bias = fuse_conv_bn_weights(
            conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
        )
        # timm's norm layers carry dropout and activation with them; torch's carry nothing.
        after = [part for name in ("drop", "act") if isinstance(part := getattr(norm, name, None), nn.Module)]
        after = [part for part in after if not isinstance(part, nn.Identity)]
        if after:
            folded.set_submodule(str(node.target), nn.Sequential(*after))
        else:
            node.replace_all_uses_with(before)
            folded.graph.erase_node(node)
    folded.recompile()
    return folded


def _uses(module: fx.GraphModule, target: object) -> int:
    return sum(node.op == "call_module" and node.target == target for node in module.graph.nodes)
