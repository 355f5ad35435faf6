"""The API's renderer: every answer is JSON with `metadata`, whatever the Accept header says."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from moca.times import iso


class EnvelopeRenderer(BaseRenderer):
    """Adds `metadata` (request id, time, user id) to each success; a view may add more to it."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        context = renderer_context or {}
        if not context["response"].exception:
            data = {**data, "metadata": _metadata(context["request"], data.get("metadata", {}))}
        return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()


def _metadata(request: Request, more: dict[str, Any]) -> dict[str, Any]:
    caller: Any = request.user
    return {
        "requestId": getattr(request, "request_id", ""),
        "timestamp": iso(timezone.now()),
        **({"userId": caller.user_id} if caller else {}),
        **more,
    }


class AlwaysJSON(BaseContentNegotiation):
    """Content negotiation: always the first renderer; the parser of the body's Content-Type."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        media_type = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == media_type), None)

    def select_renderer(
        self,
        request: Request | HttpRequest,
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, str]:
        return next(iter(renderers)), EnvelopeRenderer.media_type
