#!/bin/sh
# httpx 0.28.1 (PyPI), Response.iter_lines().
#
# Valid input: a newline-delimited JSON body, two lines that end in LF. The first has the characters
# U+2028 and U+0085 inside a JSON string, unescaped, as JSON allows and JSON.stringify writes them.
#
# One would have guessed: iter_lines() gives two lines, since lines of NDJSON and of event streams
# end in LF, CR or CR LF alone.
# Seen: four lines. httpx takes the rules of Python's str.splitlines(), which end a line at U+2028,
# U+0085 and others too. Each half of the first line is no JSON.
# What to do: split the bytes, not the text, as bytes.splitlines() does.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install httpx==0.28.1
"$folder/venv/bin/python" - <<'PYTHON'
import json

import httpx

documents = [{"text": "one\u2028two\u0085three"}, {"text": "end"}]
body = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in documents).encode()
response = httpx.Response(200, headers={"content-type": "application/x-ndjson; charset=utf-8"},
                          content=body)
lines = list(response.iter_lines())
print(len(lines), "lines by iter_lines():", lines)
assert len(lines) == 4, "the behaviour has changed"
assert [json.loads(line) for line in body.splitlines()] == documents
PYTHON
