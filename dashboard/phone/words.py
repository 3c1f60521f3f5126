"""The reviewed texts of the patient's page that are not messages: short, plain, one thing each.

English is here, every other locale in its catalogue (:mod:`dashboard.phone.locales`). The texts of
messages come from the alerts, in the patient's locale.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from functools import cache

from dashboard.phone import locales


@dataclass(frozen=True, slots=True)
class Words:
    """The texts of a locale."""

    locale: str
    app_name: str = "Vigil"
    page_title: str = "Your messages"
    skip: str = "Skip to your message"
    demonstration: str = "Demonstration. Not for care."
    simulated: str = "Simulated data. This is not about a real person."
    emergency: str = (
        "In an emergency, call your local emergency number now. Do not wait for an answer here."
    )
    limits: str = "A computer writes these messages from your readings. They are not a diagnosis."
    times_in: str = "Times are in:"

    unchecked: str = "Your readings are not being checked right now."
    maybe_unchecked: str = "Right now, your readings may not be checked."
    messages_late: str = "Right now, new messages may not reach you."
    unchecked_more: str = "Do not wait for a message. If you feel unwell, call for help."

    ongoing: str = "Not over yet"
    over: str = "Over"
    not_known: str = "Not known if it is over"
    what_to_do: str = "What to do"
    earlier: str = "Earlier messages"
    no_messages: str = "You have no messages."
    no_messages_more: str = "Your care team’s messages will show here."

    reply_heading: str = "Tell your care team"
    reply_ok: str = "I’m OK"
    reply_help: str = "I need help"
    reply_limits: str = "Your care team may not see your answer right away, or at night."
    your_answer: str = "You said:"
    sent: str = "Sent to your care team."
    not_seen: str = "Nobody has marked it as seen yet."
    seen: str = "Your care team marked this message as seen:"
    help_sent: str = "If you feel worse, or nobody comes back to you, call for help."

    notifications: str = "Notifications on this phone"
    notifications_why: str = (
        "Your phone can tell you when there is a new message. It says nothing about your health."
    )
    notifications_turn_on: str = "Turn on notifications"
    notifications_turn_off: str = "Turn off notifications"
    notifications_on: str = "Notifications are on."
    notifications_off: str = "Notifications are off."
    notifications_blocked: str = (
        "This browser blocks notifications. You can allow them in its settings."
    )
    notifications_failed: str = "That did not work. Please try again later."
    notifications_unsupported: str = (
        "This browser cannot show notifications. Please look here for messages."
    )
    notifications_iphone: str = (
        "On an iPhone or iPad, add this page to the Home Screen first. Open it from there."
    )
    notifications_not_set_up: str = (
        "Your ward does not send notifications. Please look here for messages."
    )
    notifications_need_script: str = "Notifications need JavaScript, which is off."

    leave_heading: str = "Stop using this phone"
    leave_why: str = (
        "Your messages will no longer show on this phone. You need a new link to return."
    )
    leave: str = "Stop using this phone"
    left_title: str = "This phone is disconnected"
    left: str = "It shows no messages any more. Ask your care team for a link to use it again."

    enrol_title: str = "Use this phone for your messages?"
    enrol_why: str = (
        "This link is for one person and works once. Go on only if your care team gave it to you."
    )
    enrol_what: str = "Whoever can unlock this phone can read your messages."
    enrol: str = "Use this phone"
    enrol_iphone: str = (
        "For notifications on an iPhone or iPad, copy this link. Add this page to the Home Screen."
        " Then open it there and paste the link."
    )
    used_title: str = "This link has been used"
    used: str = "Each link works once. If it was not you, tell your care team now."
    expired_title: str = "This link is too old"
    expired: str = "Ask your care team for a new one."
    unknown_title: str = "This link does not work"
    unknown: str = "Part of it may be missing. Copy all of it, or ask your care team for a new one."
    not_connected_title: str = "This phone is not connected yet"
    not_connected: str = "Open the link that your care team gave you, or paste it here."
    paste_label: str = "Your link"
    paste: str = "Go on"
    to_messages: str = "Open your messages"

    not_sent_title: str = "Your answer may not have been sent"
    not_sent: str = "We could not reach your care team’s system."
    send_again: str = "Send again:"
    unavailable_title: str = "We cannot show your messages now"
    unavailable: str = "Our system does not answer. This does not mean that you are well or unwell."
    try_again: str = "Try again"
    refused_title: str = "That did not work"
    refused: str = "Please go back to your messages and try again."
    offline_title: str = "You are offline"
    offline: str = "This phone has no connection, so new messages cannot show."
    offline_answer: str = "An answer that you just gave may not have been sent."


EN = Words("en")
_ASKED_FOR = re.compile(r"([a-z]{2,3})(?:-[a-z0-9]+)*\s*(?:;\s*q=([01](?:\.\d{1,3})?))?", re.I)
_LONGEST_HEADER = 500
RIGHT_TO_LEFT = frozenset({"ar", "fa", "he", "ur"})


def word_names() -> tuple[str, ...]:
    """The names of the texts that a locale translates."""
    return tuple(field.name for field in fields(Words) if field.name != "locale")


def message_context(name: str) -> str:
    """The context of a text in a catalogue."""
    return f"phone.{name}"


@cache
def words_for(locale: str) -> Words:
    """The texts of a locale; English where there is no catalogue.

    >>> words_for("xx").locale
    'en'
    """
    if locale not in locales.LOCALES:
        return EN
    translated = locales.catalogue_for(locale).translate
    return Words(
        locale,
        **{name: translated(message_context(name), getattr(EN, name)) for name in word_names()},
    )


def preferred_words(accept_language: str) -> Words:
    """The texts of the first language that a browser asks for and that exists (RFC 9110, 12.5.4).

    For pages that are shown before the phone is known.

    >>> preferred_words("fr-CA, en;q=0.3, es-MX;q=0.8").locale
    'es'
    """
    asked = _ASKED_FOR.findall(accept_language[:_LONGEST_HEADER])
    ranked = sorted(asked, key=lambda one: -float(one[1] or 1))
    wanted = (name.lower() for name, weight in ranked if float(weight or 1) > 0)
    return words_for(next((name for name in wanted if name in locales.LOCALES), EN.locale))


def text_direction(locale: str) -> str:
    """The direction of a locale's text, for the attribute ``dir``.

    >>> text_direction("ar"), text_direction("en")
    ('rtl', 'ltr')
    """
    return "rtl" if locale.partition("-")[0] in RIGHT_TO_LEFT else "ltr"
