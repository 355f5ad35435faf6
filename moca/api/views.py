"""What all views of the API share."""

from collections.abc import Collection, Mapping
from typing import Any, ClassVar, cast

from django.http import HttpRequest
from rest_framework import views
from rest_framework.request import Request
from rest_framework.response import Response

from moca.api import parameters
from moca.authentication.api import Caller

# For a method that takes any query parameter.
ANY = ("*",)


class APIView(views.APIView):
    """A view for signed-in callers, who see what is theirs.

    Attributes:
        parameters: the query parameters that each method takes. Another one is a 400, because a
            filter with a slip of the pen would otherwise answer with everything.
    """

    parameters: ClassVar[Mapping[str, Collection[str]]] = {}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        method = "GET" if request.method == "HEAD" else request.method or ""
        if method in self.allowed_methods and method != "OPTIONS":
            known = self.parameters.get(method, ())
            if known is not ANY:
                parameters.require_known(request.query_params, known)

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
