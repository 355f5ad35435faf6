"""Triggers and event sources as files, for review in git and for moving.

`form` says what a file has of each, `files` writes and reads YAML and JSON, `importing` compares a
file with what there is and brings that to what the file says.
"""
