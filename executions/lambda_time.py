"""The time that a Lambda function has for a run."""

# Lambda's longest, which the deployed function is given.
LONGEST_SECONDS = 900
# What is kept back of the time that Lambda gives, to write down how the run ended.
RESERVE_SECONDS = 10
