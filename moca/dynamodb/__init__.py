"""A Django database backend that stores all models in one DynamoDB table.

Set `ENGINE = "moca.dynamodb"` and `NAME` to the table's name. The backend runs each query as
GetItem, BatchGetItem or Query, and each transaction as one TransactWriteItems. If a query has no
such plan, it raises NotSupportedError, which names the missing filter or index. docs/dynamodb.md
has the rules. The package imports nothing of the rest of this project.

    layout       key templates and indexes, which models declare beside their fields
    codec        converts field values to attribute values and back
    planner      plans a query from its conditions and order
    evaluate     evaluates conditions and expressions on a row in Python
    reader       runs a plan and returns rows
    statement, compiler, write, insert, update, delete
                 the compilers of Django's queries
    changes, requests, transaction
                 the writes of a transaction, their requests, and the commit
    client       calls DynamoDB, retries, and translates errors
    errors       ConflictError, which callers catch
    creation     creates and updates the table: keys, indexes, TTL
    adoption     adds what is missing to items that another program wrote
"""
