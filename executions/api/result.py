"""The API's view to which agents send the results of runs, each with the token of its run."""

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from executions import result_tokens, results
from executions.models import TriggerExecution
from moca.api.errors import APIError, InvalidFieldsError
from moca.api.throttling import FailureLimit
from moca.api.views import APIView
from moca.authentication.limits import client_address
from moca.concurrency import ConflictError

REFUSED = (
    "The token is not valid for this run: send the one that came with the request, as "
    "Authorization: Bearer, before it expires."
)
ENDED = "The run has another end already, which stays: read it in its record."

_limit = FailureLimit("result")


class ResultView(APIView):
    """Agents have no token of a user, but one of the run."""

    def get_authenticators(self) -> list[BaseAuthentication]:
        return []

    permission_classes = [AllowAny]

    def post(self, request: Request, trigger_id: str, execution_id: str) -> Response:
        """Send the result of a run, as its agent."""
        address = client_address(request._request)
        _limit.check(address)
        token = _token(request)
        execution = TriggerExecution.objects.keyed(trigger_id, execution_id).first()
        if execution is None or not result_tokens.is_valid(token, execution, timezone.now()):
            _limit.count(address)
            raise APIError(401, REFUSED, code="INVALID_RESULT_TOKEN")
        try:
            result = results.read(self.body)
            ended = results.record(execution, result, token)
        except results.InvalidResultError as error:
            raise InvalidFieldsError(error.faults) from error
        except results.EndedError as error:
            raise APIError(409, ENDED, code="RUN_ENDED") from error
        except ConflictError as error:
            message = "Others keep changing this run: send the result again in a moment."
            raise APIError(503, message, headers={"Retry-After": "5"}) from error
        answer = {
            "executionId": ended.pk,
            "triggerId": ended.trigger_id,
            "status": ended.status,
            "outcome": ended.shown_outcome,
        }
        return Response({"result": answer})


def _token(request: Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
