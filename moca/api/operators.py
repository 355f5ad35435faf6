"""The base of the API's views that only operators use: agents' records, and alerts."""

from typing import Any, ClassVar

from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from moca.api.errors import APIError
from moca.api.views import APIView
from moca.authentication.access import is_operator
from moca.authentication.models import Role

FOR_OPERATORS = "Only operators may do this: use the token or the session of an operator."


class OperatorsView(APIView):
    """A view for operators, of whom admins may change.

    Attributes:
        open_methods: the methods that are for all callers.
        for_admins: what others are told who want to change something.
        hides_from_others: whether other operators may not look either.
    """

    open_methods: ClassVar[tuple[str, ...]] = ()
    for_admins = ""
    hides_from_others = False

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        method = "GET" if request.method == "HEAD" else request.method
        is_open = method in (*self.open_methods, "OPTIONS") or method not in self.allowed_methods
        if not is_open and not is_operator(self.user_id):
            raise APIError(403, FOR_OPERATORS)
        caller: Any = request.user
        is_for_admins = self.hides_from_others or method not in SAFE_METHODS
        if not is_open and is_for_admins and caller.role.rank < Role.ADMIN.rank:
            raise APIError(403, self.for_admins)
