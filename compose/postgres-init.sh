#!/bin/sh
# Run once by PostgreSQL's image, on an empty volume: our own user, and the databases of ledger and inbox.
set -eu
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
    --set password="$(cat /run/secrets/workunits_password)" <<'SQL'
CREATE USER workunits PASSWORD :'password';
CREATE DATABASE ledger OWNER workunits;
CREATE DATABASE journal OWNER workunits;
SQL
