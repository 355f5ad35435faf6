#!/bin/sh
# jsonschema 4.26.0 (PyPI): what Draft202012Validator(schema) does with a "$ref" to another host.
#
# Valid input: a schema that is only {"$ref": "http://127.0.0.1:PORT/answer.json"}, as an agent may
# send with a question to a person (responseSchema of AG-UI).
#
# One would have guessed: an error, because the schema behind the reference is not known. The library
# that jsonschema has used for references since 4.18, referencing, fetches nothing by itself.
# Seen: the validator requests the address from the machine that validates, and uses what comes. It
# only emits a DeprecationWarning, which Python hides outside of tests. With an empty Registry it
# raises an error and requests nothing.
# What to do: give each validator of a schema from outside registry=Registry().
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install jsonschema==4.26.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON' 2>/dev/null
import http.server
import threading

from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.exceptions import Unresolvable

asked = []


class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        asked.append(self.path)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"type": "integer"}')


server = http.server.HTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
schema = {"$ref": f"http://127.0.0.1:{server.server_port}/answer.json"}

is_valid = Draft202012Validator(schema).is_valid("a text")
print("without a registry:", "valid" if is_valid else "not valid", asked)
assert (is_valid, asked) == (False, ["/answer.json"])

asked.clear()
try:
    Draft202012Validator(schema, registry=Registry()).is_valid("a text")
except Unresolvable as error:
    print("with an empty registry:", type(error).__name__, asked)
    assert asked == []
else:
    raise SystemExit("An unknown reference passes now.")
PYTHON
