"""Which tensors of a weights file are which of a model's, whatever names a training program has put before them."""

from __future__ import annotations

import logging
import re
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from ftgui.base.formatting import few
from ftgui.engine.errors import EngineError
from ftgui.engine.model.filling import fill
from ftgui.engine.model.weights_files import StateDict

log = logging.getLogger(__name__)

_WRAPPERS = ("_orig_mod", "module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
"""Parts of names that torch.compile, DataParallel, FSDP and activation checkpointing put in, also in the middle."""

_LIKED = re.compile(r"ema|teacher|averag", re.IGNORECASE)
_DISLIKED = re.compile(r"encoder_k|momentum|student|target", re.IGNORECASE)
"""Where a file holds the same model twice: averaged weights and DINO's teacher are what is meant to be used; MoCo's key
encoder and BYOL's target only help to train the other one."""

_AUXILIARY = re.compile(r"aux", re.IGNORECASE)


@dataclass
class Match:
    """One dictionary of a file, laid over a model."""

    where: str
    """Keys and prefixes that lead to the tensors, e.g. ``"state_dict.model"``; empty: they lie at the top."""
    taken: StateDict
    """By the model's names; tensors of the head may have another shape than the model's."""
    others: list[str]
    """Names in the dictionary that are none of the model's, without the prefix where they have it."""
    tensors: int
    """In the dictionary."""
    adapted: bool = False
    """timm's own rules for this model changed names or shapes."""
    wrong: list[str] = field(default_factory=list)
    """Names of the model, not of its head, whose tensors have another shape in the file."""
    missing: list[str] = field(default_factory=list)
    """Names of the model, not of its head, that the file lacks."""
    unknown: list[str] = field(default_factory=list)
    """Of `others`, those that lie within parts of this model, so that it is another variant of it."""

    @property
    def fits(self) -> bool:
        return not (self.wrong or self.missing or self.unknown)

    def outputs(self, heads: list[str]) -> int:
        """Classes of the head in the file; 0: there is none."""
        weight = self.taken.get(f"{heads[0]}.weight")
        return len(weight) if weight is not None else 0


class Matcher:
    """Lays dictionaries over one model.

    Args:
        model: with a head of any number of classes; may be on the meta device.
        heads: paths of its classifier modules.
    """

    def __init__(self, model: nn.Module, heads: list[str]) -> None:
        self._model = model
        self._own = model.state_dict()
        self._computed = {name for name, _ in model.named_buffers()} - set(self._own)
        """Buffers that are made when the model is, and in no file of today's versions."""
        self._in_head = re.compile(rf"({'|'.join(map(re.escape, heads))})\.")
        parts = {part for name in self._own for part in name.split(".")}
        self._wrappers = {part for part in _WRAPPERS if part not in parts}
        self._tops = {name.partition(".")[0] for name in self._own}

    def best(self, found: Iterable[tuple[str, StateDict]]) -> Match:
        """The dictionary, and the prefix in it, that has most of the model; of equals the liked one, then the first."""
        matches = [self._lay(where, state) for where, state in found]
        return max(matches, key=self._rank)

    def adapted(self, found: Iterable[tuple[str, StateDict]]) -> Match | None:
        """As `best`, by timm's rules for weights of this model's authors: other names, position embeddings of another size.

        Returns:
            only what then fits; None: there are no such rules, or it does not.
        """
        rules = getattr(sys.modules.get(type(self._model).__module__), "checkpoint_filter_fn", None)
        if rules is None:
            return None
        matches = []
        for where, state in found:
            for names in {"", _shared_prefix(list(state))}:
                stripped = {name[len(names) :]: tensor for name, tensor in state.items()}
                try:
                    changed = dict(rules(stripped, self._model))
                except (LookupError, ValueError, RuntimeError, AttributeError, TypeError, AssertionError) as error:
                    log.info("timm's rules do not take “%s%s”: %s", where, names, error)
                    continue
                match = self._lay(".".join(part for part in (where, names.rstrip(".")) if part), changed)
                match.adapted, match.tensors = True, len(state)
                if match.fits and match.taken:
                    matches.append(match)
        return max(matches, key=self._rank, default=None)

    def _rank(self, match: Match) -> tuple[int, int, int, int]:
        body = [name for name in match.taken if not self._in_head.match(name)]
        same = sum(self._own[name].shape == match.taken[name].shape for name in body)
        liking = bool(_LIKED.search(match.where)) - bool(_DISLIKED.search(match.where))
        return same, len(body), liking, len(match.taken)

    def _lay(self, where: str, state: StateDict) -> Match:
        names = self._unwrapped(state)
        votes: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for name, key in names.items():
            parts = name.split(".")
            for start in range(len(parts)):
                own = self._own.get(".".join(parts[start:]))
                if own is not None:
                    counts = votes[".".join(parts[:start])]
                    counts[0] += own.shape == state[key].shape
                    counts[1] += 1

        def rank(prefix: str) -> tuple[int, int, int, int]:
            return *votes[prefix], bool(_LIKED.search(prefix)) - bool(_DISLIKED.search(prefix)), -len(prefix)  # type: ignore[return-value]

        prefix = max(list(votes), key=rank, default="")
        taken: StateDict = {}
        others, unknown = [], []
        for name, key in names.items():
            inside = not prefix or name.startswith(prefix + ".")
            rest = name[len(prefix) + 1 :] if prefix and inside else name
            if inside and rest in self._own:
                taken[rest] = state[key]
                continue
            if inside and rest in self._computed:
                continue
            others.append(rest)
            if inside and rest.partition(".")[0] in self._tops and not self._optional(rest):
                unknown.append(rest)
        lead = ".".join(part for part in (where, prefix) if part)
        wrong = [
            name for name, tensor in taken.items() if tensor.shape != self._own[name].shape and not self._optional(name)
        ]
        missing = [
            name
            for name, own in self._own.items()
            # Whole numbers are counters and tables of places, which a new model has right.
            if name not in taken and own.is_floating_point() and not self._optional(name)
        ]
        return Match(lead, taken, others, len(state), wrong=wrong, missing=missing, unknown=unknown)

    def _optional(self, name: str) -> bool:
        """Of a head: for classes that may be others, or an auxiliary one that only training uses."""
        return bool(self._in_head.match(name) or _AUXILIARY.search(name.partition(".")[0]))

    def _unwrapped(self, state: StateDict) -> dict[str, str]:
        """Names without what wrappers put into them -> as in the file."""
        names: dict[str, str] = {}
        for key in state:
            name = ".".join(part for part in key.split(".") if part not in self._wrappers)
            names.setdefault(name, key)
        return names


def _shared_prefix(names: list[str]) -> str:
    prefix = ""
    while names and all("." in name[len(prefix) :] for name in names):
        first = names[0][: names[0].index(".", len(prefix)) + 1]
        if not all(name.startswith(first) for name in names):
            break
        prefix = first
    return prefix


def refuse(match: Match, model: nn.Module, path: Path, name: str, hint: str) -> EngineError:
    """What a match that does not fit is called.

    Args:
        hint: what to do.
    """
    own = model.state_dict()
    begin = f"“{path.name}” does not fit {name}: "
    wrong, missing, unknown = match.wrong, match.missing, match.unknown
    if not match.taken:
        count = f"of its {match.tensors:,} tensors none has a name that the model knows (it has {match.others[0]}, the model "
        return EngineError(
            f"{begin}{count}{next(iter(own))}; {len(missing):,} missing, {len(match.others):,} unknown). {hint}"
        )
    if wrong:
        key = wrong[0]
        more = f" Further tensors that differ: {len(wrong) - 1:,}." if len(wrong) > 1 else ""
        shapes = f"{key} is {shape(match.taken[key])} in the file, but the model needs {shape(own[key])}."
        return EngineError(f"{begin}{shapes}{more} {hint}")
    example = f"it lacks {missing[0]}" if missing else f"it has {unknown[0]}, which the model lacks"
    counts = f"({len(missing):,} missing, {len(match.others):,} unknown)"
    return EngineError(f"{begin}{example} {counts}. {hint}")


def load(model: nn.Module, match: Match, path: Path, heads: list[str]) -> str:
    """Put what fits into the model; tensors of the head that are of another shape stay new.

    Returns:
        in one line, what was taken and what not.

    Raises:
        EngineError: NaN, infinity, or numbers of another kind than the model computes with.
    """
    own = model.state_dict()
    fitting = {name: tensor for name, tensor in match.taken.items() if own[name].shape == tensor.shape}
    ready = {name: _as_needed(tensor, own[name], name, path) for name, tensor in fitting.items()}
    _refuse_no_numbers(ready, path)
    fill(model, ready)
    return _line(match, own, ready, path, heads)


def _as_needed(tensor: torch.Tensor, own: torch.Tensor, name: str, path: Path) -> torch.Tensor:
    """In the model's precision; files may hold float16, bfloat16 or float64."""
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_floating_point() != own.is_floating_point():
        raise EngineError(
            f"“{path.name}” can't be used as weights: {name} is stored as {str(tensor.dtype).removeprefix('torch.')}, as "
            "in models quantised for inference only. Use the weights from before quantisation (float32 or float16)."
        )
    return tensor.to(own.dtype)


def _refuse_no_numbers(ready: StateDict, path: Path) -> None:
    bad = {
        name: (int(tensor.isnan().sum()), int(tensor.isinf().sum()))
        for name, tensor in ready.items()
        if tensor.is_floating_point() and not tensor.isfinite().all()
    }
    if not bad:
        return
    name, (nans, infinities) = next(iter(bad.items()))
    what = [f"{count:,} {kind}" for count, kind in ((nans, "NaN"), (infinities, "infinite")) if count]
    more = f"; further tensors with such values: {len(bad) - 1:,}" if len(bad) > 1 else ""
    raise EngineError(
        f"“{path.name}” holds values that are not numbers: {' and '.join(what)} of {ready[name].numel():,} in {name}{more}. "
        "The run that wrote it diverged; use a checkpoint from before that."
    )


def _line(match: Match, own: StateDict, ready: StateDict, path: Path, heads: list[str]) -> str:
    total = match.tensors
    parts = [f"all {total:,} tensors taken" if len(ready) == total else f"{len(ready):,} of {total:,} tensors taken"]
    if match.where:
        parts[0] += f" (those under “{match.where}”)"
    if match.adapted:
        parts.append("timm's own rules adapted their names or sizes to this model")
    head = next((name for name in own if name.rpartition(".")[0] == heads[0]), "")
    if head not in match.taken:
        parts.append("the file has no matching head, so the model has a new one")
    elif head not in ready:
        parts.append(f"the head was left out ({len(match.taken[head]):,} classes there)")
    if match.others:
        parts.append(f"left out: {few(match.others)}")
    missing = [name for name in own if name not in ready and own[name].is_floating_point() and not _of(name, heads)]
    parts.append("nothing missing" if not missing else f"new: {few(missing)}")
    return f"{path.name}: " + "; ".join(parts)


def _of(name: str, heads: list[str]) -> bool:
    return any(name.startswith(head + ".") for head in heads)


def shape(tensor: torch.Tensor) -> str:
    """E.g. ``"64×3×7×7"``."""
    return "×".join(map(str, tensor.shape)) or "a single number"
