"""A run as one HTML file that needs nothing else: no network, no scripts; light, dark and on paper."""

from __future__ import annotations

import base64
import io
import math
import time
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import ftgui
from ftgui.base.files import write_atomically
from ftgui.base.formatting import clock, percent, plural
from ftgui.base.job import Job
from ftgui.data import metrics
from ftgui.data.images.decoding import ImageError, load_rgb, one_image
from ftgui.data.images.intensity import IntensityRange
from ftgui.runs.metrics_log import History
from ftgui.runs.predictions import Predicted
from ftgui.runs.recipe_summary import backbone_words, in_words
from ftgui.runs.report.charts import Line, confusion_chart, line_chart, reliability_chart
from ftgui.runs.report.facts import Facts, PhaseProof, gather
from ftgui.runs.report.style import STYLE

MOST_ERRORS = 24
"""Pictures of the worst errors."""

MOST_CLASSES = 150
"""In the confusion table; of more, only the most frequent mistakes are listed."""

_MOST_PAIRS = 12
_MOST_ROWS = 24
"""Of a table on the screen; longer ones scroll, but not on paper."""
_THUMBNAIL = 176
_MOST_POINTS = 600
_SMOOTHING = 0.8


def write_report(folder: Path, target: Path, job: Job | None = None) -> None:
    """Write the report of a run.

    Args:
        folder: of the run; whatever is missing in it is said in the report.
        target: the HTML file; replaced as a whole.
        job: to cancel it.

    Raises:
        FileNotFoundError: there is no such run.
        OSError: the file can't be written.
        Cancelled: through `job`.
    """
    job = job or Job()
    text = page(gather(folder, job), job)
    write_atomically(target, text.encode("utf-8", "replace"))


def default_name(folder: Path) -> str:
    """E.g. ``"run-0007-head.html"``."""
    return f"run-{folder.name}.html"


def page(facts: Facts, job: Job) -> str:
    """The whole file."""
    record = facts.record
    title = f"Run {record.number} · {record.name}"
    sections = [
        _head(facts, title),
        _section("What is missing", _list(facts.problems)),
        _section("Note", f'<p class="note">{escape(record.note)}</p>' if record.note else ""),
        _section("Validation", _validation(facts)),
        _section("Classes", _classes(facts)),
        _section("Confusion matrix", _confusion(facts)),
        _section("Worst errors", _errors(facts, job)),
        _section("Is it calibrated?", _calibration(facts)),
        _section("Training curves", _curves(facts.history)),
        _section("Recipe", _recipe(facts)),
        _section("Proof that frozen layers did not change", _proofs(facts.proofs)),
        _section("Made with", _environment(facts)),
    ]
    # The policy forbids what is not there anyway: nothing in the file can reach out.
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body><main>\n"
        + "\n".join(filter(None, sections))
        + f"\n<footer>Made by ftgui {escape(ftgui.__version__)} from {escape(record.path.name)}</footer></main></body></html>\n"
    )


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>" if body else ""


def _list(sentences: Sequence[str]) -> str:
    return f'<ul class="problems">{"".join(f"<li>{escape(s)}</li>" for s in sentences)}</ul>' if sentences else ""


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], numbers: int = 0) -> str:
    """Args: cells are HTML already; the last `numbers` columns are right-aligned."""
    first = len(header) - numbers
    head = "".join(f"<th{' class=n' if i >= first else ''}>{escape(h)}</th>" for i, h in enumerate(header))
    lines = (
        "<tr>" + "".join(f"<td{' class=n' if i >= first else ''}>{c}</td>" for i, c in enumerate(row)) + "</tr>"
        for row in rows
    )
    tall = " tall" if numbers and len(rows) > _MOST_ROWS else ""
    return f'<div class="wide{tall}"><table><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    return f"<dl>{''.join(f'<dt>{escape(a)}</dt><dd>{escape(b)}</dd>' for a, b in pairs)}</dl>"


# --- sections -------------------------------------------------------------------------------------------------------


def _head(facts: Facts, title: str) -> str:
    record = facts.record
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(record.started)) if record.started else "date not known"
    model = backbone_words(facts.recipe.backbone) if facts.recipe else record.model or "model not known"
    took = f"{clock(record.seconds)} long" if not math.isnan(record.seconds) else "duration not known"
    line = " · ".join([when, model, f"{plural(record.epochs, 'epoch')}, {plural(record.steps, 'step')}", took])
    star = '<span class="star" aria-label="starred">★</span> ' if record.starred else ""
    return f"<header><h1>{star}{escape(title)}</h1><p>{escape(line)}</p><p>{escape(record.ending)}</p></header>"


