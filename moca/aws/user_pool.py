"""What a Cognito user pool knows of itself."""

from botocore.exceptions import BotoCoreError, ClientError

from moca.aws import client


class PoolError(Exception):
    """The pool cannot be asked; the message says what to do about it."""


def domain_of(pool_id: str) -> str:
    """The host name of a user pool's domain, where its tokens are issued.

    Args:
        pool_id: such as eu-central-1_AbCdEf123, which says the region.

    Raises:
        PoolError: there is no such pool, it has no domain, or it may not be asked.
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
