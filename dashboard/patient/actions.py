"""Actions of people about an alert: checked, published on ``vitals.actions``, then answered.

The answer confirms that the broker has the action, not that the board shows it: it comes back
through the store, like everyone else's actions.
"""

from __future__ import annotations

from hmac import compare_digest
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Header
from fastapi.responses import JSONResponse
from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from dashboard.auth.session_lookup import SESSION
from store.episodes import board
from vigil.contracts.wire import to_message
from vigil.domain import ids
from vigil.domain.action import Action
from vigil.service.errors import UnavailableError
from vigil.values.text import Line, Lines

if TYPE_CHECKING:
    from dashboard.shell.context import WebContext

UNAVAILABLE = "{} does not answer, so nothing was recorded. Try again in a moment."


class ActionRequest(BaseModel):
    """The body of ``POST /board/actions``."""

    model_config = ConfigDict(extra="forbid")

    episode_id: Line = Field(
        min_length=1, max_length=128, validation_alias=AliasChoices("episode_id", "event_id")
    )
    """A page that was open during an upgrade sends ``event_id``, for one release."""
    verb: Literal["acknowledge", "comment", "useful", "false_alarm"]
    comment: Lines = Field("", max_length=1000)


def _refused(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": message}, status)


async def record_action(context: WebContext, request: ActionRequest) -> JSONResponse:
    """Publish an action of the signed-in user, and answer when the broker has it."""
    comment = request.comment.strip()
    if request.verb == "comment" and not comment:
        return _refused(422, "Write something first.")
    async with context.database() as connection:
        patient_id = await board.patient_of(connection, request.episode_id)
    if patient_id is None:
        return _refused(404, "There is no such episode.")
    actor, now = SESSION.get().user_id, context.clock()
    seed = ("action", request.episode_id, actor, request.verb, comment, ids.timestamp(now))
    action = Action(
        action_id=ids.derive(*seed),
        episode_id=request.episode_id,
        patient_id=patient_id,
        actor=actor,
        verb=request.verb,
        time=now,
        comment=comment,
    )
    await context.publish([to_message(action, "dashboard")])
    return JSONResponse({"action_id": action.action_id}, 202)


def routes(context: WebContext) -> APIRouter:
    """``POST /board/actions``."""
    router = APIRouter(include_in_schema=False)

    @router.post("/board/actions")
    async def post_action(
        request: ActionRequest, x_vigil_csrf: Annotated[str, Header()] = ""
    ) -> Any:
        if not compare_digest(SESSION.get().csrf.encode(), x_vigil_csrf.encode()):
            return _refused(403, "This page is from an earlier sign-in. Reload it.")
        try:
            return await record_action(context, request)
        except UnavailableError as error:
            by_broker = error.code.startswith("unavailable.broker")
            part = "The message system" if by_broker else "The database"
            return _refused(503, UNAVAILABLE.format(part))

    return router
