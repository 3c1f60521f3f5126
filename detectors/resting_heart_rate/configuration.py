"""How the night-time resting heart rate is tracked over days."""

from __future__ import annotations

from detectors.configuration_section import Count, Hour, Positive, Section, Share

LONGEST_NIGHT = 12


class RestingConfig(Section, frozen=True):
    """How the night-time resting heart rate is tracked over days."""

    from_hour: Hour
    to_hour: Hour
    """Local hours between which the night is; from the second on it is judged."""
    least_hours: Positive
    ready_nights: Count
    reference_nights: Count
    wait_nights: Count
    keep_nights: Count
    recent_nights: Count
    prior_spread: Positive
    prior_nights: Count
    clip_spreads: Positive
    dead_band: Positive
    pair_spreads: Positive
    pair_days: Positive
    least_rise: Positive
    clear_spreads: Positive
    adopt_days: Positive
    anchor_nights: Count
    anchor_step: Positive
    drift_slack: Positive
    drift_threshold: Positive
    drift_rise: Positive
    shift_delta: Positive
    shift_threshold: Positive
    shift_alpha: Share
    shift_clear_spreads: Positive
    enabled: bool = True

    def __post_init__(self) -> None:
        """Refuse what contradicts itself.

        Raises:
            ValueError: reported by the configuration's reader with the table's name.
        """
        if not 1 <= self.hours <= LONGEST_NIGHT:
            raise ValueError("`from_hour` to `to_hour` must be 1 to 12 hours")
        if self.least_hours > self.hours:
            raise ValueError("`least_hours` is longer than the night")
        if self.clear_spreads >= self.pair_spreads:
            raise ValueError("`clear_spreads` must be under `pair_spreads`")
        if self.shift_clear_spreads >= self.dead_band:
            raise ValueError("`shift_clear_spreads` must be under `dead_band`")
        if self.ready_nights > min(self.reference_nights, self.anchor_nights):
            raise ValueError("`ready_nights` is more than `reference_nights` or `anchor_nights`")
        if self.anchor_nights > self.reference_nights:
            raise ValueError("`anchor_nights` is more than `reference_nights`")

    @property
    def hours(self) -> int:
        """How long the night is."""
        return (self.to_hour - self.from_hour) % 24
