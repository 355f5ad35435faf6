"""Triggers and event sources as files, for review in git and for moving.

`serialize` says what a file has of each, `files` writes and reads YAML and JSON, `diff` compares a
file with what is stored, and `plan` makes the changes.
"""