def _validation(facts: Facts) -> str:
    record = facts.record
    if facts.confusion is None or not facts.confusion.sum():
        known = f" The best during training was {percent(record.best_accuracy)}." if record.best_accuracy >= 0 else ""
        return f"<p>There is no table of its answers on validation images.{known}</p>"
    total, right = int(facts.confusion.sum()), int(facts.confusion.trace())
    low, high = metrics.interval(right, total)
    share = metrics.accuracy(facts.confusion)
    text = (
        f'<p class="large"><b>{percent(share)}</b> of the validation images are classified correctly</p>'
        f"<p>{right:,} of {plural(total, 'image')} that it never learned from. With other images of the same kind, between "
        f"{percent(low)} and {percent(high)} can be expected (95 % confidence, Wilson). Weights of epoch "
        f"{record.best_epoch}.</p>"
    )
    if facts.answers is not None and abs(share - record.best_accuracy) > 5e-4:
        text += (
            f"<p>When the run ended it was {percent(record.best_accuracy)}: labels, splits or images have changed between "
            "then and the answers this report is based on.</p>"
        )
    return text


def _classes(facts: Facts) -> str:
    """Images per split and, where they are known, the figures; worst first."""
    found = metrics.class_figures(facts.confusion) if facts.confusion is not None else None
    place = {name: at for at, name in enumerate(facts.class_names)}
    names = sorted({*facts.counts, *place})
    splits = [s for s in ("train", "val", "test") if any(s in counts for counts in facts.counts.values())]
    if not names:
        return ""

    def worst_first(name: str) -> tuple[float, str]:
        recall = float(found.recall[place[name]]) if found is not None and name in place else math.nan
        return (2.0 if math.isnan(recall) else recall, name)

    rows = []
    for name in sorted(names, key=worst_first):
        counts = [f"{facts.counts[name][split]:,}" if name in facts.counts else "–" for split in splits]
        row = [escape(name), *counts]
        if found is not None:
            at = place.get(name)
            shares = (found.precision, found.recall, found.f1)
            row += ["–"] * 4 if at is None else [*(_bar(float(s[at])) for s in shares), f"{found.support[at]:,}"]
        rows.append(row)
    header = ["Class", *splits, *(["Precision", "Recall", "F1", "Evaluated"] if found is not None else [])]
    words = (
        "<p>Precision: of the images the model puts in the class, the share that belong there. Recall: of "
        "those that belong there, the share it recognises. "
        "F1: the harmonic mean of both. Worst recall first.</p>"
    )
    return (words if found is not None else "") + _table(header, rows, len(header) - 1)


def _bar(share: float) -> str:
    if math.isnan(share):
        return "–"
    return f'{percent(share)}<span class="track"><span class="fill" style="width:{share * 100:.1f}%"></span></span>'


def _confusion(facts: Facts) -> str:
    if facts.confusion is None or not facts.confusion.sum():
        return ""
    names = facts.class_names
    pairs = metrics.confused_pairs(facts.confusion, _MOST_PAIRS)
    rows = [[escape(names[a]), escape(names[b]), f"{count:,}"] for count, a, b in pairs]
    often = _table(["True class", "Model's answer", "Images"], rows, 1) if rows else "<p>There are no mistakes.</p>"
    if len(names) > MOST_CLASSES:
        return f"<p>The most frequent mistakes; a table of {plural(len(names), 'class')} could not be read.</p>{often}"
    chart = confusion_chart(names, facts.confusion)
    words = "<p>Rows: true class. Columns: the model's answer.</p>"
    return f'{words}<div class="beside"><div class="wide">{chart}</div>{often}</div>'


def _errors(facts: Facts, job: Job) -> str:
    if facts.answers is None:
        return (
            "<p>The model's answers image by image were not kept with this run, so its worst errors are not known.</p>"
        )
    if not facts.worst:
        return "<p>There are none: every validation image is classified correctly.</p>"
    shown = facts.worst[:MOST_ERRORS]
    cards = []
    for done, one in enumerate(shown):
        job.progress(done, len(shown))
        cards.append(_error(one, facts))
    more = f" The worst {len(shown)} are shown." if len(shown) < len(facts.worst) else ""
    words = (
        f"<p>{plural(len(facts.worst), 'validation image')} answered wrongly, the most surprising to the model first."
        f"{more} Some of them may be labelled wrongly.</p>"
    )
    return f'{words}<div class="errors">{"".join(cards)}</div>'


def _error(one: Predicted, facts: Facts) -> str:
    picture = _thumbnail(one.path, facts.roots, facts.intensity)
    name = escape(one.path.rsplit("/", 1)[-1])
    image = f'<img alt="{name}" src="{picture}">' if picture else '<div class="gone">the image is gone</div>'
    loss = "" if math.isnan(one.loss) else f", loss {one.loss:.2f}"
    return (
        f'<figure>{image}<figcaption><b>{escape(one.class_name)}</b>, answered <b class="wrong">'
        f"{escape(one.prediction)}</b><br>{one.confidence:.0%} sure{loss}"
        f'<span class="path" title="{escape(one.path)}">{name}</span></figcaption></figure>'
    )


