"""API keys, by which scripts and agents call the API with a part of their owner's rights."""
