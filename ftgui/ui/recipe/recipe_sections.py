"""What all phases share: training settings and augmentation."""

from __future__ import annotations

from PySide6.QtCore import Slot

from ftgui.base.formatting import plural
from ftgui.protocol.problem import Problem
from ftgui.protocol.recipe import AUGMENTATIONS, AUTOMATIC, BALANCES, Recipe
from ftgui.protocol.views import MOST_VIEWS
from ftgui.ui.project.recipe_editor import RecipeEditor
from ftgui.ui.toolkit.collapsible_section import Section
from ftgui.ui.toolkit.form_fields import AmountField, Choice, ChoiceField, CountField, Field
from ftgui.ui.toolkit.theme import Theme

_AUGMENTATION_TIPS = {
    "none": "every image always looks the same; the model may memorise it.",
    "light": "flips and mild crops; for images where place and size matter.",
    "standard": "flips and crops; right for most photographs.",
    "strong": "smaller crops, and colours too; for few images and many epochs. Learning takes longer.",
}
_BALANCE_CHOICES = {
    "none": ("as they are", "every image counts the same."),
    "loss": ("weight rare classes", "a mistake on a rare class counts more."),
    "sampler": ("oversample rare classes", "images of rare classes are seen more often; they may be memorised."),
}


_VIEWS = (1, 2, 4, 8, 16, 32, 64)


class FormSection(Section):
    """A section whose fields are fields of the recipe, by their names there (``"training.warmup"``, ``"seed"``)."""

    def __init__(self, title: str, tip: str, plan: RecipeEditor, theme: Theme) -> None:
        super().__init__(title, tip, theme)
        self._recipe_editor = plan
        self.fields: dict[str, Field] = {}

    def add(self, name: str, field: Field) -> None:
        """Show a field; editing it edits the plan."""
        field.setObjectName(name)
        field.edited.connect(self._edited)
        self.fields[name] = field
        self.add_field(field)

    def show_recipe(self, recipe: Recipe, problems: dict[str, Problem]) -> None:
        """Values and what is wrong with them."""
        for name, field in self.fields.items():
            section, _, own = name.rpartition(".")
            field.show_value(getattr(getattr(recipe, section) if section else recipe, own))
            field.show_problem(problems.get(name))
        self.show_problems([problems[name] for name in self.fields if name in problems])

    def lock(self, why: str) -> None:
        """Nothing can be edited, for a reason; empty: it can."""
        for field in self.fields.values():
            field.lock(why)

    @Slot(object)
    def _edited(self, value: object) -> None:
        section, _, name = self.sender().objectName().rpartition(".")
        self._recipe_editor.change(section, name, value)


