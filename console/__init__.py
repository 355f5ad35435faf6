"""The operators' pages: what runs when, what failed and why, and the forms to change it.

Triggers and their runs stand side by side here, so this app is above both; nothing imports it.
"""
