"""Describes the routes of API keys in the API's OpenAPI document."""

from moca.api.errors import APIError
from moca.api.json_schema import answer, boolean, each, enum, number, text
from moca.api.openapi import (
    TAGS,
    TIMESTAMP,
    Body,
    Fault,
    describe,
    in_path,
    in_query,
    invalid,
    invalid_parameter,
    metadata,
)
from moca.authentication.api.serializers import APIKeySerializer
from moca.authentication.api.views import FOR_ADMINS, KeysView, KeyView

KEYS = "API keys"
TAGS.append({"name": KEYS, "description": "Secrets by which scripts and agents call the API."})

_ID = "00nTzw2qY8vLd3kXb5RmJc"
_EXAMPLE = {
    "id": _ID,
    "userId": "alice",
    "name": "Nightly build",
    "scopes": ["read", "run"],
    "triggerIds": ["0194b0a9-51d0-7c11-8a6e-90f3b7d2c415"],
    "expiresAt": "2027-04-29T12:00:00.000Z",
    "isAgent": False,
    "mayEnable": False,
    "createdAt": TIMESTAMP,
    "createdBy": "alice",
}
_SENT = {"name": "Nightly build", "scopes": ["read", "run"], "triggerIds": _EXAMPLE["triggerIds"]}
_SECRET = f"moca_{_ID}_hP4mT0aVx2LqS9dKfW7yRbN3cJ6gZ8eU1iO5pXtYwQz00kD3f"
_KEY = APIKeySerializer.answer_shape()
_ONE = answer("APIKeyAnswer", "An API key.", {"key": _KEY})
_NEW = answer(
    "NewAPIKeyAnswer",
    "The API key.",
    {"key": _KEY, "secret": text("The whole key. It is not answered again.")},
)
_MANY = answer(
    "APIKeyList",
    "API keys.",
    {"keys": each(_KEY)},
    metadata={"count": number("How many there are.")},
)
_REVOKED = answer(
    "RevokedAPIKey",
    "The API key is gone.",
    {"success": boolean(), "message": text()},
    metadata={"keyId": text()},
)
_KEY_ID = in_path("key_id", "The key's id.", text())
_NO_KEY = Fault("There is no such key of yours.", APIError(404, "There is no such API key."))
_NO_ADMIN = Fault("The caller is no admin.", APIError(403, FOR_ADMINS))
_BUSY = Fault(
    "Others keep changing it.",
    APIError(409, "Others keep changing this API key: try again in a moment."),
)
_WRONG = invalid("scopes", "Give one or more of read, run, write, admin, each once.")
_NOTE = "Without an API key: use the token or the session of a person. "

describe(
    KeysView,
    "GET",
    "listKeys",
    _NOTE + "Admins get the keys of all users by `all=true`.",
    tag=KEYS,
    parameters=[
        in_query("all", enum("Everybody", ["true", "false"], "Of all users."), "Of all users.")
    ],
    answers=Body(_MANY, {"keys": [_EXAMPLE], "metadata": metadata(count=1)}),
    faults=[invalid_parameter("all", "Give one of true, false."), _NO_ADMIN],
)
describe(
    KeysView,
    "POST",
    "createKey",
    _NOTE + "`secret` is the whole key, which nobody can see again. Admins make keys of service "
    "accounts by their `userId`.",
    tag=KEYS,
    takes=Body(APIKeySerializer.request_shape("APIKeyInput", "A new API key.", is_new=True), _SENT),
    answers=Body(_NEW, {"key": _EXAMPLE, "secret": _SECRET, "metadata": metadata()}, 201),
    faults=[_WRONG, _NO_ADMIN],
)
describe(
    KeyView,
    "GET",
    "getKey",
    _NOTE + "Admins see the keys of all users.",
    tag=KEYS,
    parameters=[_KEY_ID],
    answers=Body(_ONE, {"key": _EXAMPLE, "metadata": metadata()}),
    faults=[_NO_KEY],
)
for _method, _operation in (("PUT", "replaceKey"), ("PATCH", "changeKey")):
    describe(
        KeyView,
        _method,
        _operation,
        _NOTE + "Other processes use the new values within 15 seconds.",
        tag=KEYS,
        parameters=[_KEY_ID],
        takes=Body(
            APIKeySerializer.request_shape("APIKeyChange", "A change of an API key.", is_new=False),
            {"name": "Build"},
        ),
        answers=Body(_ONE, {"key": {**_EXAMPLE, "name": "Build"}, "metadata": metadata()}),
        faults=[_WRONG, _NO_KEY, _BUSY],
    )
describe(
    KeyView,
    "DELETE",
    "revokeKey",
    _NOTE + "Other processes refuse the key within 15 seconds.",
    tag=KEYS,
    parameters=[_KEY_ID],
    answers=Body(
        _REVOKED,
        {
            "success": True,
            "message": "The API key was revoked.",
            "metadata": metadata(keyId=_ID),
        },
    ),
    faults=[_NO_KEY, _BUSY],
)
