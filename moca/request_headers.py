"""The headers that requests to agents have in any case, so that no key can be sent in them."""

# Headers without secrets. What an agent repeats of them is not masked.
PLAIN = {
    *("accept", "accept-encoding", "a2a-version", "connection", "content-length", "content-type"),
    *("host", "idempotency-key", "user-agent", "x-amz-date", "x-amzn-trace-id"),
    "x-amzn-bedrock-agentcore-runtime-session-id",
    "x-amzn-bedrock-agentcore-runtime-session-type",
}
# The token of a trigger's owner, and headers with which a request would mean something else.
_OTHERS = {
    *("expect", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"),
    "x-amzn-bedrock-agentcore-runtime-custom-id-token",
}


def is_taken(name: str) -> bool:
    """Whether requests have this header already, or may not have it."""
    return name.lower() in PLAIN | _OTHERS
