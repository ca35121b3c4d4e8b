"""Finding the file that a table means."""

from __future__ import annotations

from ftgui.data.scanning.file_index import FileIndex


def test_many_names_at_once_mean_what_each_means_alone() -> None:
    index = FileIndex(["a/1.jpg", "a/2.JPG", "b/3.jpg"])
    for written in (["a/1.jpg", "b/3.jpg"], ["1.jpg", "2.JPG", "3.jpg"], ["3.jpg", "3.jpg"]):
        assert index.exact(written) == [index.find(name) for name in written]
    for odd in (["2.jpg"], ["1"], ["b/1.jpg"], ["1.jpg", ""], ["A/1.jpg"]):
        assert index.exact(odd) is None
    twice = FileIndex(["a/1.jpg", "b/1.jpg", "b/2.jpg"])
    assert twice.exact(["2.jpg"]) is None and twice.exact(["b/1.jpg"]) == ["b/1.jpg"] and twice.find("1.jpg") is None


def test_of_two_files_of_one_name_neither_is_meant() -> None:
    index = FileIndex({"a/1.jpg", "b/1.jpg", "b/2.jpg"})
    assert index.find("1.jpg") is None and index.find("2") == "b/2.jpg" and index.find("a/1.jpg") == "a/1.jpg"
