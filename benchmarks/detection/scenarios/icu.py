"""Sepsis in hourly charting: Vigil's risk of deterioration beside partial NEWS2, on real labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.detection import scoring
from benchmarks.detection.peers.news2 import PartialNews2
from benchmarks.detection.peers.river_models import half_space_trees, loda
from benchmarks.detection.report import Aim, Cell, Chart, Curve, Miss, Options, Report, Table
from benchmarks.detection.scoring import Rate
from benchmarks.detection.sets import HOUR
from benchmarks.detection.split import GROUPS, Group
from benchmarks.detection.stays import (
    Alerts,
    Person,
    Scores,
    alerted_share,
    at,
    auroc,
    episodes,
    false,
    found,
    found_share,
    matched,
    people,
    precision,
    risks,
    scores,
)
from benchmarks.detection.vigil_alerts import alerts as paging
from benchmarks.detection.vigil_alerts import detect
from detectors.configuration.loading import DetectionConfig, from_tables

NAME = "icu"
URGENT, EMERGENCY = 5.0, 7.0
PROFILE = {"profile": "icu_charting"}
SUMMARY = (
    "`icu_hourly`, real labels: onset of sepsis. Warm-up 6 h; found: any alerted hour in [−12, 0] h"
    " of the onset; false: alert episodes, 12 h apart, of people without sepsis, a day of charted"
    " hours. NEWS2 carries values forward. AUROC: hours in [−12, 0] h against the other hours"
    ' before an onset and all of people without one. "Matched" rows choose a threshold on tune'
    " people, for the sensitivity of NEWS2 ≥ 5 there, and keep it for test people."
)
COLUMNS = (
    "detector", "people", "found", "median hours before onset",
    "false episodes per patient-day", "share of hours alerted, without sepsis",
    "share of alert episodes that are true",
)  # fmt: skip


AREA_COLUMNS = (
    "score", "tune", "test", "tune: against stays without sepsis alone", "test: the same",
)  # fmt: skip


def _in_group(crowd: Sequence[Person], group: Group) -> list[Person]:
    return [person for person in crowd if person.recording.group == group]


def _row(name: str, crowd: Sequence[Person], group: Group, alerts: Alerts) -> tuple[Cell, ...]:
    own = _in_group(crowd, group)
    hours = [
        (p.onset - at) / HOUR for p in own
        if p.onset is not None and (at := p.in_window(alerts[p.recording.patient_id])) is not None
    ]  # fmt: skip
    middle = scoring.middle(hours)
    early = None if middle is None else round(middle, 1)
    return (name, group, found(own, alerts), early, false(own, alerts),
            alerted_share(own, alerts), precision(own, alerts))  # fmt: skip


def run(options: Options) -> Report:
    """Risk, NEWS2, and what ships."""
    crowd = people()
    config = from_tables(PROFILE)
    news, risk = scores(crowd, PartialNews2), risks(crowd, config)
    scored = {"Vigil, risk of deterioration": risk, "partial NEWS2": news}
    if options.peers:
        scored["river HalfSpaceTrees"] = scores(crowd, lambda: half_space_trees(24))
        scored["river LODA"] = scores(crowd, lambda: loda(24))
    tune = _in_group(crowd, "tune")
    aimed = found_share(tune, at(tune, news, URGENT))
    announced = {
        "partial NEWS2 ≥ 5": at(crowd, news, URGENT),
        "partial NEWS2 ≥ 7": at(crowd, news, EMERGENCY),
        **{
            f"{name}, matched": at(crowd, own, matched(tune, own, aimed))
            for name, own in scored.items()
            if own is not news
        },
        **_shipped(crowd, config),
    }
    rows = tuple(
        _row(name, crowd, group, alerts) for name, alerts in announced.items() for group in GROUPS
    )
    areas = {
        name: {g: auroc(_in_group(crowd, g), own) for g in GROUPS} for name, own in scored.items()
    }
    apart = {
        name: {g: auroc(_in_group(crowd, g), own, earlier=False) for g in GROUPS}
        for name, own in scored.items()
    }
    tables = (
        Table("Onsets and false alerts", "real labels", COLUMNS, rows),
        Table("Hourly AUROC", "real labels", AREA_COLUMNS,
              tuple((name, area["tune"], area["test"], apart[name]["tune"], apart[name]["test"])
                    for name, area in areas.items())),
    )  # fmt: skip
    vigil = "Vigil, risk of deterioration"
    aims = (_aim(crowd, announced, f"{vigil}, matched"), _area_aim(areas[vigil]))
    chart = Chart(
        "icu",
        "icu_hourly: onsets of sepsis, test people",
        tuple(_curve(name, _in_group(crowd, "test"), own) for name, own in scored.items()),
    )
    lost = _misses(crowd, announced[f"{vigil}, matched"])
    return Report(NAME, SUMMARY, tables, aims, lost, charts=(chart,))


def _shipped(crowd: Sequence[Person], config: DetectionConfig) -> dict[str, Alerts]:
    """Vigil's own events, by the shipped profile of hourly charting."""
    events = {p.recording.patient_id: detect(p.recording, config) for p in crowd}
    kinds = {
        "Vigil, risk of deterioration as shipped": {"pattern_unusual"},
        "Vigil, early warning score as shipped": {"early_warning_score"},
    }
    return {
        name: {
            p.recording.patient_id: paging(
                events[p.recording.patient_id], p.recording.end, own
            ) for p in crowd
        }
        for name, own in kinds.items()
    }  # fmt: skip


def _aim(crowd: Sequence[Person], announced: dict[str, Alerts], name: str) -> Aim:
    text, reached = {}, {}
    for group in GROUPS:
        own = _in_group(crowd, group)
        ours, theirs = announced[name], announced["partial NEWS2 ≥ 5"]
        hit, their_hit = found(own, ours).value or 0.0, found(own, theirs).value or 0.0
        wrong, their_wrong = false(own, ours).value or 0.0, false(own, theirs).value or 0.0
        text[group] = f"found {hit:.3f} to {their_hit:.3f}, false {wrong:.3f} to {their_wrong:.3f}"
        reached[group] = hit >= their_hit - 0.005 and wrong <= their_wrong / 2
    what = "At the sensitivity of partial NEWS2 ≥ 5, half of its false episodes"
    return Aim(what, "Vigil to NEWS2 ≥ 5", text["tune"], text["test"], reached["test"])


def _area_aim(area: dict[Group, Rate]) -> Aim:
    shown = {group: f"{area[group].value or 0:.3f}" for group in GROUPS}
    reached = (area["test"].value or 0.0) >= 0.72
    return Aim("Hourly AUROC", "≥ 0.72", shown["tune"], shown["test"], reached)


def _curve(name: str, crowd: Sequence[Person], own: Scores) -> Curve:
    values = np.concatenate([own[p.recording.patient_id].scores for p in crowd])
    points = []
    for share in np.linspace(0.999, 0.5, 25):
        alerts = at(crowd, own, float(np.quantile(values, share)))
        wrong = [(len(episodes(p, alerts)), p.days) for p in crowd if p.onset is None]
        rate = sum(w[0] for w in wrong) / sum(w[1] for w in wrong)
        points.append((rate, found_share(crowd, alerts)))
    return Curve(name, tuple(points))


def _misses(crowd: Sequence[Person], alerts: Alerts) -> tuple[Miss, ...]:
    return tuple(
        Miss(p.recording.group, p.recording.patient_id, "onset of sepsis",
             "onset within the warm-up" if p.onset < p.first else "")
        for p in crowd
        if p.onset is not None and p.in_window(alerts[p.recording.patient_id]) is None
    )  # fmt: skip
