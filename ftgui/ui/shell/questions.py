"""Questions to the person before something that can't be taken back; none blocks the window's event loop."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QAbstractButton, QMessageBox, QWidget

from ftgui.base.formatting import duration, plural
from ftgui.data.catalog.errors import CatalogDamaged
from ftgui.data.moved_dataset import MovedProject
from ftgui.data.project_lock import TERMINAL, ProjectHeld
from ftgui.data.scanning.found import ImagesGoneError
from ftgui.ui.project.access import Entry
from ftgui.ui.project.long_run import LongRunOffer


class Choice(QMessageBox):
    """One question, its answers on buttons, and “Cancel”; not modal for other programs, deleted when answered.

    Args:
        title: the question.
        text: what is so, and what each answer does.
        answers: words and what happens then; the first is what Enter does.
        parent: the window.
        cancel: words of the button that does nothing; Escape does the same.
    """

    answered = Signal()

    def __init__(
        self, title: str, text: str, answers: dict[str, Callable[[], None]], parent: QWidget, cancel: str = "Cancel"
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("ftgui")
        self.setText(title)
        self.setInformativeText(text)
        self._answers: dict[QAbstractButton, Callable[[], None]] = {
            self.addButton(words, QMessageBox.ButtonRole.AcceptRole): do for words, do in answers.items()
        }
        self.setDefaultButton(next(iter(self._answers)))  # type: ignore[call-overload]
        self.setEscapeButton(self.addButton(cancel, QMessageBox.ButtonRole.RejectRole))
        self.buttonClicked.connect(self._clicked)

    @Slot(QAbstractButton)
    def _clicked(self, button: QAbstractButton) -> None:
        if button in self._answers:
            self._answers[button]()
        self.answered.emit()


def ask_about_held(held: ProjectHeld, enter: Callable[[Entry], None], parent: QWidget) -> Choice:
    """The project is in use elsewhere.

    Args:
        held: says where.
        enter: takes the person's answer.
        parent: the window.
    """
    text = "“View only” shows images, runs and models as they are; nothing can be changed or trained here."
    answers: dict[str, Callable[[], None]] = {"View only": lambda: enter(Entry.LOOK)}
    if held.by.doing != TERMINAL:
        text += " “Take over” makes this the window that edits and trains; the other can then only view."
        answers["Take over"] = lambda: enter(Entry.TAKE_OVER)
    return Choice(str(held), text, answers, parent)


def ask_about_gone(gone: ImagesGoneError, find: Callable[[], None], parent: QWidget) -> Choice:
    """The images of a project are not where they were.

    Args:
        gone: says where.
        find: lets the person say where they are.
        parent: the window.
    """
    text = (
        f"This project knows {plural(gone.images, 'image')} in {gone.root}. If their drive is not connected, connect it. If the "
        "folder was moved, say where it is now.\n\nNothing is lost: labels, exclusions, split and runs are kept."
    )
    return Choice(f"“{gone.root.name}” is gone.", text, {"Find it…": find}, parent, cancel="Later")


def ask_about_moved(
    moved: MovedProject, go_on: Callable[[], None], anew: Callable[[], None], parent: QWidget
) -> Choice:
    """What is to be opened looks like the dataset of a project that was elsewhere.

    Args:
        moved: says which.
        go_on, anew: take the person's answer.
        parent: the window.
    """
    runs = f" and {plural(moved.runs, 'run')}" if moved.runs else ""
    text = (
        f"Its images were in {moved.before} and are no longer there; the project knows {plural(moved.images, 'image')}{runs}.\n\n"
        "“Continue with it” keeps labels, exclusions, split and runs. “Start over” makes a new project and "
        "leaves the old one as it is."
    )
    title = f"This looks like “{moved.before.name}”, moved."
    return Choice(title, text, {"Continue with it": go_on, "Start over": anew}, parent)


def ask_about_damage(error: CatalogDamaged, anew: Callable[[], None], parent: QWidget) -> Choice:
    """A project's catalog can't be understood.

    Args:
        error: says why.
        anew: makes a new one.
        parent: the window.
    """
    text = (
        f"{error.why}\n\n“Make a new one” scans the images again and keeps the damaged file beside it. Images, runs and "
        "models are not touched. What was relabelled or excluded in this project is lost; a run's samples.csv records how it "
        "was at that time."
    )
    return Choice("This project's catalog is damaged.", text, {"Make a new one": anew}, parent)


def ask_about_closing(run: int, stop: Callable[[], None], parent: QWidget) -> Choice:
    """A training runs while the window is to be closed.

    Args:
        run: its number.
        stop: stops it and closes then.
        parent: the window.
    """
    return Choice(
        f"Run {run} is training.",
        "It can be stopped after the current step: what it has learned is kept, and next time it can continue from there as if "
        "it had never stopped.",
        {"Stop and close": stop},
        parent,
        cancel="Keep training",
    )


def ask_about_long_run(
    offer: LongRunOffer,
    cheaper: Callable[[LongRunOffer], None],
    anyway: Callable[[LongRunOffer], None],
    parent: QWidget,
) -> Choice:
    """A training takes long.

    Args:
        offer: how long, and a cheaper way if there is one.
        cheaper, anyway: take the person's answer.
        parent: the window.
    """
    text = "These are estimates for this device if no phase ends early. Training can be stopped and continued later."
    answers: dict[str, Callable[[], None]] = {}
    if offer.way is not None:
        time = duration(offer.way_seconds)
        text = f"It can be done in about {time}. {offer.way.words} Ctrl+Z brings the current recipe back.\n\n{text}"
        answers[f"Train for about {time}"] = lambda: cheaper(offer)
    answers["Train anyway"] = lambda: anyway(offer)
    return Choice(f"This training will take about {duration(offer.seconds)}.", text, answers, parent)
