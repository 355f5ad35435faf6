"""Exports triggers and event sources to files, and imports them, for review in git and for moving.

`serialize` turns rows into entries of a file, `export` reads all rows for one, `files` writes and
parses YAML and JSON, `diff` compares a file with the database, and `plan` writes the changes.
"""
