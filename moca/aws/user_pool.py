"""Looks up the domain of a Cognito user pool, for sign-in and for agents' tokens."""

from botocore.exceptions import BotoCoreError, ClientError

from moca.aws.clients import client


class PoolError(Exception):
    """The pool's domain cannot be found; the message names the cause and the remedy."""


def domain_of(pool_id: str) -> str:
    """The host name of a user pool's domain, which issues its tokens.

    Args:
        pool_id: the pool's id, such as eu-central-1_AbCdEf123; it has the region.

    Raises:
        PoolError: the pool does not exist or has no domain, or the call failed.
    """
    region = pool_id.partition("_")[0]
    try:
        pool = client("cognito-idp", region).describe_user_pool(UserPoolId=pool_id)["UserPool"]
    except (ClientError, BotoCoreError) as error:
        if isinstance(error, ClientError) and "NotFound" in error.response["Error"]["Code"]:
            raise PoolError(
                f"There is no user pool {pool_id} in {region}: correct COGNITO_USER_POOL_ID."
            ) from error
        raise PoolError(
            f"COGNITO_DOMAIN is not set, and the user pool {pool_id} cannot be asked for it "
            f"({error}): set it, or allow cognito-idp:DescribeUserPool."
        ) from error
    if own := pool.get("CustomDomain"):
        return str(own)
    if prefix := pool.get("Domain"):
        return f"{prefix}.auth.{region}.amazoncognito.com"
    raise PoolError(f"The user pool {pool_id} has no domain: give it one, or set COGNITO_DOMAIN.")
