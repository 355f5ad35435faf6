"""Messages of the Model Context Protocol: reads requests of both eras, and writes answers.

Revision 2026-07-28 is stateless: each request names its version and its client. In the revisions
before it, the client says so once, in `initialize`. This server keeps no sessions for them either.
https://modelcontextprotocol.io/specification/2026-07-28/basic/versioning
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

STATELESS = ("2026-07-28",)
WITH_HANDSHAKE = ("2025-11-25", "2025-06-18", "2025-03-26")
VERSIONS = (*STATELESS, *WITH_HANDSHAKE)
# The version of requests without the header, which 2025-03-26 did not have yet.
UNNAMED = "2025-03-26"

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS = -32700, -32600, -32601, -32602
HEADER_MISMATCH, UNSUPPORTED_VERSION = -32020, -32022
# Resources that do not exist, in the revisions with a handshake.
RESOURCE_NOT_FOUND = -32002

_META = "io.modelcontextprotocol/"
VERSION_KEY, CAPABILITIES_KEY = f"{_META}protocolVersion", f"{_META}clientCapabilities"
CLIENT_KEY, SERVER_KEY = f"{_META}clientInfo", f"{_META}serverInfo"
SERVER = {"name": "moca-triggers", "title": "Moca Triggers", "version": "0.1.0"}

# The parameter that the header Mcp-Name repeats, by method.
NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_ENCODED = re.compile(r"=\?base64\?(.*)\?=")
# Characters of a client's name, and of an id, that are kept or taken.
MAX_CLIENT, MAX_ID = 60, 200
# What an answer may be cached for, in milliseconds, by method. It is the caller's own in any case.
CACHED_MS = {
    "server/discover": 300_000,
    "tools/list": 60_000,
    "prompts/list": 300_000,
    "resources/templates/list": 300_000,
    "resources/list": 0,
    "resources/read": 0,
}


class ProtocolError(Exception):
    """An error in JSON-RPC's form.

    Args:
        code: JSON-RPC's code.
        message: the cause and the remedy.
        status: the HTTP status in the stateless revision; see `status_of()`.
        data: further data for programs.
        headers: further headers of the answer.
        always: whether the revisions with a handshake answer with this status too.
    """

    def __init__(
        self,
        code: int,
        message: str,
        *,
        status: int = 400,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        always: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.data = data
        self.headers = dict(headers or {})
        self.always = always
        # The id of the request that failed, once it is known.
        self.id: str | int | None = None

    def body(self) -> dict[str, Any]:
        error: dict[str, Any] = {"code": self.code, "message": str(self)}
        if self.data is not None:
            error["data"] = self.data
        return {"jsonrpc": "2.0", "id": self.id, "error": error}


@dataclass(frozen=True, slots=True)
class Message:
    """A request or a notification of a client.

    Attributes:
        method: the method; empty for an answer of the client, which needs none.
        id: the request's id; None for a notification or an answer.
        params: its parameters.
        version: the revision that it is written in.
        client: the name and version that the client gives itself; empty if it gives none.
    """

    method: str
    id: str | int | None
    version: str
    params: dict[str, Any] = field(default_factory=dict)
    client: str = ""

    @property
    def is_stateless(self) -> bool:
        return self.version in STATELESS

    def answer(self, result: Mapping[str, Any]) -> dict[str, Any]:
        """The answer with a result."""
        found = dict(result)
        if self.is_stateless:
            found["resultType"] = "complete"
            found["_meta"] = {**found.get("_meta", {}), SERVER_KEY: SERVER}
            if self.method in CACHED_MS:
                found |= {"ttlMs": CACHED_MS[self.method], "cacheScope": "private"}
        return {"jsonrpc": "2.0", "id": self.id, "result": found}

    def status_of(self, error: ProtocolError) -> int:
        """The HTTP status of an error: with a handshake, only transport errors have their own."""
        return error.status if self.is_stateless or error.always else 200


def read(body: Any, headers: Mapping[str, str]) -> Message:
    """Read a message.

    Args:
        body: the JSON value of the request's body.
        headers: the headers of the HTTP request, by any case.

    Raises:
        ProtocolError: it is none, or of a version that this server does not speak.
    """
    if isinstance(body, list):
        raise ProtocolError(INVALID_REQUEST, "Send one message at a time, not a list.", always=True)
    if not isinstance(body, dict) or body.get("jsonrpc") != "2.0":
        message = 'Send a JSON object of JSON-RPC: "jsonrpc" is "2.0".'
        raise ProtocolError(INVALID_REQUEST, message, always=True)
    request_id = body.get("id")
    try:
        if "id" in body and not _is_id(request_id):
            message = f"Give as id a whole number, or a text of at most {MAX_ID} characters."
            request_id = None
            raise ProtocolError(INVALID_REQUEST, message, always=True)
        return _read(body, request_id, headers)
    except ProtocolError as error:
        error.id = request_id
        raise


def _read(
    body: dict[str, Any], request_id: str | int | None, headers: Mapping[str, str]
) -> Message:
    method, params = body.get("method"), body.get("params", {})
    version = _version(method, params, headers)
    if method is None and ("result" in body or "error" in body) and version in WITH_HANDSHAKE:
        return Message("", None, version)
    if not isinstance(method, str):
        raise ProtocolError(INVALID_REQUEST, "Give the method as a text.", always=True)
    if not isinstance(params, dict):
        raise ProtocolError(INVALID_PARAMS, "Give params as an object.", always=True)
    info = params.get("clientInfo")
    if version in STATELESS:
        if request_id is not None:
            _check_headers(method, params, headers)
        info = params["_meta"].get(CLIENT_KEY) if request_id is not None else None
    client = _client(info) or _client({"name": headers.get("User-Agent", "")})
    return Message(method, request_id, version, params, client)


def _is_id(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_ID
    return isinstance(value, int) and not isinstance(value, bool)


def _version(method: Any, params: Any, headers: Mapping[str, str]) -> str:
    """The version of a message; ProtocolError if this server does not speak it."""
    named = headers.get("Mcp-Protocol-Version")
    meta = params.get("_meta") if isinstance(params, dict) else None
    in_body = meta.get(VERSION_KEY) if isinstance(meta, dict) else None
    if in_body is None:
        if method == "initialize" and named not in STATELESS:
            return WITH_HANDSHAKE[0]
        if named is None:
            return UNNAMED
        if named in WITH_HANDSHAKE:
            return named
    elif named != in_body:
        message = f"The header MCP-Protocol-Version is not the {VERSION_KEY} of params._meta."
        raise ProtocolError(HEADER_MISMATCH, message, always=True)
    if named not in VERSIONS:
        raise ProtocolError(
            UNSUPPORTED_VERSION,
            f"This version of the protocol is not supported: use one of {', '.join(VERSIONS)}.",
            data={"supported": list(VERSIONS), "requested": str(named)[:MAX_ID]},
            always=True,
        )
    return str(named)


def _check_headers(method: str, params: dict[str, Any], headers: Mapping[str, str]) -> None:
    """Check what a stateless request has to say of itself, in its body and in its headers."""
    meta = params.get("_meta")
    keys = (VERSION_KEY, CAPABILITIES_KEY)
    missing = [key for key in keys if not isinstance(meta, dict) or key not in meta]
    if missing or not isinstance(meta, dict):
        raise ProtocolError(
            INVALID_PARAMS, f"Add to params._meta: {', '.join(missing)}.", always=True
        )
    if not isinstance(meta[CAPABILITIES_KEY], dict):
        raise ProtocolError(INVALID_PARAMS, f"Give {CAPABILITIES_KEY} as an object.", always=True)
    if headers.get("Mcp-Method") != method:
        message = "The header Mcp-Method is not the method of the body."
        raise ProtocolError(HEADER_MISMATCH, message, always=True)
    if name := NAMED_BY.get(method):
        value = params.get(name)
        if isinstance(value, str) and _decoded(headers.get("Mcp-Name")) != value:
            message = f"The header Mcp-Name is not params.{name} of the body."
            raise ProtocolError(HEADER_MISMATCH, message, always=True)


def _decoded(value: str | None) -> str | None:
    """The text of a header that may be encoded; None if it is malformed."""
    found = _ENCODED.fullmatch(value or "")
    if found is None:
        return value
    try:
        return base64.b64decode(found[1], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def _client(info: Any) -> str:
    """The name and version of a client in one line; empty if it gives no name."""
    if not isinstance(info, dict) or not isinstance(info.get("name"), str):
        return ""
    parts = [info["name"], info["version"] if isinstance(info.get("version"), str) else ""]
    text = " ".join(" ".join(parts).split())
    return "".join(each for each in text if each.isprintable())[:MAX_CLIENT]
