"""How blood pressure is averaged over days, and what an average means."""

from __future__ import annotations

from typing import Literal

from detectors.configuration_section import Count, Positive, Section

Guideline = Literal["esc_2024", "aha_acc_2025"]


class Category(Section, frozen=True):
    """An average belongs here from either pressure on; the higher category wins."""

    name: str
    systolic: Positive
    diastolic: Positive | None = None
    """None: the diastolic pressure does not lead here."""


class Categories(Section, frozen=True):
    """A guideline's categories of the average at home, the lowest first."""

    raised: str
    """The category from which an average is announced."""
    categories: tuple[Category, ...]

    def __post_init__(self) -> None:
        """Refuse what contradicts itself.

        Raises:
            ValueError: reported by the configuration's reader with the table's name.
        """
        if self.raised not in [category.name for category in self.categories]:
            raise ValueError(f"`raised` {self.raised!r} is none of its categories")
        if self.limits.diastolic is None:
            raise ValueError(f"the category {self.raised!r} needs a diastolic limit")
        if list(self.categories) != sorted(self.categories, key=lambda row: row.systolic):
            raise ValueError("`categories` must rise")

    @property
    def limits(self) -> Category:
        """The category from which an average is announced."""
        return next(category for category in self.categories if category.name == self.raised)

    def category_of(self, systolic: float, diastolic: float) -> str:
        """The highest category that an average belongs to; empty: none."""
        found = ""
        for category in self.categories:
            low = category.diastolic is None or diastolic < category.diastolic
            if systolic >= category.systolic or not low:
                found = category.name
        return found


class PressureDaysConfig(Section, frozen=True):
    """How blood pressure is averaged over days."""

    guideline: Guideline
    window_days: Count
    least_days: Count
    least_readings: Count
    clear_margin: Positive
    guidelines: dict[Guideline, Categories]
    enabled: bool = True

    def __post_init__(self) -> None:
        """Refuse what contradicts itself.

        Raises:
            ValueError: reported by the configuration's reader with the table's name.
        """
        if self.guideline not in self.guidelines:
            raise ValueError(f"`guideline` {self.guideline!r} has no table")
        if self.least_days > self.window_days:
            raise ValueError("`least_days` is more than `window_days`")
