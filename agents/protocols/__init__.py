"""What agents answer in, a module for each protocol: each reads a body into a Reply."""
