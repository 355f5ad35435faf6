"""The operators' pages: what runs when, what failed and why, and forms to change triggers.

The pages show triggers beside their runs. This app may import both apps, and no app imports it.
"""
