"""Asks a Cognito identity pool for the OpenID tokens of users whom another service vouches for."""

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from moca.aws.clients import client

# What the error's code says if Cognito is at its quota, or does not work just then.
THROTTLED = ("TooManyRequestsException", "ThrottlingException", "Throttling")
UNWELL = ("InternalErrorException", "InternalFailure", "ServiceUnavailable")


class IdentityPoolError(Exception):
    """There is no token; the message names the cause and the remedy.

    Attributes:
        throttled: whether the quota of the account is used up at the moment.
        transient: whether the same call may succeed later.
    """

    def __init__(self, message: str, *, throttled: bool = False, transient: bool = False) -> None:
        super().__init__(message)
        self.throttled = throttled
        self.transient = transient or throttled


def open_id_token(pool_id: str, provider: str, user_id: str, *, seconds: int) -> str:
    """Ask once for an OpenID token of a user; Cognito makes an identity for a user without one.

    Args:
        pool_id: the identity pool's id, such as `eu-central-1:GUID`; it has the region.
        provider: the pool's developer provider name.
        user_id: the user's id at that provider.
        seconds: how long the token is to hold.

    Raises:
        IdentityPoolError: Cognito refuses, or does not answer.
    """
    region = pool_id.partition(":")[0]
    try:
        # One try, because the caller counts the calls and retries itself.
        cognito = client("cognito-identity", region, attempts=1, read_seconds=5)
        answer = cognito.get_open_id_token_for_developer_identity(
            IdentityPoolId=pool_id, Logins={provider: user_id}, TokenDuration=seconds
        )
    except ClientError as error:
        raise _refusal(error, pool_id, provider) from error
    except BotoCoreError as error:
        message = f"Cognito could not be asked: {error}"
        raise IdentityPoolError(message, transient=isinstance(error, HTTPClientError)) from error
    token = str(answer.get("Token") or "")
    # A header takes nothing else.
    if not token or not (token.isascii() and token.isprintable()):
        raise IdentityPoolError("Cognito answered without a token")
    return token


def _refusal(error: ClientError, pool_id: str, provider: str) -> IdentityPoolError:
    code = error.response["Error"]["Code"]
    said = error.response["Error"].get("Message") or code
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in THROTTLED:
        return IdentityPoolError(
            "Cognito answers no more calls at the moment: its quota is 25 a second for an account "
            "and region",
            throttled=True,
        )
    if code in UNWELL or status >= 500:
        return IdentityPoolError(f"Cognito answered {code}", transient=True)
    if code == "ResourceNotFoundException":
        return IdentityPoolError(f"there is no identity pool {pool_id}: correct IDENTITY_POOL_ID")
    if code.startswith("AccessDenied"):
        return IdentityPoolError(
            "this role lacks cognito-identity:GetOpenIdTokenForDeveloperIdentity on the identity "
            f"pool {pool_id}"
        )
    return IdentityPoolError(
        f"Cognito refused ({said}): check that the identity pool {pool_id} has the developer "
        f"provider {provider} (DEVELOPER_PROVIDER_NAME)"
    )
