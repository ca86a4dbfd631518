#!/usr/bin/env bash
# server.sh -- a real MongoDB-wire server for the tests, on loopback, without root or containers.
#
# No registry that the tests may use carries mongod. FerretDB 2 speaks MongoDB's wire over
# PostgreSQL with the DocumentDB extension; its updates of one document are atomic, and kill -9
# loses nothing that was acknowledged. FerretDB comes from the Go module proxy; PostgreSQL and
# the extension are Debian's (of the testing suite), unpacked into a folder of their own and
# run with their own loader and C library, so that nothing on the machine changes.
#
#   server.sh build        fetch and unpack; the first time one to two minutes, then nothing
#   server.sh start PORT   a new, empty server on 127.0.0.1:PORT; prints its URL
#   server.sh stop         end it and forget its data
#   server.sh kill9        kill -9 all of it          server.sh halt      end it, keep its data
#   server.sh restart      start again on the data that a kill9 or halt left
#   server.sh freeze       SIGSTOP: it is there and says nothing      server.sh thaw
#   server.sh psql ARG...  look into the data
#
# Settings: TM_HOME    the cache, outside the checkout (root: /var/cache/taskwire/mongo, which the
#                      unprivileged user that PostgreSQL insists on can reach; else ~/.cache/…)
#           TM_RUN     this instance's data and pid files ($TM_HOME/run): one folder, one server
#           TM_DURABLE=1 fsync on, for crash tests      TM_AUTH=user:password authentication
#           TM_SUITE   Debian suite (forky)             TM_MIRROR   Debian mirror (this machine's)
#           TM_FETCH_SECONDS  what one download may take (600)
set -euo pipefail

FERRETDB=github.com/FerretDB/FerretDB/v2/cmd/ferretdb@v2.7.0
NOBODY=65534

is_root() { [ "$(id -u)" = 0 ]; }
user_home=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/taskwire/mongo
if is_root; then default_home=/var/cache/taskwire/mongo; else default_home=$user_home; fi
home=${TM_HOME:-$default_home}
run=${TM_RUN:-$home/run}
template=$home/template-2                      # counted up when what is in it changes
suite=${TM_SUITE:-forky}
root=$home/root
pgbin=$root/usr/lib/postgresql/18/bin
fetch_seconds=${TM_FETCH_SECONDS:-600}

die() { echo "server.sh: $*" >&2; exit 1; }

# PostgreSQL refuses to run as root; and its environment should hold nothing by chance.
as_nobody() {
    local clean=(env -i LC_ALL=C PATH=/usr/bin:/bin HOME="$run")
    if is_root; then
        setpriv --reuid=$NOBODY --regid=$NOBODY --clear-groups "${clean[@]}" "$@"
    else
        "${clean[@]}" "$@"
    fi
}
give_to_nobody() { if is_root; then chown $NOBODY:$NOBODY "$1"; fi; }

# Below the ports that outgoing connections are given.
free_port() {
    node -e 'const net = require("net"), attempt = () => {
        const port = 10000 + Math.floor(Math.random() * 22000);
        const s = net.createServer().on("error", attempt);
        s.listen(port, "127.0.0.1", () => s.close(() => console.log(port)));
    };
    attempt();'
}

# --- build ---

fetch_packages() {
    local apt_dir=$home/apt mirror
    mirror=${TM_MIRROR:-$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' |
        awk '$2 !~ /security|updates/ { print $1; exit }')}
    [ -n "$mirror" ] || die "no Debian mirror is configured; name one in TM_MIRROR"
    mkdir -p "$apt_dir"/{lists/partial,archives/partial,etc}
    : > "$apt_dir/status"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" \
        > "$apt_dir/etc/list"
    local apt=(timeout "$fetch_seconds" apt-get -qq
        -o Dir::Etc::sourcelist="$apt_dir/etc/list" -o Dir::Etc::sourceparts=/dev/null
        -o Dir::State="$apt_dir" -o Dir::State::status="$apt_dir/status" -o Dir::Cache="$apt_dir"
        -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null
        -o APT::Install-Recommends=false -o Acquire::Languages=none -o APT::Sandbox::User=root
        -o Acquire::Check-Valid-Until=false -o Acquire::Check-Date=false -o Debug::NoLocking=true)
    "${apt[@]}" update || die "the package lists of $suite cannot be fetched from $mirror"
    "${apt[@]}" -y --download-only -o Dir::Cache::archives="$apt_dir/archives" \
        install postgresql-18-documentdb liblapack3 libblas3 >/dev/null ||
        die "PostgreSQL with DocumentDB cannot be fetched from $mirror"
}

