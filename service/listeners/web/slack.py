"""The text of a payload in Slack's form, which monitors send to webhooks. Pure; knows no HTTP and stores nothing.

The facts are in Slack's documentation: "Sending messages using incoming webhooks", "Formatting text for app surfaces",
"Reference: secondary message attachments".
"""

from __future__ import annotations

import re
from typing import Final

import msgspec
from msgspec import Struct

# A link is <address> or <address|label>; &, < and > of a text are written as entities. Other things in angle brackets,
# such as <!here> and <@U123>, mean nothing here, and stay.
_LINK: Final = re.compile(r"<((?:https?|mailto):[^<>|\s]+)(?:\|([^<>]*))?>")
_ENTITY: Final = re.compile("&(amp|lt|gt);")
_MEANT: Final = {"amp": "&", "lt": "<", "gt": ">"}


class Attachment(Struct):
    """What may stand beside the text: the first of these that is not empty says what it is."""

    fallback: str | None = None  # made for those who show text alone
    text: str | None = None
    title: str | None = None
    pretext: str | None = None

    def __str__(self) -> str:
        return self.fallback or self.text or self.title or self.pretext or ""


class Payload(Struct):
    """The fields that say something; who it is from, where to, colours and buttons are left out."""

    text: str | None = None
    attachments: list[Attachment] | None = None


_DECODER: Final = msgspec.json.Decoder(Payload)


def read_payload(body: bytes) -> str:
    """Returns the text of a payload, and those of its attachments in lines below; empty if it has none.

    Raises ValueError, which says what is wrong.
    """
    try:
        payload = _DECODER.decode(body)
    except RecursionError:
        raise ValueError("JSON is malformed: too many brackets") from None
    texts = (payload.text or "", *map(str, payload.attachments or ()))
    return "\n".join(show_plainly(text) for text in texts if text)


def show_plainly(text: str) -> str:
    """Returns a text in Slack's form as people read it."""
    return _ENTITY.sub(lambda entity: _MEANT[entity[1]], _LINK.sub(_show_link, text))


def _show_link(link: re.Match[str]) -> str:
    address, label = link.groups()
    return f"{label} ({address})" if label and label != address else str(address)
