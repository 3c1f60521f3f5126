"""Checks of the language model: installed, complete, with its adapter, and loading."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec
from typing import TYPE_CHECKING

from cli.doctor.finding import Finding, State
from vigil.service.errors import UnavailableError
from vigil.service.extras import install_command

if TYPE_CHECKING:
    from vigil.service.settings import Settings

MODEL, ADAPTER = "language model", "adapter"
LOAD_SECONDS = 120.0
EXTRA = ("torch", "transformers", "gguf")


def language_model(settings: Settings) -> Iterator[Finding]:
    """Check the model that the settings name; start it where ``VIGIL_LLM`` is on."""
    lacking: State = "wrong" if settings.llm else "note"
    if settings.llm_endpoint:
        yield _endpoint(settings, lacking)
        return
    absent = [name for name in EXTRA if find_spec(name) is None]
    if absent:
        how_to_fix = install_command("llm")
        yield Finding(MODEL, lacking, f"not installed: {', '.join(absent)}", how_to_fix=how_to_fix)
        return
    try:
        found = [*(_other(settings) if settings.llm_model else _installed(settings))]
    except UnavailableError as error:
        part = ADAPTER if error.field == "explain/language_model/adapter" else MODEL
        yield Finding(part, lacking, error.message, how_to_fix=error.how_to_fix)
        return
    yield from found
    if settings.llm:
        yield _loads(settings)


def _endpoint(settings: Settings, lacking: State) -> Finding:
    """Check that the endpoint answers; neither its key nor its answer is shown."""
    from explain.language_model.endpoint import Endpoint
    from explain.language_model.reasons import FAILURE_REASONS, EndpointError

    key = settings.llm_endpoint_key.get_secret_value() if settings.llm_endpoint_key else ""
    where = f"{settings.llm_endpoint_model} at {settings.llm_endpoint}"
    try:
        Endpoint(settings.llm_endpoint or "", settings.llm_endpoint_model or "", key).reach()
    except EndpointError as error:
        why = f"{where}: {FAILURE_REASONS[error.reason]} ({error.detail})"
        how_to_fix = (
            "Check VIGIL_LLM_ENDPOINT, its model and key; alerts are sent with template texts."
        )
        return Finding(MODEL, lacking, why, how_to_fix=how_to_fix)
    return Finding(MODEL, "ok", f"{where}{_off(settings)}")


def _other(settings: Settings) -> Iterator[Finding]:
    from explain.language_model.files import local_identity

    if settings.llm_model:
        yield Finding(MODEL, "ok", f"{local_identity(settings.llm_model)}{_off(settings)}")


def _installed(settings: Settings) -> Iterator[Finding]:
    from explain.language_model.adapter import SHIPPED, adapter_identity, check_adapter
    from explain.language_model.files import SMOLLM2, check_gguf

    path = check_gguf(settings.model_dir)
    yield Finding(MODEL, "ok", f"{path}{_off(settings)}")
    manifest = check_adapter(SHIPPED, SMOLLM2.sha256)
    if manifest is None:
        yield Finding(
            ADAPTER, "note", "there is none: the model is untuned", how_to_fix="Reinstall Vigil."
        )
    else:
        yield Finding(ADAPTER, "ok", adapter_identity(manifest))


def _loads(settings: Settings) -> Finding:
    """Start it as the worker does, and stop it."""
    from explain.language_model.process import LanguageModelUnavailable, process_for_settings
    from explain.language_model.reasons import FAILURE_REASONS

    with closing(process_for_settings(settings, LOAD_SECONDS)) as process:
        try:
            process.start()
        except LanguageModelUnavailable as down:
            how_to_fix = "See the service's log; alerts are sent with template texts meanwhile."
            return Finding(
                "model process",
                "wrong",
                f"{FAILURE_REASONS[down.reason]} ({down})",
                how_to_fix=how_to_fix,
            )
        return Finding("model process", "ok", f"loads: {process.identity}")


def _off(settings: Settings) -> str:
    return "" if settings.llm else " (VIGIL_LLM is off)"
