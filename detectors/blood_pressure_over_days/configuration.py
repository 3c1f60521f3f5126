"""How blood pressure is averaged over days, and what an average means."""

from __future__ import annotations

from typing import Literal

from detectors.configuration_section import Count, Positive, Section

Guideline = Literal["esc_2024", "aha_acc_2025", "aap_2017"]


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

    def category_of(self, systolic: float, diastolic: float | None) -> str:
        """The highest category that an average belongs to; empty: none.

        Args:
            diastolic: None: not measured; the systolic pressure decides.
        """
        found = ""
        for category in self.categories:
            limit = category.diastolic
            reached = limit is not None and diastolic is not None and diastolic >= limit
            if systolic >= category.systolic or reached:
                found = category.name
        return found


class Spread(Section, frozen=True):
    """How much one person's daily means differ from day to day, mmHg (standard deviation)."""

    systolic: Positive
    diastolic: Positive


class Sparse(Section, frozen=True):
    """The average of somebody who measures less often than a home protocol asks for."""

    window_days: Count
    """Nothing older counts."""
    least_span_days: Count
    """From the first day of an average to its last, both counted."""
    least_days: Count
    """Days with a reading."""
    least_readings: Count
    enough_days: Count
    """As soon as an average is as certain as that of so many steady days, no older one counts."""
    series_days: Count
    """After a longer pause nothing before it counts."""
    standard_errors: Positive
    """So many above the limit the average must lie: few readings say less."""
    least_spread: Spread
    """The spread of days is never taken as narrower."""
    enabled: bool = True

    def __post_init__(self) -> None:
        """Refuse what contradicts itself.

        Raises:
            ValueError: reported by the configuration's reader with the table's name.
        """
        if not self.least_days <= min(self.least_readings, self.enough_days):
            raise ValueError("`least_days` is more than `least_readings` or `enough_days`")
        if self.least_span_days > self.window_days or self.series_days > self.window_days:
            raise ValueError("`least_span_days` or `series_days` is more than `window_days`")


class PressureDaysConfig(Section, frozen=True):
    """How blood pressure is averaged over days."""

    guideline: Guideline
    window_days: Count
    least_days: Count
    least_readings: Count
    clear_margin: Positive
    alone_seconds: Positive
    """A sitting at night counts where nothing was measured for so long before it."""
    sitting_seconds: Positive
    """Readings so near to each other are one sitting."""
    guidelines: dict[Guideline, Categories]
    sparse: Sparse
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
        if self.sparse.window_days < self.window_days:
            raise ValueError("`sparse.window_days` is less than `window_days`")