def _thumbnail(path: str, roots: Sequence[Path], intensity: IntensityRange | None) -> str:
    """As a data URI; empty where the image is gone or can't be read."""
    data = io.BytesIO()
    try:
        with one_image():
            file = next((root / path for root in roots if (root / path).is_file()), None)
            if file is None:
                return ""
            image = load_rgb(file, _THUMBNAIL, intensity)
            image.thumbnail((2 * _THUMBNAIL, _THUMBNAIL))
            image.save(data, "JPEG", quality=80)
    except ImageError:
        return ""
    return f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode('ascii')}"


def _calibration(facts: Facts) -> str:
    if facts.answers is None or not len(facts.answers.labels):
        return ""
    bins = metrics.reliability(facts.answers.confidences, facts.answers.right)
    error = metrics.calibration_error(bins)
    temperature = facts.record.temperature
    fitted = (
        "" if math.isnan(temperature) else f" A temperature of {temperature:.2f} was fitted to bring the two together."
    )
    return (
        f"<p>On average its confidence is {percent(error)} away from how often it is right (expected calibration "
        f"error).{fitted} A bar that ends below the line means overconfidence. Pale bars represent few answers.</p>"
        f'<div class="wide">{reliability_chart(bins)}</div>'
    )


def _curves(history: History | None) -> str:
    if history is None or not (history.steps or history.epochs):
        return "<p>No curves were kept.</p>"
    marks = [("phase", float(step), name) for step, name in history.phases]
    run_adjusted = [("steering", float(step), text) for step, text in history.run_adjusted]
    numbered = sorted(run_adjusted, key=lambda mark: mark[1])
    every = [*numbered, *marks]  # the steering marks' numbers are those of the list below
    parts = []
    for name, column, share in (("Loss", 1, False), ("Accuracy", 2, True), ("Learning rate", 3, False)):
        steps = [(float(row[0]), row[column]) for row in history.steps]
        if column == 3:
            lines = [Line("train", _thin(steps))]
        else:
            epochs = [(float(row[0]), row[column]) for row in history.epochs]
            lines = [Line("faint", _thin(steps)), Line("train", _thin(_smooth(steps))), Line("val", epochs)]
        chart = line_chart(f"{name} over steps", lines, every, share)
        if chart:
            parts.append(f"<figure><figcaption>{name}</figcaption>{chart}</figure>")
    legend = (
        '<p class="legend"><span class="train">━ training, smoothed</span> <span class="val">╍ validation</span> '
        "<span>┊ a phase begins</span></p>"
    )
    changed = [f"<li>Step {step:,.0f}: {escape(text)}</li>" for _, step, text in numbered]
    steering = f"<p>Changed while it ran (the numbers in the plots):</p><ol>{''.join(changed)}</ol>" if changed else ""
    return f'{legend}<div class="curves">{"".join(parts)}</div>{steering}'


def _thin(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    return points[:: max(-(-len(points) // _MOST_POINTS), 1)]


def _smooth(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """As the Train page draws it: an exponential moving average, divided by the weight so far."""
    average, weight, smooth = 0.0, 0.0, []
    for step, value in points:
        if math.isfinite(value):
            average = _SMOOTHING * average + (1 - _SMOOTHING) * value
            weight = _SMOOTHING * weight + (1 - _SMOOTHING)
            smooth.append((step, average / weight))
    return smooth


def _recipe(facts: Facts) -> str:
    return _pairs(in_words(facts.recipe)) if facts.recipe else "<p>The recipe is not known.</p>"


def _proofs(proofs: Sequence[PhaseProof]) -> str:
    if not proofs:
        return ""
    rows = []
    for proof in proofs:
        same = "unchanged" if proof.unchanged else "CHANGED" if proof.after else "the phase did not finish"
        early = ", stopped early" if proof.early else ""
        hashes = f"<code>{escape(proof.before)}</code><br><code>{escape(proof.after or '–')}</code>"
        rows.append([escape(proof.name), escape(", ".join(proof.layers)), hashes, f"{same}{early}"])
    words = "<p>A hash over every number that was frozen, before and after each phase.</p>"
    return words + _table(["Phase", "Trainable layers", "Hash before, after", ""], rows)


def _environment(facts: Facts) -> str:
    raw = facts.environment
    if not raw:
        return "<p>The software and device used are not known.</p>"
    versions = raw.get("versions")
    said = ", ".join(f"{name} {version}" for name, version in versions.items()) if isinstance(versions, dict) else ""
    device = " ".join(str(raw[key]) for key in ("device", "device_name") if raw.get(key))
    pairs = [
        ("Versions", said),
        ("Device", f"{device}, {raw.get('threads', '?')} threads"),
        ("System", str(raw.get("platform", ""))),
        ("Commit", str(raw.get("commit", ""))),
        ("Data", f"{plural(facts.record.images, 'image')}, image list {facts.record.data or 'not known'}"),
    ]
    return _pairs([(name, text) for name, text in pairs if text])
