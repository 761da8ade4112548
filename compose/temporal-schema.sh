#!/bin/sh
# The schema of Temporal, brought up to the version of the tools; run again it changes nothing.
set -eu
SQL_PASSWORD=$(cat /run/secrets/postgres_password)
export SQL_PASSWORD
for pair in temporal:temporal temporal_visibility:visibility; do
    database=${pair%%:*}
    tool="temporal-sql-tool --plugin postgres12 --ep postgres --port 5432 --user temporal --db $database"
    $tool create
    $tool setup-schema -v 0.0 || true # there already
    $tool update-schema -d "/etc/temporal/schema/postgresql/v12/${pair##*:}/versioned"
done
