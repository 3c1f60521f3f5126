"""What ``[plugins.NAME]`` must hold to beyond its types."""

from __future__ import annotations

from math import isfinite

from detectors.configuration.checks import check_episode, check_kind, check_signal, refused
from detectors.configuration.patient import PatientConfig
from detectors.river_plugin.configuration import PluginConfig
from detectors.river_plugin.detector import Judge
from vigil.domain.signals import NAMES


def check_plugins(config: PatientConfig, source: str) -> None:
    """Refuse a plug-in that cannot be made, contradicts itself, or is too large.

    Raises:
        SettingsError: naming the table and how to fix it.
    """
    for name, plugin in config.plugins.items():
        where = f"{source}: [plugins.{name}]"
        _check_signals(config, plugin, where)
        check_kind(plugin.kind, where)
        check_episode(config, plugin.kind, where)
        try:
            judge = Judge(name, plugin)
        except ValueError as error:
            raise refused(where, str(error)) from None
        _check_figures(judge, where)
        size = judge.rehearse()
        if size > plugin.largest_bytes:
            why = f"its state takes {size:,} bytes a patient; `largest_bytes` allows "
            raise refused(
                where, f"{why}{plugin.largest_bytes:,}: raise it or choose smaller figures"
            )


def _check_signals(config: PatientConfig, plugin: PluginConfig, where: str) -> None:
    if not plugin.signals or len(set(plugin.signals)) != len(plugin.signals):
        raise refused(where, "`signals` needs one signal or more, each once")
    for signal in plugin.signals:
        check_signal(signal, NAMES, where)
        usual = config.baseline.signals.get(signal)
        if plugin.input == "residuals" and (usual is None or not usual.enabled):
            raise refused(where, f"`residuals` of {signal} need [baseline.signals.{signal}]")


def _check_figures(judge: Judge, where: str) -> None:
    """What one kind of detector needs is nothing to another."""
    plugin = judge.plugin
    scored = not (judge.drift or judge.decides)
    if scored != (plugin.threshold is not None):
        why = "needs `threshold`" if scored else "takes no `threshold`: it decides itself"
        raise refused(where, why)
    if plugin.threshold is not None:
        clear = plugin.threshold if plugin.clear is None else plugin.clear
        if not (isfinite(plugin.threshold) and clear <= plugin.threshold):
            raise refused(where, "`threshold` must be finite, and `clear` not above it")
    elif plugin.clear is not None:
        raise refused(where, "takes no `clear`: it decides itself")
    if judge.binary != (plugin.event_above is not None):
        why = "needs `event_above`" if judge.binary else "takes no `event_above`"
        raise refused(where, f"{why} (river.drift.binary only)")
    if judge.drift and (len(plugin.signals) > 1 or plugin.seconds >= plugin.hold_seconds):
        raise refused(
            where, "a drift detector takes one signal, and `seconds` under `hold_seconds`"
        )