unpack_packages() {
    local tree=$1 deb
    for deb in "$home"/apt/archives/*.deb; do
        dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$tree" --no-same-owner \
            --keep-directory-symlink --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' \
            --exclude='./usr/share/locale/*' --exclude='./usr/share/fonts/*' \
            --exclude='./usr/lib/postgresql/18/lib/bitcode/*' --exclude='./usr/lib/systemd/*' \
            --exclude='./usr/share/perl*' --exclude='./usr/share/gdal/*' \
            --exclude='./usr/share/info/*' --exclude='./usr/lib/x86_64-linux-gnu/perl*'
    done
}

# What maintainer scripts and ldconfig would have done.
finish_tree() {
    local tree=$1 lib=$1/usr/lib/x86_64-linux-gnu bin=$1/usr/lib/postgresql/18/bin
    local name file
    for name in blas lapack; do
        for file in "$lib/$name"/*.so.*; do
            [ ! -e "$file" ] || ln -sf "$name/${file##*/}" "$lib/"
        done
    done
    for file in "$tree"/usr/share/postgresql/18/extension/postgis*-3.control; do
        [ -e "${file%-3.control}.control" ] || ln -s "${file##*/}" "${file%-3.control}.control"
    done
    if [ ! -e "$tree/usr/lib64/ld-linux-x86-64.so.2" ]; then
        mkdir -p "$tree/usr/lib64"
        ln -s ../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 "$tree/usr/lib64/"
    fi
    for name in postgres initdb pg_ctl psql; do
        mv "$bin/$name" "$bin/$name.real"
        cat > "$bin/$name" <<'WRAPPER'
#!/bin/sh
# With its own loader and libraries, whatever the machine's are.
bin=$(cd "$(dirname "$0")" && pwd)
tree=${bin%/usr/lib/postgresql/18/bin}
name=${0##*/}
exec "$tree/usr/lib64/ld-linux-x86-64.so.2" \
    --library-path "$tree/usr/lib/x86_64-linux-gnu:$tree/usr/lib/postgresql/18/lib" \
    --argv0 "$bin/$name" "$bin/$name.real" "$@"
WRAPPER
        chmod 755 "$bin/$name"
    done
}

build_postgres() {
    [ ! -x "$pgbin/postgres" ] || return 0
    fetch_packages
    rm -rf "$root.tmp"
    mkdir -p "$root.tmp"
    unpack_packages "$root.tmp"
    finish_tree "$root.tmp"
    mv "$root.tmp" "$root"
    rm -rf "$home/apt"
}

build_ferretdb() {
    [ ! -x "$home/bin/ferretdb" ] || return 0
    command -v go >/dev/null || die "Go is needed to build FerretDB (apt-get install golang)"
    mkdir -p "$home/bin"
    GOBIN=$home/bin timeout "$fetch_seconds" go install "$FERRETDB" || die \
        "FerretDB could not be built within $fetch_seconds s: is the Go module proxy" \
        "($(go env GOPROXY)) reachable? Set TM_FETCH_SECONDS for a slow one"
}

# A cluster that has the extension, made once and copied for each start.
build_template() {
    local made=$template.tmp port
    [ ! -d "$template" ] || return 0
    rm -rf "$made"
    mkdir -p "$made"
    give_to_nobody "$made"
    as_nobody test -x "$pgbin/initdb" || die "the user $NOBODY cannot reach $home: set TM_HOME"
    as_nobody "$pgbin/initdb" -D "$made" -U postgres -A trust -E UTF8 --locale=C --no-sync >/dev/null
    cat >> "$made/postgresql.conf" <<'CONF'
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
shared_preload_libraries = 'pg_cron,pg_documentdb_core,pg_documentdb_extended_rum,pg_documentdb'
# Indexes that can also be read in their order: a page is a range, not a sort of everything.
documentdb.alternate_index_handler_name = 'extended_rum'
cron.database_name = 'postgres'
# The port changes with each start: no connection string of the template's may be kept.
cron.use_background_workers = on
documentdb.localhost_connection_string = 'host=127.0.0.1'
documentdb.enableUserCrud = true
documentdb.maxUserLimit = 100
max_worker_processes = 24
max_connections = 120
deadlock_timeout = 50ms
CONF
    port=$(free_port)
    echo "port = $port" >> "$made/postgresql.conf"
    as_nobody "$pgbin/pg_ctl" -D "$made" -l "$made/log" -w -t 60 start >/dev/null
    as_nobody "$pgbin/psql" -h 127.0.0.1 -p "$port" -U postgres \
        -qc 'CREATE EXTENSION documentdb CASCADE' -c 'CREATE EXTENSION documentdb_extended_rum' \
        >/dev/null 2>&1
    as_nobody "$pgbin/pg_ctl" -D "$made" -w -m fast stop >/dev/null
    mv "$made" "$template"
}

build() {
    mkdir -p "$home"
    # What a user's cache holds already need not be fetched again.
    if is_root && [ "$home" != "$user_home" ] && [ ! -d "$root" ] && [ -d "$user_home/root" ]; then
        cp -al "$user_home/root" "$root" 2>/dev/null || cp -a "$user_home/root" "$root"
        cp -a "$user_home/bin" "$home/" 2>/dev/null || true
    fi
    exec 9> "$home/lock"
    flock 9                                   # two test runs may begin at once
    build_postgres
    build_ferretdb
    build_template
    exec 9>&-
}

# --- run ---

pg_ctl() { as_nobody "$pgbin/pg_ctl" -D "$run/pg" "$@"; }

