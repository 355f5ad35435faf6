"""The headers that requests to agents have in any case, so that no key can be sent in them."""

# Headers without secrets. What an agent repeats of them is not masked.
PLAIN = {
    *("accept", "accept-encoding", "a2a-version", "connection", "content-length", "content-type"),
    *("host", "idempotency-key", "user-agent", "x-amz-date", "x-amzn-trace-id"),
    *("traceparent", "tracestate"),
    "x-amzn-bedrock-agentcore-runtime-custom-result-url",
    "x-amzn-bedrock-agentcore-runtime-session-id",
    "x-amzn-bedrock-agentcore-runtime-session-type",
}
# The tokens of a trigger's owner and of a run, and headers that would give a request another
# meaning.
_OTHERS = {
    *("expect", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"),
    "x-amzn-bedrock-agentcore-runtime-custom-id-token",
    "x-amzn-bedrock-agentcore-runtime-custom-result-token",
}


def is_taken(name: str) -> bool:
    """Whether requests have this header already, or may not have it."""
    return name.lower() in PLAIN | _OTHERS
