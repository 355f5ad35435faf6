"""API views of API keys. Callers see their own keys; admins see all, and revoke them.

An API key cannot call these: a leaked key would otherwise make keys that outlive it.
"""

from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from moca.api import parameters
from moca.api.errors import APIError, InvalidFieldsError, NotFoundError, detail
from moca.api.views import APIView
from moca.authentication.api.serializers import APIKeySerializer
from moca.authentication.api_keys import services
from moca.authentication.api_keys.model import APIKey
from moca.authentication.models import Operator, Role

FOR_ADMINS = "Only admins may do this: ask one for it."
# How many keys a list has at most.
MOST_LISTED = 1000


class KeysView(APIView):
    for_viewers = True
    parameters: ClassVar = {"GET": ("all",)}

    def get(self, request: Request) -> Response:
        """List your API keys, newest first."""
        rows = APIKey.objects.all()
        if parameters.choice(request.query_params, "all", ["true", "false"]) == "true":
            _require_admin(request)
        else:
            rows = rows.filter(user_id=self.user_id)
        found = list(rows[:MOST_LISTED])
        shown = APIKeySerializer(found, many=True).data
        return Response({"keys": shown, "metadata": {"count": len(found)}})

    def post(self, request: Request) -> Response:
        """Make an API key."""
        body = self.body
        key = APIKey(user_id=_owner(request, body.get("userId"), self.user_id))
        APIKeySerializer(key, data=body).fill()
        text = services.make(key, by=self.user_id)
        return Response({"key": APIKeySerializer(key).data, "secret": text}, status=201)


class KeyView(APIView):
    for_viewers = True

    def get(self, request: Request, key_id: str) -> Response:
        """Show an API key."""
        return _respond(_find(request, self.user_id, key_id))

    def put(self, request: Request, key_id: str) -> Response:
        """Change an API key; what is left out stays as it is."""
        key, body = _find(request, self.user_id, key_id), self.body
        try:
            services.change(
                key, lambda row: APIKeySerializer(row, data=body).fill(), by=self.user_id
            )
        except APIKey.DoesNotExist as error:
            raise NotFoundError("API key") from error
        return _respond(key)

    patch = put

    def delete(self, request: Request, key_id: str) -> Response:
        """Revoke an API key."""
        try:
            services.revoke(_find(request, self.user_id, key_id), by=self.user_id)
        except APIKey.DoesNotExist as error:
            raise NotFoundError("API key") from error
        said = {"success": True, "message": "The API key was revoked."}
        return Response({**said, "metadata": {"keyId": key_id}})


def _is_admin(request: Request) -> bool:
    caller: Any = request.user
    return bool(caller.role.rank >= Role.ADMIN.rank)


def _require_admin(request: Request) -> None:
    if not _is_admin(request):
        raise APIError(403, FOR_ADMINS)


def _owner(request: Request, named: Any, user_id: str) -> str:
    """The owner of a new key: the caller, or a service account that an admin names."""
    if named in (None, "", user_id):
        return user_id
    _require_admin(request)
    account = None
    if isinstance(named, str) and "\0" not in named:
        account = Operator.objects.filter(subject=named).first()
    if account is None or not account.is_service:
        message = "Name the subject of a service account, or leave it out for a key of your own."
        raise InvalidFieldsError([detail("userId", message)])
    return account.subject


def _find(request: Request, user_id: str, key_id: str) -> APIKey:
    """A key that the caller may see; NotFoundError if there is none."""
    found: APIKey | None = APIKey.objects.filter(pk=key_id).first()
    if found is None or (found.user_id != user_id and not _is_admin(request)):
        raise NotFoundError("API key")
    return found


def _respond(key: APIKey) -> Response:
    return Response({"key": APIKeySerializer(key).data})
