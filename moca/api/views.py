"""The base class of the API's views."""

from collections.abc import Collection, Mapping
from typing import Any, ClassVar, cast

from django.http import HttpRequest
from rest_framework import views
from rest_framework.request import Request
from rest_framework.response import Response

from moca.api import parameters
from moca.authentication.api import Caller

# For methods that accept any query parameter.
ANY = ("*",)


class APIView(views.APIView):
    """A view for authenticated callers.

    Attributes:
        parameters: the query parameters of each method. Any other parameter is a 400: a misspelt
            filter would otherwise return all rows.
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
        """The user whose data this request reads or changes."""
        return cast(Caller, self.request.user).user_id

    @property
    def body(self) -> dict[str, Any]:
        """The request's JSON object; empty if there is no body."""
        return dict(self.request.data)

    @property
    def default_response_headers(self) -> dict[str, str]:
        return {**super().default_response_headers, "Cache-Control": "no-store"}

    def options(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Response:
        return Response({"methods": self.allowed_methods})
