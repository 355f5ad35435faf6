"""Makes a span of each request to pages and API, and continues the trace that the client names.

The settings leave the middleware out while no traces are sent.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from moca.tracing import SERVER, begin, context_of, inside, is_on

# Paths that are asked for all the time, by browsers and machines.
UNTRACED = ("/static/", "/health", "/metrics")


class RequestTraceMiddleware:
    """Traces a request, by the names of the semantic conventions of HTTP."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not is_on() or request.path_info.startswith(UNTRACED):
            return self.get_response(request)
        headers = request.headers
        span = begin(
            str(request.method),
            context=context_of(headers.get("traceparent", ""), headers.get("tracestate", "")),
            kind=SERVER,
            attributes={
                "http.request.method": str(request.method),
                "url.path": request.path,
                "url.scheme": str(request.scheme),
            },
        )
        with inside(span):
            response = self.get_response(request)
            found = request.resolver_match
            if found is not None and found.route is not None:
                span.rename(f"{request.method} /{found.route}")
                span.set({"http.route": f"/{found.route}"})
            span.set({"http.response.status_code": response.status_code})
            if response.status_code >= 500:
                span.end(error=str(response.status_code))
        return response
