"""AWS's Signature Version 4 of a request that no client of botocore sends."""

import re

from moca.aws import credentials

_REGION = re.compile(r"https://[a-z0-9-]+\.([a-z0-9-]+)\.amazonaws\.com")
# Headers that a proxy may change, which would make the signature wrong.
_UNSIGNED = frozenset({"accept", "accept-encoding", "user-agent"})


class NoCredentialsError(Exception):
    """This process has no AWS credentials."""


def signature_headers(
    service: str, url: str, headers: dict[str, str], content: bytes, *, region: str
) -> dict[str, str]:
    """The headers that sign a POST with the credentials that this process has now.

    Args:
        service: as the signature names it, such as `bedrock-agentcore`.
        url: where the request goes; its region is signed for, if it names one.
        headers: the request's other headers.
        content: its body.
        region: the region of a URL that names none.

    Raises:
        NoCredentialsError: see there.
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
