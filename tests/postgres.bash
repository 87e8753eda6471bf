# shellcheck shell=bash
# For tests beside a database, beside helpers: a PostgreSQL of the test's own, which stop_all ends, and
# whose directory $PGHOST is the test's to remove. psql finds it.

# It won't run as root: then it runs as postgres.
start_database()
{
    PG=$(dirname "$(find /usr/lib/postgresql/*/bin/postgres | sort -V | tail -n 1)")
    export PGHOST PGUSER=postgres PGDATABASE=postgres
    PGHOST=$(mktemp -d /tmp/collab-pg-XXXXXX)
    AS=(env)
    if [ "$(id -u)" -eq 0 ]; then
        AS=(setpriv --reuid=postgres --regid=postgres --clear-groups)
        chown postgres "$PGHOST"
    fi
    (cd "$PGHOST" && "${AS[@]}" "$PG/initdb" -U postgres -A trust --no-sync -D "$PGHOST/db" >/dev/null)
    start_postgres
}

# Runs it again where it was.
start_postgres()
{
    cd "$PGHOST" || return
    start postgres "${AS[@]}" "$PG/postgres" -D "$PGHOST/db" -k "$PGHOST" -c listen_addresses= \
        -c fsync=off
    cd "$OLDPWD" || return
    wait_until psql -qc 'SELECT 1' -o /dev/null
}
