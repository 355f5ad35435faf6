"""What all views of the API share."""

from typing import Any, cast

from django.http import HttpRequest
from rest_framework import views
from rest_framework.response import Response

from moca.authentication.api import Caller


class APIView(views.APIView):
    """A view for signed-in callers, who see what is theirs."""

    @property
    def user_id(self) -> str:
        """Whose data this request is about."""
        return cast(Caller, self.request.user).user_id

    @property
    def body(self) -> dict[str, Any]:
        """The JSON object that was sent; empty where there was no body."""
        return dict(self.request.data)

    @property
    def default_response_headers(self) -> dict[str, str]:
        return {**super().default_response_headers, "Cache-Control": "no-store"}

    def options(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Response:
        return Response({"methods": self.allowed_methods})
