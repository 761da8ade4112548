#!/bin/sh
# Makes the secrets of docker-compose.yml, those that are not there yet: make-secrets.sh [FOLDER]
set -eu
umask 077
folder=${1:-$(dirname "$0")/secrets}
mkdir -p "$folder"

drawn() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
keep() { [ -s "$folder/$1" ] || printf '%s' "$2" >"$folder/$1"; }

keep postgres_password "$(drawn)"
keep workunits_password "$(drawn)"
keep ledger_url "postgresql://workunits:$(cat "$folder/workunits_password")@postgres:5432/ledger"
keep journal_url "postgresql://workunits:$(cat "$folder/workunits_password")@postgres:5432/journal"
keep session_key "$(drawn)"
keep grafana_admin_password "$(drawn)"
keep alert_receiver_token "$(drawn)"
keep oidc_client_secret "put the secret of your OpenID provider here"
# Containers read them as a user of their own; who may enter the folder is still its owner alone.
chmod 0444 "$folder"/*
