"""What a run's folder tells about how its model was made; whatever is missing or damaged there is just not known."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from ftgui.base.json_files import decode_object, number, text, texts
from ftgui.runs.dataset_diff import read_samples
from ftgui.runs.metrics_log import METRICS_FILE
from ftgui.runs.model_card import PhaseDone, RunFacts
from ftgui.runs.run_folders import read_result

_BY_A_PERSON = frozenset({"rate", "layers", "early-stop", "finish-phase"})
"""Kinds of `run_adjusted` lines that change what is learned."""


def run_facts(folder: Path) -> RunFacts:
    """Read a run's folder; a folder that is none gives facts that say nothing."""
    phases, run_adjusted = _course(folder)
    result = read_result(folder) or {}
    evaluation = result.get("evaluation")
    return RunFacts(
        images=_images(folder),
        phases=phases,
        run_adjusted=run_adjusted,
        environment=_json(folder / "environment.json"),
        evaluation=evaluation if isinstance(evaluation, dict) else {},
    )


def _images(folder: Path) -> dict[str, Counter[str]]:
    try:
        samples = read_samples(folder)
    except (OSError, ValueError):
        return {}
    counts: dict[str, Counter[str]] = {}
    for class_name, split in samples.values():
        counts.setdefault(class_name, Counter())[split] += 1
    return counts


def _course(folder: Path) -> tuple[list[PhaseDone], list[tuple[int, str]]]:
    phases: list[PhaseDone] = []
    run_adjusted: list[tuple[int, str]] = []
    try:
        with (folder / METRICS_FILE).open("rb") as lines:
            for raw in lines:
                if b'"kind": "step"' in raw:  # nearly all of them
                    continue
                try:
                    _take(decode_object(raw), phases, run_adjusted)
                except (ValueError, KeyError):
                    continue  # half a line at the end of a file that grows
    except OSError:
        return [], []
    return phases, run_adjusted


def _take(line: dict[str, Any], phases: list[PhaseDone], run_adjusted: list[tuple[int, str]]) -> None:
    kind = line.get("kind")
    if kind == "phase":
        phases.append(PhaseDone(text(line["name"]), texts(line["layers"]), text(line["frozen_hash"])))
    elif kind == "prefix" and phases and phases[-1].views is None:
        phases[-1] = replace(phases[-1], views=int(number(line["views"], 0)) if line["cached"] else 0)
    elif kind == "phase-end" and phases:
        phases[-1] = replace(phases[-1], unchanged=line["frozen_unchanged"], early=line["early"])
    elif kind == "run_adjusted" and str(line["what"]) in _BY_A_PERSON:
        run_adjusted.append((int(number(line["step"], 0)), text(line["text"])))


def _json(path: Path) -> dict[str, Any]:
    try:
        return decode_object(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
