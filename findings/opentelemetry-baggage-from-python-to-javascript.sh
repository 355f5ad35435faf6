#!/bin/sh
# opentelemetry-api 1.45.2 (PyPI) and @opentelemetry/core 2.12.1 (npm), W3CBaggagePropagator of both:
# what becomes of a space in baggage on the way from Python to JavaScript.
#
# Valid input: baggage with the value "Ann Lee + Co", put into headers in Python and read in
# JavaScript.
#
# One would have guessed: the same value, since both write the W3C's header `baggage`, in which a
# space is %20 and a plus sign stands for itself.
# Seen: "Ann+Lee+++Co". Python encodes as HTML forms do, a space as a plus sign. JavaScript leaves
# that sign alone, as the W3C says. The other way round, a plus sign that another sender leaves as it
# is becomes a space in Python.
# What to do: quote values yourself by urllib.parse.quote() before set_baggage(), and unquote them at
# the end.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install opentelemetry-api==1.45.2
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund @opentelemetry/core@2.12.1 @opentelemetry/api@1.9.1 >/dev/null
header=$("$folder/venv/bin/python" - <<'PYTHON'
from opentelemetry import baggage
from opentelemetry.baggage.propagation import W3CBaggagePropagator

headers = {}
W3CBaggagePropagator().inject(headers, context=baggage.set_baggage("customer", "Ann Lee + Co"))
print(headers["baggage"])
read = W3CBaggagePropagator().extract({"baggage": "sum=1+1"})
assert baggage.get_baggage("sum", read) == "1 1", "the behaviour has changed"
PYTHON
)
cat >read.mjs <<'JAVASCRIPT'
import { propagation, ROOT_CONTEXT } from '@opentelemetry/api'
import { W3CBaggagePropagator } from '@opentelemetry/core'

const getter = { get: (headers, name) => headers[name], keys: Object.keys }
const headers = { baggage: process.argv[2] }
const context = new W3CBaggagePropagator().extract(ROOT_CONTEXT, headers, getter)
console.log(propagation.getBaggage(context).getEntry('customer').value)
JAVASCRIPT
value=$(node read.mjs "$header")
echo "Python sends $header, JavaScript reads $value"
test "$value" = "Ann+Lee+++Co" || {
    echo 'the behaviour has changed'
    exit 1
}
