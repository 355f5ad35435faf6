"""API views of the versions of a trigger's prompt."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from moca.api.errors import NotFoundError
from moca.api.views import APIView
from moca.times import iso
from triggers import services
from triggers.api.views import apply, find, respond
from triggers.models import Trigger
from triggers.prompt_versions import PromptVersion, versions_of


class PromptVersionsView(APIView):
    def get(self, request: Request, trigger_id: str) -> Response:
        """List the versions of a trigger's prompt, the present one first."""
        known = versions_of(find(self.user_id, trigger_id))
        return Response({"versions": [_shown(each) for each in known]})


class RestorePromptView(APIView):
    def post(self, request: Request, trigger_id: str, version_id: str) -> Response:
        """Give a trigger one of its earlier prompts."""
        known = {each.id: each for each in versions_of(find(self.user_id, trigger_id))}
        if version_id not in known:
            raise NotFoundError("version of the prompt")

        def change(trigger: Trigger, *, by: str) -> bool:
            return services.set_prompt(trigger, known[version_id].prompt, by=by)

        return respond(apply(change, self.user_id, trigger_id))


def _shown(version: PromptVersion) -> dict[str, Any]:
    shown = {"version": version.id, "prompt": version.prompt}
    if version.since is not None:
        shown |= {"since": iso(version.since), "by": version.by}
    return shown
