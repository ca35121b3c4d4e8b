"""Splits are disjoint, complete, seeded, stratified, and stable."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ftgui.data.split import stratified

datasets = st.dictionaries(st.text(min_size=1, max_size=5), st.integers(1, 30), min_size=1, max_size=6).map(
    lambda sizes: [(f"{name}/{number}", name) for name, size in sizes.items() for number in range(size)]
)
fractions = st.floats(0.01, 0.99)


@given(datasets, fractions, st.integers(0, 5))
def test_every_image_is_in_one_split_and_every_class_in_both(samples, fraction, seed) -> None:
    outcome = stratified(samples, fraction, seed)
    assert set(outcome) == {path for path, _ in samples}
    sizes = Counter(name for _, name in samples)
    val = Counter(name for path, name in samples if outcome[path] == "val")
    for name, size in sizes.items():
        assert size - val[name] >= 1
        assert val[name] == 0 if size == 1 else 1 <= val[name] <= max(1, round(size * fraction))


@given(datasets, fractions)
def test_order_of_listing_and_other_classes_do_not_matter(samples, fraction) -> None:
    outcome = stratified(samples, fraction, 7)
    assert stratified(reversed(samples), fraction, 7) == outcome
    one = samples[0][1]
    alone = stratified([pair for pair in samples if pair[1] == one], fraction, 7)
    assert alone == {path: split for path, split in outcome.items() if path in alone}


def test_another_seed_gives_another_split() -> None:
    samples = [(f"{name}/{number}", name) for name in "ab" for number in range(50)]
    assert stratified(samples, 0.2, 0) != stratified(samples, 0.2, 1)
    assert stratified(samples, 0.2, 0) == stratified(samples, 0.2, 0)
