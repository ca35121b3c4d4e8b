"""Splits are disjoint, complete, seeded, stratified, stable when images are added, and never tear a group apart."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftgui.data.catalog.split import BY_FOLDER, Member, SplitError, Splitting, assign, group_of, targets

datasets = st.dictionaries(st.text(min_size=1, max_size=5), st.integers(1, 30), min_size=1, max_size=6).map(
    lambda sizes: [Member(f"{name}/{number}", name) for name, size in sizes.items() for number in range(size)]
)
splittings = st.builds(Splitting, st.floats(0.01, 0.6), st.sampled_from([0.0, 0.1, 0.3]), st.integers(0, 5))


@given(datasets, splittings)
def test_every_image_is_in_one_split_and_every_class_in_those_it_is_large_enough_for(members, splitting) -> None:
    outcome = assign(members, splitting)
    assert set(outcome) == {member.path for member in members}
    assert set(outcome.values()) <= {"train", "val", "test"}
    for name, size in Counter(member.class_name for member in members).items():
        have = Counter(outcome[member.path] for member in members if member.class_name == name)
        assert have["train"] >= 1
        assert have["val"] == 0 if size == 1 else 1 <= have["val"] <= max(1, round(size * splitting.val))
        assert have["test"] <= max(1, round(size * splitting.test))
        assert (have["test"] > 0) == (splitting.test > 0 and targets(size, splitting.shares)["test"] > 0)


@given(datasets, splittings)
def test_order_of_listing_and_other_classes_do_not_matter(members, splitting) -> None:
    outcome = assign(members, splitting)
    assert assign(reversed(members), splitting) == outcome
    one = members[0].class_name
    alone = assign([member for member in members if member.class_name == one], splitting)
    assert alone == {path: split for path, split in outcome.items() if path in alone}


@given(datasets, splittings, st.integers(0, 40))
def test_added_images_move_nobody_and_fill_up_what_is_missing(members, splitting, more) -> None:
    before = assign(members, splitting)
    decided = [Member(m.path, m.class_name, before[m.path]) for m in members]
    one = members[0].class_name
    new = [Member(f"{one}/new {number}", one) for number in range(more)]
    added = assign([*decided, *new], splitting)
    assert set(added) == {member.path for member in new}, "those decided are not decided again"
    have = Counter(before[m.path] for m in members if m.class_name == one) + Counter(added.values())
    wanted = targets(have.total(), splitting.shares)
    for split in ("val", "test"):
        # A class that was too small for its shares may have too many already; nobody is taken away.
        assert have[split] <= max(wanted[split], sum(before[m.path] == split for m in members if m.class_name == one))
        if more >= wanted["val"] + wanted["test"] + 1:
            assert have[split] >= wanted[split]


def test_another_seed_gives_another_split() -> None:
    members = [Member(f"{name}/{number}", name) for name in "ab" for number in range(50)]
    assert assign(members, Splitting(seed=0)) != assign(members, Splitting(seed=1))
    assert assign(members, Splitting(seed=0)) == assign(members, Splitting(seed=0))


def test_the_first_new_image_of_a_class_with_nothing_to_learn_from_is_for_training() -> None:
    members = [Member("a/0", "a", "val"), Member("a/1", "a")]
    assert assign(members, Splitting(0.5)) == {"a/1": "train"}


grouped = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 12)), min_size=1, max_size=80).map(
    lambda pairs: [Member(f"{name}/thing {thing}/{n}.jpg", name) for n, (name, thing) in enumerate(pairs)]
)


@given(grouped, splittings)
def test_groups_stay_together(members, splitting) -> None:
    splitting = Splitting(splitting.val, splitting.test, splitting.seed, BY_FOLDER)
    outcome = assign(members, splitting)
    assert set(outcome) == {member.path for member in members}
    splits: dict[str, set[str]] = {}
    for path, split in outcome.items():
        splits.setdefault(path.split("/")[1], set()).add(split)
    assert all(len(own) == 1 for own in splits.values())
    assert {m.class_name for m in members} == {m.class_name for m in members if outcome[m.path] == "train"}
    half = [Member(m.path, m.class_name, outcome[m.path] if n % 2 else "") for n, m in enumerate(members)]
    again = assign(half, splitting)
    kept = {member.path.split("/")[1]: member.split for member in half if member.split}
    assert all(split == kept.get(path.split("/")[1], split) for path, split in again.items()), (
        "new ones join their group"
    )


def test_groups_come_near_their_shares() -> None:
    members = [Member(f"{c}/thing {t}/{n}.jpg", c) for c in "ab" for t in range(40) for n in range(5)]
    for seed in range(5):
        outcome = assign(members, Splitting(0.2, 0.1, seed, BY_FOLDER))
        for name in "ab":
            have = Counter(outcome[m.path] for m in members if m.class_name == name)
            assert abs(have["val"] - 40) <= 10 and abs(have["test"] - 20) <= 10, have


@pytest.mark.parametrize(
    ("path", "group_by", "group"),
    [
        ("ants/jar 3/x.jpg", BY_FOLDER, "jar 3"),
        ("ants/x.jpg", BY_FOLDER, "ants/x.jpg"),
        ("train/ants/x.jpg", BY_FOLDER, "train/ants/x.jpg"),
        ("train/ants/jar 3/x.jpg", BY_FOLDER, "jar 3"),
        ("ants/P012_left.jpg", r"(P\d+)_", "P012"),
        ("ants/P012_left.jpg", r"P\d+", "P012"),
        ("ants/other.jpg", r"P\d+", "ants/other.jpg"),
    ],
)
def test_what_is_in_the_picture(path: str, group_by: str, group: str) -> None:
    assert group_of(path, group_by) == group


def test_no_regular_expression() -> None:
    with pytest.raises(SplitError, match="not a regular expression"):
        assign([Member("a/b", "a")], Splitting(group_by="("))
