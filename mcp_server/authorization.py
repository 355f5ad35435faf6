"""OAuth for MCP clients: where they get tokens, and what an answer says if a token is not enough.

The user pool is the authorization server. RFC 9728 says how clients find it.
https://modelcontextprotocol.io/specification/2026-07-28/basic/authorization
"""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from mcp_server.protocol import INVALID_REQUEST, ProtocolError
from mcp_server.scopes import OFFERED
from moca.authentication.api_keys.model import Scope
from moca.public_address import public_address


def resource_url(request: HttpRequest) -> str:
    """The address of this server, which names it to the authorization server."""
    return public_address(request, "mcp")


def metadata(request: HttpRequest) -> dict[str, Any] | None:
    """The protected resource metadata; None if no authorization server issues tokens."""
    if not settings.COGNITO_USER_POOL_ID:
        return None
    return {
        "resource": resource_url(request),
        "resource_name": "Moca Triggers",
        "authorization_servers": [_issuer()],
        "scopes_supported": scopes_of(OFFERED),
        "bearer_methods_supported": ["header"],
    }


def challenge(request: HttpRequest, *, error: str = "", scopes: Iterable[Scope] = OFFERED) -> str:
    """The header WWW-Authenticate.

    Args:
        request: the request that is refused.
        error: OAuth's code of the error; empty if the request has no token.
        scopes: the scopes that it needs.
    """
    parts = {"error": error} if error else {}
    if settings.COGNITO_USER_POOL_ID:
        parts["resource_metadata"] = public_address(request, "mcp-resource-metadata")
    if settings.COGNITO_USER_POOL_ID or error == "insufficient_scope":
        parts["scope"] = " ".join(scopes_of(scopes))
    said = ", ".join(f'{name}="{value}"' for name, value in parts.items())
    return f"Bearer {said}".strip()


def scopes_of(scopes: Iterable[Scope]) -> list[str]:
    """Scopes as the authorization server names them.

    Without MCP_RESOURCE_SERVER, a token of the pool has no scopes of this server: it may do what
    its user may do.
    """
    if settings.MCP_RESOURCE_SERVER:
        return [f"{settings.MCP_RESOURCE_SERVER}/{scope.value}" for scope in scopes]
    return ["openid"] if settings.COGNITO_USER_POOL_ID else [scope.value for scope in scopes]


def insufficient(request: HttpRequest, scope: Scope) -> ProtocolError:
    """The error for a credential that may not do this."""
    needed = challenge(request, error="insufficient_scope", scopes=[scope])
    return ProtocolError(
        INVALID_REQUEST,
        f"This credential may not do this: it needs the scope {scope.value}.",
        status=403,
        headers={"WWW-Authenticate": needed},
        always=True,
    )


def is_for_another(request: HttpRequest, credential: Any) -> bool:
    """Whether a token was issued for another resource (RFC 8707).

    Cognito's access tokens name a resource only if the client asked for one.
    """
    audience = getattr(credential, "resources", ())
    return bool(audience) and resource_url(request) not in audience


def _issuer() -> str:
    pool = settings.COGNITO_USER_POOL_ID
    return f"https://cognito-idp.{pool.partition('_')[0]}.amazonaws.com/{pool}"
