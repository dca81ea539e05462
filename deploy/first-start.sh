#!/bin/sh
# first-start.sh SHARED POSTGRES: makes a password for the database and writes it to SHARED/database-url, for the API
# processes, and to POSTGRES/postgres-password, for PostgreSQL. What is there already stays.
set -eu
shared=$1
postgres=$2
if [ -s "$shared/database-url" ]; then exit 0; fi
umask 077
password=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
printf '%s\n' "$password" >"$postgres/postgres-password.new"
chmod 0444 "$postgres/postgres-password.new" # another user's process reads it; nobody else has this volume
mv -f "$postgres/postgres-password.new" "$postgres/postgres-password"
printf 'postgres://keystead:%s@postgres:5432/keystead\n' "$password" >"$shared/database-url.new"
mv -f "$shared/database-url.new" "$shared/database-url"
