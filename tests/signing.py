"""Messages signed as each sender signs its own; needs nothing of the application."""

import base64
import hmac

KEY = b"an example of a key of 32 bytes."
SECRET = "whsec_" + base64.b64encode(KEY).decode()
OTHER = "whsec_" + base64.b64encode(KEY[::-1]).decode()


def digest(key: bytes, text: str, body: bytes) -> bytes:
    return hmac.digest(key, text.encode() + body, "sha256")


def signed(kind: str, secret: str, body: bytes, key: str, at: int) -> dict[str, str]:
    """The headers with which a sender signs a message.

    Args:
        kind: the kind of its event source.
        secret: what it signs with.
        body: the message.
        key: its own id of it.
        at: the time that it says, in Unix seconds.
    """
    raw = secret.encode()
    if kind == "github":
        return {"X-Hub-Signature-256": f"sha256={digest(raw, '', body).hex()}"}
    if kind == "slack":
        signature = digest(raw, f"v0:{at}:", body).hex()
        return {"X-Slack-Request-Timestamp": str(at), "X-Slack-Signature": f"v0={signature}"}
    if kind == "stripe":
        return {"Stripe-Signature": f"t={at},v1={digest(raw, f'{at}.', body).hex()}"}
    if secret.startswith("whsec_"):
        raw = base64.b64decode(secret.removeprefix("whsec_"))
    signature = base64.b64encode(digest(raw, f"{key}.{at}.", body)).decode()
    return {
        "webhook-id": key,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{signature}",
    }
