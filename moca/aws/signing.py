"""Signs requests that httpx sends by AWS's Signature Version 4, for agents behind IAM."""

import re

from moca.aws.clients import credentials

_REGION = re.compile(r"https://[a-z0-9-]+\.([a-z0-9-]+)\.amazonaws\.com")
# Headers that a proxy may change, which would invalidate the signature.
_UNSIGNED = frozenset({"accept", "accept-encoding", "user-agent"})


class NoCredentialsError(Exception):
    """This process has no AWS credentials."""


def signature_headers(
    service: str, url: str, headers: dict[str, str], content: bytes, *, region: str
) -> dict[str, str]:
    """The headers that sign a POST request with this process's current credentials.

    Args:
        service: the service's signing name, such as `bedrock-agentcore`.
        url: the request's URL.
        headers: the request's other headers.
        content: the request's body.
        region: the region to sign for, if the URL names none.

    Raises:
        NoCredentialsError: this process has no AWS credentials.
    """
    from botocore.auth import SigV4Auth  # 0.2 s of each start that others never need
    from botocore.awsrequest import AWSRequest  # 0.1 s of it

    found = credentials()
    if found is None:
        raise NoCredentialsError
    signed = {name: value for name, value in headers.items() if name.lower() not in _UNSIGNED}
    request = AWSRequest("POST", url, headers=signed, data=content)
    where = _REGION.match(url)
    SigV4Auth(found, service, where[1] if where else region).add_auth(request)
    return {name: str(value) for name, value in request.headers.items() if name not in signed}
