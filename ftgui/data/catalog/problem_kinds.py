"""What can be wrong with images and classes: one place for its names, weight, words and ways out."""

from __future__ import annotations

from dataclasses import dataclass

from ftgui.protocol.problem import Problem, Severity

EXCLUDE = "exclude"
"""A fix that the window offers as a button: leave these images out of training."""
EXCLUDE_COPIES = "exclude copies"
"""Leave out all but one of each set of copies."""
EXCLUDE_TRAIN = "exclude train"
"""Leave out those for training; their likes that are for checking stay."""
READ_OTHERWISE = "read otherwise"
"""Choose what says the classes: folders, a table, file names."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Of problem."""

    severity: Severity
    words: str
    """After a count and `noun`, e.g. ``"3 images"`` + ``"cut off"``."""
    teaches: str
    """Why it matters, in a sentence or two."""
    fix: str = ""
    """In words."""
    action: str = ""
    """`EXCLUDE` and its like; empty: nothing that a button could do."""
    noun: str = "image"


KINDS: dict[str, Kind] = {
    "one-class": Kind("error", "needs two classes", "Telling things apart takes two.", noun="dataset"),
    "split": Kind(
        "error",
        "can't be split",
        "The validation images can't be drawn as the recipe says; until then all new images are for training.",
        "Press Change… beside Split, or correct the recipe.",
        noun="dataset",
    ),
    "truncated": Kind(
        "error",
        "cut off",
        "The file ends too early, as after a broken download.",
        "Get the file again; it is left out.",
    ),
    "damaged": Kind("error", "damaged", "It can't be decoded.", "Replace the file; it is left out of training."),
    "not-an-image": Kind(
        "error",
        "with non-image content",
        "The name says image, the content does not.",
        "Replace or delete the file; it is left out.",
    ),
    "empty": Kind(
        "error", "empty", "The file has 0 bytes, as after a broken copy.", "Get the file again; it is left out."
    ),
    "other-format": Kind(
        "error",
        "in a format ftgui can't read",
        "The file is meant for other programs, or its pixels have a number of bands or bits that ftgui can't read.",
        "Convert them to JPEG, PNG or TIFF; they are left out until then.",
    ),
    "no-access": Kind(
        "error",
        "without read permission",
        "You have no permission to read it.",
        "Give yourself permission to read it; it is left out.",
    ),
    "io-error": Kind(
        "error",
        "with read errors",
        "The drive or the network failed while it was read.",
        "Check the drive or the connection, then open the folder again; it is left out until then.",
    ),
    "no-file": Kind("warning", "other than a file", "A pipe, a socket or a device.", "Remove it.", noun="entry"),
    "needs-extra": Kind(
        "error",
        "needing an extra package",
        "Reading HEIC files requires pillow-heif.",
        "Install it with pip install pillow-heif; these images are left out until then.",
    ),
    "missing": Kind("error", "no longer there", "The file was moved or deleted.", "Put it back, or leave it out."),
    "too-large": Kind(
        "error", "too large", "Decoded, it would not fit into memory.", "Save it smaller; it is left out."
    ),
    "folder-unreadable": Kind("error", "can't be read", "You have no permission to list it.", noun="folder"),
    "bad-name": Kind("error", "with unreadable names", "The name is not valid text.", "Rename it.", noun="file"),
    "leak": Kind(
        "warning",
        "in more than one split",
        "The same image is used for training and for evaluation (val or test): the score then shows what "
        "was memorised, not what generalises.",
        "Leave out the copies in train.",
        EXCLUDE_TRAIN,
    ),
    "contradiction": Kind(
        "warning",
        "under two classes",
        "The same image with two labels: one of them is wrong, and the model learns both.",
        "Relabel or exclude the wrong ones.",
        EXCLUDE,
    ),
    "likely-wrong": Kind(
        "warning",
        "probably mislabelled",
        "The model is confident of another class. Often the label is wrong; if it is right, these are the images to learn from.",
        "Look at them one by one: relabel what is wrong, keep what is right.",
    ),
    "duplicate": Kind(
        "warning",
        "with duplicates",
        "Copies count double in training and in the score.",
        "Leave out all but one of each.",
        EXCLUDE_COPIES,
    ),
    "near-duplicate": Kind(
        "info",
        "nearly identical",
        "Resized, recompressed or a moment later: harmless within train, but they add little.",
        "Leave out all but one of each.",
        EXCLUDE_COPIES,
    ),
    "outside-class": Kind(
        "warning", "outside a class folder", "Its class is not known.", "Move it into its class's folder."
    ),
    "no-label": Kind(
        "warning",
        "without a class",
        "The table, or the file-name pattern, gives no class for it; it is left out.",
        "Add it to the table, or rename it like the others.",
    ),
    "listed-missing": Kind(
        "warning", "in the table without a file", "The table names a file that can't be found.", noun="line"
    ),
    "listed-twice": Kind("warning", "listed under two classes", "One of the two is wrong; the first counts."),
    "no-shared-class": Kind(
        "error",
        "sharing no class with train",
        "A class that is not learned can't be evaluated: every answer would be a mistake.",
        "Give both the same class names.",
        noun="split",
    ),
    "table-refused": Kind(
        "warning",
        "that can't be used",
        "A table beside the images does not give exactly one class for each.",
        noun="table",
    ),
    "class-unknown": Kind("warning", "can't be learned", "It has no image to train on.", noun="class"),
    "class-too-small": Kind("warning", "with few images", "Too few to learn what it looks like.", noun="class"),
    "imbalance": Kind(
        "warning",
        "far smaller than others",
        "The model may learn to answer with the most frequent class.",
        "Set “Classes of unequal size” in the recipe to “weight rare classes” or “oversample rare classes”, or add images.",
        noun="class",
    ),
    "class-brightness": Kind(
        "warning",
        "of unusual brightness",
        "The model may learn the lighting instead of the object: a shortcut that fails elsewhere.",
        "Add images of it in different light, or set “Variation” under Augmentation to “strong”.",
        noun="class",
    ),
    "class-size": Kind(
        "warning",
        "of unusual image size",
        "Sharpness or cropping may give the class away: a shortcut that fails elsewhere.",
        "Take all images in the same way, or resize them all to the same size.",
        noun="class",
    ),
    "tiny": Kind(
        "warning",
        "tiny",
        "They are so small that little is left to recognise at the model's input size.",
        "Replace them with larger ones, or leave them out.",
        EXCLUDE,
    ),
    "extreme-aspect": Kind(
        "warning",
        "very long or wide",
        "The model sees the middle square; most of the image is cropped away.",
        "Crop them, or leave them out.",
        EXCLUDE,
    ),
    "hardly-seen": Kind(
        "warning",
        "nearly black or white",
        "An image with more than 8 bits whose values lie outside the dataset's intensity range: neither you nor "
        "the model can see "
        "what it shows.",
        "Change the intensity range below the classes, or leave them out.",
        EXCLUDE,
    ),
    "animation": Kind(
        "info",
        "animated",
        "Only the first frame is used, here and in training.",
        "Leave them out if they are banners or graphics.",
        EXCLUDE,
    ),
    "hidden-folder": Kind(
        "warning",
        "hidden",
        "Its name begins with a dot, so it is left out.",
        "Rename it if it is a class.",
        noun="folder",
    ),
    "photo-library": Kind(
        "warning",
        "managed by a photo program",
        "It holds every image in several sizes.",
        "Export the images from that program.",
        noun="folder",
    ),
    "names-joined": Kind(
        "info",
        "with several spellings",
        "Names that differ only in case, spaces or the encoding of accents are treated as one class.",
        noun="class",
    ),
    "reading": Kind(
        "info",
        "about the classes",
        "Says where the classes come from (folders, a table or file names), and what was not used.",
        "If that is wrong, choose another way to read it.",
        READ_OTHERWISE,
        noun="note",
    ),
    "wrong-extension": Kind("info", "with the wrong file extension", "It is read anyway."),
    "repaired": Kind(
        "info", "slightly damaged, but read", "Every pixel is there; other programs may refuse to open the file."
    ),
    "other-picture": Kind(
        "warning",
        "in a format ftgui can't read",
        "Camera raw files, drawings, scientific files, videos: files for other programs.",
        "Export them as JPEG, PNG or TIFF; they are ignored until then.",
        noun="file",
    ),
    "other-file": Kind("info", "with no image in it", "It is ignored.", noun="file"),
}
"""Kind of a `Problem` -> what to say about it, worst first."""

ORDER = {kind: number for number, kind in enumerate(KINDS)}


@dataclass(frozen=True, slots=True)
class Group:
    """All problems of one kind."""

    kind: str
    count: int
    examples: tuple[Problem, ...]
    """At most `problem_groups.MOST_EXAMPLES`."""
    images: bool
    """It is about images of the catalog, which can be shown."""