# PORT and PGPORT of the instance in $run.
load_instance() {
    [ -f "$run/env" ] || die "nothing was started in $run"
    # shellcheck disable=SC1091
    . "$run/env"
}

wait_for_port() {
    local i
    for i in $(seq 500); do
        if (exec 3<> "/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return 0; fi
        kill -0 "$(cat "$run/ferretdb.pid")" 2>/dev/null || break
        sleep 0.02
    done
    tail -5 "$run/ferretdb.log" >&2 || true
    die "FerretDB does not listen on port $1"
}

up() {
    load_instance
    pg_ctl -l "$run/pg/log" -w -t 60 start >/dev/null || die "PostgreSQL does not start: $run/pg/log"
    local auth=--auth
    [ -n "$AUTH_USER" ] || auth=--no-auth
    DO_NOT_TRACK=1 setsid nohup "$home/bin/ferretdb" --telemetry=disable \
        --listen-addr="127.0.0.1:$PORT" --debug-addr=- --state-dir="$run" \
        --postgresql-url="postgres://postgres@127.0.0.1:$PGPORT/postgres?pool_max_conns=60" \
        $auth --log-level=WARN >> "$run/ferretdb.log" 2>&1 < /dev/null &
    echo $! > "$run/ferretdb.pid"
    wait_for_port "$PORT"
    echo "mongodb://${TM_AUTH:+$TM_AUTH@}127.0.0.1:$PORT/"
}

# A superuser whose salt has the 28 bytes that libmongoc insists on.
add_user() {
    local user=${1%%:*} secret
    secret=$(PASSWORD=${1#*:} node -e '
        const c = require("crypto"), salt = c.randomBytes(28);
        const key = c.pbkdf2Sync(process.env.PASSWORD, salt, 4096, 32, "sha256");
        const mac = (text) => c.createHmac("sha256", key).update(text).digest();
        const stored = c.createHash("sha256").update(mac("Client Key")).digest("base64");
        console.log(`SCRAM-SHA-256$4096:${salt.toString("base64")}$${stored}:` +
            mac("Server Key").toString("base64"));')
    pg_ctl -l "$run/pg/log" -w -t 60 start >/dev/null
    as_nobody "$pgbin/psql" -h 127.0.0.1 -p "$PGPORT" -U postgres \
        -qc "create role \"$user\" superuser login password '$secret'"
    pg_ctl -w -m fast stop >/dev/null
}

start() {
    PORT=${1:?server.sh start PORT}
    build >&2
    [ ! -f "$run/env" ] || die "$run holds a server already: stop it, or set TM_RUN"
    mkdir -p "$run"
    cp -a "$template" "$run/pg"
    give_to_nobody "$run"
    PGPORT=$(free_port)
    echo "port = $PGPORT" >> "$run/pg/postgresql.conf"
    if [ -z "${TM_DURABLE:-}" ]; then
        printf 'fsync = off\nfull_page_writes = off\n' >> "$run/pg/postgresql.conf"
    fi
    AUTH_USER=${TM_AUTH:+${TM_AUTH%%:*}}
    printf 'PORT=%s\nPGPORT=%s\nAUTH_USER=%s\n' "$PORT" "$PGPORT" "$AUTH_USER" > "$run/env"
    [ -z "${TM_AUTH:-}" ] || add_user "$TM_AUTH"
    up
}

ferretdb_pid() { cat "$run/ferretdb.pid" 2>/dev/null || true; }

halt() {
    local pid i
    pid=$(ferretdb_pid)
    [ -z "$pid" ] || kill "$pid" 2>/dev/null || true
    pg_ctl -w -m "${1:-fast}" stop >/dev/null 2>&1 || true
    for i in $(seq 100); do
        if [ -z "$pid" ] || ! kill -0 "$pid" 2>/dev/null; then break; fi
        sleep 0.02
    done
}

stop() {
    [ -f "$run/env" ] || return 0
    halt immediate
    rm -rf "$run"
}

# All at once: the postmaster is held first, so that it cannot tidy up after its children.
kill9() {
    local postmaster children i
    postmaster=$(head -1 "$run/pg/postmaster.pid")
    kill -STOP "$postmaster"
    children=$(pgrep -P "$postmaster" || true)
    # shellcheck disable=SC2086
    kill -9 "$postmaster" $children "$(ferretdb_pid)" 2>/dev/null || true
    for i in $(seq 100); do
        kill -0 "$postmaster" 2>/dev/null || break
        sleep 0.05
    done
    rm -f "$run/pg/postmaster.pid"
}

case ${1:-} in
build)   build ;;
start)   shift; start "$@" ;;
restart) up ;;
halt)    halt ;;
stop)    stop ;;
kill9)   kill9 ;;
freeze)  kill -STOP "$(ferretdb_pid)" ;;
thaw)    kill -CONT "$(ferretdb_pid)" ;;
psql)    shift; load_instance
         as_nobody "$pgbin/psql" -h 127.0.0.1 -p "$PGPORT" -U postgres "$@" ;;
*)       sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; exit 2 ;;
esac
