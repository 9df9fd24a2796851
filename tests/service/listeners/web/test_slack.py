"""service/listeners/web/slack.py: the text of a payload in Slack's form."""

from __future__ import annotations

import json
from typing import Any

import pytest

from service.listeners.web.slack import read_payload, show_plainly

# What each of these sends, by its documentation: fields that say nothing of use here are among them.
GRAFANA: dict[str, Any] = {
    "channel": "#alerts",
    "username": "Grafana",
    "icon_url": "https://grafana.example/icon.png",
    "attachments": [
        {
            "color": "#D63232",
            "title": "[FIRING:1] DiskFull node1 (storage)",
            "title_link": "https://grafana.example/alerting/list",
            "text": "**Firing**\n\nValue: A=97.2\nLabels:\n - alertname = DiskFull\n",
            "fallback": "[FIRING:1] DiskFull node1 (storage)",
            "footer": "Grafana v11.1.0",
            "footer_icon": "https://grafana.example/fav32.png",
            "ts": 1764471600,
        }
    ],
}
ALERTMANAGER: dict[str, Any] = {
    "channel": "#alerts",
    "username": "Alertmanager",
    "attachments": [
        {
            "title": "[RESOLVED] HighLoad (node1 critical)",
            "title_link": "https://alertmanager.example/#/alerts?receiver=chat",
            "text": "",
            "fallback": "[RESOLVED] HighLoad (node1 critical) | https://alertmanager.example/#/alerts?receiver=chat",
            "callback_id": "",
            "footer": "",
            "color": "good",
            "mrkdwn_in": ["fallback", "pretext", "text"],
        }
    ],
}
GITLAB: dict[str, Any] = {
    "text": "",
    "username": "GitLab",
    "attachments": [
        {
            "fallback": "<https://gitlab.example/lab/tool|lab/tool>: Pipeline "
            "<https://gitlab.example/lab/tool/-/pipelines/7|#7> of branch <https://gitlab.example/lab/tool/-/"
            "commits/main|main> by Zoe (zoe) has failed in 01:10",
            "color": "danger",
            "fields": [{"title": "Branch", "value": "<https://gitlab.example/x|main>", "short": True}],
            "actions": [],
            "ts": 1764471600,
        }
    ],
}
GITHUB_ACTION: dict[str, Any] = {
    "text": "Build *failed*: <https://github.example/lab/tool/pull/4|Mend &lt;b&gt; &amp; co>",
    "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "Build failed"}}],
}


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        pytest.param(GRAFANA, "[FIRING:1] DiskFull node1 (storage)", id="grafana"),
        pytest.param(
            ALERTMANAGER,
            "[RESOLVED] HighLoad (node1 critical) | https://alertmanager.example/#/alerts?receiver=chat",
            id="alertmanager",
        ),
        pytest.param(
            GITLAB,
            "lab/tool (https://gitlab.example/lab/tool): Pipeline #7 (https://gitlab.example/lab/tool/-/pipelines/7) "
            "of branch main (https://gitlab.example/lab/tool/-/commits/main) by Zoe (zoe) has failed in 01:10",
            id="gitlab",
        ),
        pytest.param(
            GITHUB_ACTION, "Build *failed*: Mend <b> & co (https://github.example/lab/tool/pull/4)", id="github"
        ),
    ],
)
def test_what_monitors_send_is_read(payload: dict[str, Any], text: str) -> None:
    """Each says in one line what has happened."""
    assert read_payload(json.dumps(payload).encode()) == text


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        ({"text": "a", "attachments": [{"fallback": "b"}, {"fallback": "c"}]}, "a\nb\nc"),
        ({"attachments": [{"fallback": "", "text": "b", "title": "c"}, {}, {"pretext": "e"}]}, "b\ne"),
        ({"text": None, "attachments": None}, ""),
        ({"attachments": []}, ""),
        ({"text": " two\nlines ", "unknown": {"deep": [1]}}, " two\nlines "),
    ],
)
def test_attachments_follow_the_text(payload: dict[str, Any], text: str) -> None:
    """A line or more for each that says something."""
    assert read_payload(json.dumps(payload).encode()) == text


NO_PAYLOADS = (b"", b"hi", b"[]", b'"hi"', b"{", b"[" * 60_000, b'{"x": ' * 10_000)
BAD_TEXTS = (b'{"text": 1}', b'{"attachments": {}}', b'{"text": "\xff"}', b'{"text": "\\ud800"}')


@pytest.mark.parametrize("body", [*NO_PAYLOADS, *BAD_TEXTS], ids=lambda body: repr(body[:20]))
def test_what_is_no_payload_is_refused(body: bytes) -> None:
    """Whatever is wrong with it, half of a surrogate pair too."""
    with pytest.raises(ValueError, match=r"JSON|utf-8|Expected|Input"):
        read_payload(body)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<https://chat.example>", "https://chat.example"),
        ("<https://chat.example|https://chat.example>", "https://chat.example"),
        ("<mailto:ops@chat.example|ops>", "ops (mailto:ops@chat.example)"),
        ("<https://chat.example|>", "https://chat.example"),
        ("<javascript:alert(1)|x> <!here> <@U123>", "<javascript:alert(1)|x> <!here> <@U123>"),
        ("a < b & c > d", "a < b & c > d"),
        ("&amp;lt; &quot;", "&lt; &quot;"),
        ("&lt;https://chat.example&gt;", "<https://chat.example>"),
    ],
)
def test_links_and_entities_are_shown_plainly(text: str, shown: str) -> None:
    """Once: what an entity gives is not read again. What is in no such form stays as it is."""
    assert show_plainly(text) == shown
