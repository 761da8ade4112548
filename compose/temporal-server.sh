#!/bin/sh
# The server takes its password from the environment alone: it gets it here, and the container's own has none.
set -eu
POSTGRES_PWD=$(cat /run/secrets/postgres_password)
export POSTGRES_PWD
exec /etc/temporal/entrypoint.sh
