"""CORS: decides which other origins may call the API, and makes the headers that say so.

Access-Control-Allow-Credentials is never sent: a page of another origin signs in by a token, and
cannot read what a session cookie would show.
"""

from django.conf import settings

ANY = "*"
# The header with an ID token, which agents of Bedrock AgentCore want, and which frontends that call
# them send with each request, is let through and not read.
_ID_TOKEN = "X-Amzn-Bedrock-AgentCore-Runtime-Custom-Id-Token"  # noqa: S105  (a header's name)
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, If-Match, "
    + _ID_TOKEN,
    "Access-Control-Max-Age": "3600",
}


def answer_headers(origin: str) -> dict[str, str]:
    """The headers of an answer to a page of this origin; none if it may not call the API."""
    allowed = settings.CORS_ALLOWED_ORIGINS
    if not origin or (ANY not in allowed and origin not in allowed):
        return {}
    return {
        "Access-Control-Allow-Origin": ANY if ANY in allowed else origin,
        "Access-Control-Expose-Headers": "X-Request-Id, Retry-After",
    }


def preflight_headers(origin: str) -> dict[str, str]:
    """The headers of the answer to a preflight from this origin; none if it may not call."""
    headers = answer_headers(origin)
    return {**headers, **_PREFLIGHT} if headers else {}
