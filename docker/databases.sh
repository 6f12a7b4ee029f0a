#!/bin/sh
# Runs once, when the postgres service of docker-compose.yml starts on an empty volume: two databases, three logins.
# The same statements, with their reasons, stand in docs/operations.md.
set -eu

psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
  --set owner_password="$LASTRO_OWNER_PASSWORD" \
  --set login_password="$LASTRO_LOGIN_PASSWORD" \
  --set simulator_password="$LASTRO_SIMULATOR_PASSWORD" <<'SQL'
CREATE ROLE lastro_app NOLOGIN;
CREATE ROLE lastro_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE lastro_login LOGIN PASSWORD :'login_password' IN ROLE lastro_app;
CREATE ROLE lastro_simulator LOGIN PASSWORD :'simulator_password';
CREATE DATABASE lastro OWNER lastro_owner;
CREATE DATABASE lastro_simulator OWNER lastro_simulator;
REVOKE CONNECT ON DATABASE lastro, lastro_simulator FROM PUBLIC;
GRANT CONNECT ON DATABASE lastro TO lastro_login;
SQL
