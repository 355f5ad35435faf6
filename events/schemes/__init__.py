"""The ways in which senders prove that a message is theirs: signatures and tokens.

A scheme reads the proof out of a message; `events.signatures` compares it with a source's secrets.
`events.senders` says which sender uses which scheme.
"""
