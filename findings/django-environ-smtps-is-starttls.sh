#!/bin/sh
# django-environ 0.14.0 (PyPI): what smtps:// means in the URL of a mail server.
#
# Valid input: smtps://user:secret@mail.example.com:465, the usual URL of mail submission with TLS
# from the beginning (RFC 8314).
#
# One would have guessed: Django's EMAIL_USE_SSL, which begins the connection with TLS. In URLs the
# ending "s" means that, as in https, ldaps and amqps.
# Seen: EMAIL_USE_TLS, which is STARTTLS. A server at port 465 waits for a TLS handshake, and the
# client waits for a greeting in plain text: nobody says anything until the time-out.
# What to do: write smtp+ssl:// for port 465, or look at the port.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install django-environ==0.14.0
"$folder/venv/bin/python" - <<'PYTHON'
import environ

for scheme in ("smtps", "smtp+tls", "smtp+ssl"):
    found = environ.Env.email_url_config(f"{scheme}://user:secret@mail.example.com:465")
    chosen = [name for name in ("EMAIL_USE_TLS", "EMAIL_USE_SSL") if found.get(name)]
    print(f"{scheme}://", *chosen)
    expected = "EMAIL_USE_SSL" if scheme == "smtp+ssl" else "EMAIL_USE_TLS"
    assert chosen == [expected], "the behaviour has changed"
PYTHON