class TrainingSection(FormSection):
    """Batch size, regularisation, early stopping, chance."""

    def __init__(self, plan: RecipeEditor, theme: Theme) -> None:
        super().__init__("Training", "What all phases share. The defaults suit most datasets.", plan, theme)
        self._add_steps(theme)
        self._add_caution(theme)
        self.add(
            "training.balance",
            ChoiceField(
                "Classes of unequal size",
                "What to do if some classes have far more images than others.",
                theme,
                [Choice(value, *_BALANCE_CHOICES[value]) for value in BALANCES],
            ),
        )
        tip = (
            "Seed of all random numbers: order of the images, crops, the head's initial weights.\n"
            "The same seed repeats a run; a different one shows how much was luck."
        )
        self.add("seed", CountField("Seed", tip, theme, 0, 2**31 - 1))

    def _add_steps(self, theme: Theme) -> None:
        tip = (
            "Images per optimizer step. Too small: steps are noisy and slow. Too large: fewer steps, more memory;\n"
            "it may not fit. 16 to 64 suits hundreds to thousands of images."
        )
        self.add("training.batch_size", CountField("Batch size", tip, theme, 1, 4096, " images"))
        tip = (
            "Share of each phase over which the rate rises from near 0. Small first steps keep a random head\n"
            "from doing harm. Too long: time is lost at rates that teach little."
        )
        unit = " % of a phase"
        self.add(
            "training.warmup",
            AmountField("Warm-up", tip, theme, 0, 90, step=5, decimals=1, unit=unit, scale=100),
        )
        tip = (
            "A phase ends after this many epochs without a better validation score: more would only memorise.\n"
            "Too low: it may end at a bad moment. 0: never."
        )
        self.add("training.early_stop", CountField("Stop early after", tip, theme, 0, 999, " epochs", "never"))

    def _add_caution(self, theme: Theme) -> None:
        tip = (
            "Pulls all weights a little towards 0 with every step, which works against memorising. 0.01 to 0.1 is usual.\n"
            "Too high: the model can't learn. 0: off."
        )
        self.add(
            "training.weight_decay",
            AmountField("Weight decay", tip, theme, 0, 1, step=0.01, decimals=4),
        )
        tip = (
            "How much doubt the targets contain: at 10 %, the target of the true class is 90 %. Helps with few "
            "or mislabelled images.\n"
            "Too high: answers become vague."
        )
        self.add(
            "training.label_smoothing",
            AmountField("Label smoothing", tip, theme, 0, 50, step=5, decimals=1, unit=" %", scale=100),
        )
        tip = (
            "Evaluate and keep an average of the weights over the last steps, not the last weights: steadier, "
            "often a little better.\n"
            "It should span fewer steps than a phase has, or it lags behind."
        )
        choices = [
            Choice(decay, f"{decay:g} (≈ {round(1 / (1 - decay)):,} steps)") for decay in (0.9, 0.99, 0.999, 0.9999)
        ]
        self.add("training.ema", ChoiceField("Weight average (EMA)", tip, theme, [Choice(0.0, "off"), *choices]))
        tip = (
            "Let torch.compile turn the model into one program. Works only on a CUDA device, and only if every epoch goes\n"
            "through the whole model. Each phase starts about a minute later and then takes less time: worth it for long runs."
        )
        self.add(
            "training.compile", ChoiceField("Compile", tip, theme, [Choice(False, "off"), Choice(True, "on CUDA")])
        )

    def show_recipe(self, recipe: Recipe, problems: dict[str, Problem]) -> None:
        super().show_recipe(recipe, problems)
        stop = recipe.training.early_stop
        patience = f"stops early after {stop}" if stop else "never stops early"
        self.say(f"{plural(recipe.training.batch_size, 'image')} a step · {patience}")


class AugmentationSection(FormSection):
    """How training images are varied."""

    def __init__(self, plan: RecipeEditor, theme: Theme) -> None:
        tip = "How training images are varied, so that the model learns what stays the same."
        super().__init__("Augmentation", tip, plan, theme)
        choices = [Choice(preset, preset, _AUGMENTATION_TIPS[preset]) for preset in AUGMENTATIONS]
        self.add("augmentation.preset", ChoiceField("Variation", tip, theme, choices))
        tip = (
            "The frozen part is computed once for each view of an image and kept. More views: more variety, more memory,\n"
            "a longer start."
        )
        choices = [
            Choice(AUTOMATIC, "automatic", f"{MOST_VIEWS} for a small set, fewer for more than 2,000 images."),
            Choice(0, "fresh every time", "nothing is cached; every epoch is slower."),
            *(Choice(number, f"{number} per image") for number in _VIEWS),
        ]
        self.add("augmentation.views", ChoiceField("Cached views", tip, theme, choices))

    def show_recipe(self, recipe: Recipe, problems: dict[str, Problem]) -> None:
        super().show_recipe(recipe, problems)
        views = recipe.augmentation.views
        said = "automatic views" if isinstance(views, str) else plural(views, "view") if views else "fresh every time"
        self.say(f"{recipe.augmentation.preset} · {said}")
