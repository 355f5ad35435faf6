"""The language of the pages: the operator's choice, else the browser's preference."""

from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.utils import translation

# The translated pages. The API, the admin and logs are in English.
PAGES = ("/console/", "/admin/login/", "/admin/logout/", "/sign-in/")


class PageLanguageMiddleware(LocaleMiddleware):
    """Django's LocaleMiddleware for the translated pages only. Other responses stay in English."""

    def process_request(self, request: HttpRequest) -> None:
        if request.path_info.startswith(PAGES):
            super().process_request(request)
        else:
            # The thread may still have the language of the page before.
            translation.activate("en")

    def process_response(self, request: HttpRequest, response: Any) -> HttpResponseBase:
        if not request.path_info.startswith(PAGES):
            return response
        return super().process_response(request, response)
