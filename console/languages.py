"""The language of a page: what the reader chose, or what the browser prefers."""

from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.utils import translation

# The operators' pages and the way in and out; the API, the admin and logs are in English.
PAGES = ("/console/", "/admin/login/", "/admin/logout/", "/sign-in/")


class PageLanguageMiddleware(LocaleMiddleware):
    """Django's, for the pages that are translated, so that nothing else varies by language."""

    def process_request(self, request: HttpRequest) -> None:
        if request.path_info.startswith(PAGES):
            super().process_request(request)
        else:
            # The thread may have served a page before.
            translation.activate("en")

    def process_response(self, request: HttpRequest, response: Any) -> HttpResponseBase:
        if not request.path_info.startswith(PAGES):
            return response
        return super().process_response(request, response)
