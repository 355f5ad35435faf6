"""API views that pause and resume: one trigger, those of a tag, all, and the whole installation."""

from collections.abc import Callable
from datetime import UTC, tzinfo
from functools import partial
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response

from moca.api.errors import APIError, Detail, InvalidFieldsError, detail
from moca.api.views import APIView
from moca.authentication.access import is_operator
from moca.concurrency import ConflictError
from moca.times import iso
from triggers import pauses, services
from triggers.api.views import apply, respond
from triggers.bulk import act_on_each
from triggers.models import InstallationPause, Trigger
from triggers.schedules import parse_zone
from triggers.validation import MAX_TAG_LENGTH

# Seconds after which a request for many triggers stops. API Gateway waits for 29.
ACT_SECONDS = 15
FOR_OPERATORS = (
    "Only operators may pause the whole installation: use the token or the session of an operator."
)


class PauseView(APIView):
    def post(self, request: Request, trigger_id: str) -> Response:
        """Pause a trigger."""
        until, note, zone = _pause_of(self.body)
        change = partial(services.pause, until=until, note=note, zone=zone)
        return respond(_refusing(lambda: apply(change, self.user_id, trigger_id)))


class ResumeView(APIView):
    def post(self, request: Request, trigger_id: str) -> Response:
        """End the pause of a trigger."""
        return respond(apply(services.resume, self.user_id, trigger_id))


class PauseManyView(APIView):
    def post(self, request: Request) -> Response:
        """Pause the triggers of a tag, or all."""
        chosen = _chosen(self.user_id, self.body)
        until, note, zone = _pause_of(self.body)
        # A wrong moment is an error of the request, and not of each trigger.
        _refusing(lambda: pauses.parse_end(until, timezone.now(), zone or UTC))
        pause = partial(services.pause, until=until, note=note, zone=zone, by=self.user_id)
        return _act(chosen, pause)


class ResumeManyView(APIView):
    def post(self, request: Request) -> Response:
        """End the pauses of the triggers of a tag, or of all."""
        chosen = _chosen(self.user_id, self.body)
        return _act(chosen, partial(services.resume, by=self.user_id))


class InstallationPauseView(APIView):
    def get(self, request: Request) -> Response:
        """Show the pause of the whole installation."""
        return _installation()

    def post(self, request: Request) -> Response:
        """Pause the whole installation."""
        _require_operator(self)
        until, note, zone = _pause_of(self.body)

        def pause() -> InstallationPause:
            end = pauses.parse_end(until, timezone.now(), zone or UTC)
            return pauses.pause_installation(end, by=self.user_id, note=note)

        _refusing(pause)
        return _installation()


class InstallationResumeView(APIView):
    def post(self, request: Request) -> Response:
        """Let triggers fire again."""
        _require_operator(self)
        try:
            pauses.resume_installation(by=self.user_id)
        except ConflictError as error:
            raise APIError(409, str(error)) from error
        return _installation()


def _require_operator(view: APIView) -> None:
    if view.request.method not in SAFE_METHODS and not is_operator(view.user_id):
        raise APIError(403, FOR_OPERATORS)


def _installation() -> Response:
    found = pauses.installation_pause(timezone.now())
    return Response({"pause": _shown(found)} if found else {})


def _shown(pause: InstallationPause) -> dict[str, Any]:
    shown = {"pausedAt": iso(pause.paused_at), "pausedBy": pause.paused_by}
    if pause.ends_by_itself:
        shown["pausedUntil"] = iso(pause.paused_until)
    return shown | ({"pauseNote": pause.pause_note} if pause.pause_note else {})


def _pause_of(body: dict[str, Any]) -> tuple[str, str, tzinfo | None]:
    """The end, the note and the time zone that a request names."""
    faults = [
        detail(name, "Give a text.")
        for name in ("until", "note", "timezone")
        if not isinstance(body.get(name) or "", str)
    ]
    if faults:
        raise InvalidFieldsError(faults)
    until, note, name = (body.get(key) or "" for key in ("until", "note", "timezone"))
    try:
        zone = parse_zone(name) if name else None
    except ValueError as error:
        raise InvalidFieldsError([detail("timezone", str(error), "timezone")]) from error
    return until, note, zone


def _refusing(do: Callable[[], Any]) -> Any:
    """Do it; InvalidFieldsError if the end or the note is refused."""
    try:
        return do()
    except ValidationError as error:
        raise InvalidFieldsError(list(_faults(error))) from error


def _faults(error: ValidationError) -> list[Detail]:
    if hasattr(error, "error_dict"):
        # The only field that is checked is the note.
        return [detail("note", message) for message in error.messages]
    return [detail("until", message, error.code or "invalid") for message in error.messages]


def _chosen(user_id: str, body: dict[str, Any]) -> list[Trigger]:
    """The user's triggers that a request names by a tag or by `all`."""
    tag, is_all = body.get("tag"), body.get("all")
    if isinstance(tag, str) and 0 < len(tag) <= MAX_TAG_LENGTH and is_all in (None, False):
        return list(Trigger.objects.of_user(user_id).tagged(tag))
    if tag is None and is_all is True:
        return list(Trigger.objects.of_user(user_id))
    raise InvalidFieldsError([detail("tag", "Give a tag; or all, which is true.", "required")])


def _act(chosen: list[Trigger], act: Callable[[Trigger], bool]) -> Response:
    """Do it to each, and count."""
    done = act_on_each(chosen, act, seconds=ACT_SECONDS)
    counts = {"changed": done.done, "unchanged": done.already, "left": len(done.left)}
    return Response({**counts, "refused": done.refused})
