#!/bin/sh
# Runs a command of Écoute as its user, with its environment: /usr/local/sbin/ecoute.
#     ecoute doctor
set -eu
set -a
. /etc/ecoute/ecoute.env
set +a
export HOME=/var/lib/ecoute PYTHONPATH=/opt/ecoute
umask 077
exec setpriv --reuid=ecoute --regid=ecoute --init-groups \
    /opt/ecoute/.venv/bin/python -m qa_core "$@"
