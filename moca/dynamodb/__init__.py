"""A database backend of Django that keeps all rows in one DynamoDB table.

Set `ENGINE = "moca.dynamodb"` and `NAME` to the table's name. Each query is planned as GetItem,
BatchGetItem or Query, each transaction as one TransactWriteItems; what cannot be planned raises
NotSupportedError with the filter or index that is missing. docs/dynamodb.md has the rules.
It imports nothing of the rest of this project.

    layout       where a model's rows stand in the table, declared beside the model
    codec        values of fields to attribute values and back
    planner      a query's conditions and order to a plan
    evaluate     conditions and expressions on a row, in Python
    reader       a plan to rows
    transaction  writes, kept until the commit
    compiler     Django's queries to plans and writes
    client       calls to DynamoDB, their retries and errors
    errors       ConflictError, which callers catch
    creation     the table itself: keys, indexes, TTL
"""
