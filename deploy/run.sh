#!/usr/bin/env bash
# run.sh - a whole Taskwire on loopback for a first look: a private Redis, taskd, a gateway
# and the simulator that plays the internal services. Ctrl-C stops all of it.
#
#   PORT=3000          the gateway's port
#   RUN_DIR=build/run  where data and logs go
#   STORE=sqlite       or mongo: the test server of tests/mongo/
set -euo pipefail
cd "$(dirname "$0")/.."

B=${B:-build/release}
PORT=${PORT:-3000}
RUN_DIR=${RUN_DIR:-build/run}
STORE=${STORE:-sqlite}
PACE_MS=${PACE_MS:-4000}
mkdir -p "$RUN_DIR"
RUN_DIR=$(cd "$RUN_DIR" && pwd)

say() { printf '%s\n' "$*"; }
fail() { printf 'run: %s\n' "$*" >&2; exit 1; }

# --- one at a time in a folder; whatever happens, nothing stays behind ---
exec 9>"$RUN_DIR/lock"
flock -n 9 || fail "another 'make run' works in $RUN_DIR (set RUN_DIR and PORT for a second one)"

# PostgreSQL, under the MongoDB-wire server, refuses to run as root; the unprivileged user that
# runs it then may be unable to enter this folder (a checkout in a home directory, say).
mongo_dir=$RUN_DIR/mongo
if [ "$STORE" = mongo ] && [ "$(id -u)" = 0 ] &&
  ! setpriv --reuid=65534 --regid=65534 --clear-groups test -x "$RUN_DIR"; then
  mongo_dir=/var/cache/taskwire/run-$(cksum <<<"$RUN_DIR" | cut -d' ' -f1)
fi

pids=()
stop_all() {
  trap - EXIT INT TERM HUP
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do kill -TERM "${pids[i]}" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do
    for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -KILL "$pid" 2>/dev/null || true
  done
  [ "$STORE" != mongo ] || TM_RUN=$mongo_dir tests/mongo/server.sh halt || true
}
trap 'stop_all; exit 0' INT TERM HUP
trap stop_all EXIT

# A process of its own session does not get the terminal's Ctrl-C: we stop it, in order.
begin() { # name command...
  local name=$1
  shift
  setsid "$@" >"$RUN_DIR/$name.log" 2>&1 9>&- &
  pids+=($!)
}

free_port() {
  node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })'
}

await() { # name pid command...: until it succeeds
  local name=$1 pid=$2
  shift 2
  for _ in $(seq 300); do
    kill -0 "$pid" 2>/dev/null || { tail -5 "$RUN_DIR/$name.log" >&2; fail "$name ended; its log is $RUN_DIR/$name.log"; }
    if "$@" >/dev/null 2>&1; then return 0; fi
    sleep 0.1
  done
  fail "$name is not ready after 30 s; its log is $RUN_DIR/$name.log"
}

answers() { # url
  node -e 'fetch(process.argv[1]).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))' "$1"
}

# --- secrets of this folder, made once ---
for secret in jwt cluster; do
  if [ ! -s "$RUN_DIR/$secret.secret" ]; then
    (umask 077 && node -e 'process.stdout.write(require("crypto").randomBytes(32).toString("hex"))' >"$RUN_DIR/$secret.secret")
  fi
done
export JWT_SECRET_FILE=$RUN_DIR/jwt.secret CLUSTER_SECRET_FILE=$RUN_DIR/cluster.secret
export BIND_ADDRESS=127.0.0.1
export DRAIN_NOTICE_SECONDS=0 DRAIN_SECONDS=2   # nobody balances between us and another
unset JWT_SECRET CLUSTER_SECRET

# --- Redis, store, taskd, gateway, simulator ---
redis_port=$(free_port)
begin redis redis-server --port "$redis_port" --bind 127.0.0.1 --dir "$RUN_DIR" --save '' --appendonly yes --appendfsync everysec
redis_pid=${pids[-1]}
await redis "$redis_pid" redis-cli -p "$redis_port" ping
export REDIS_URL=redis://127.0.0.1:$redis_port

case $STORE in
  sqlite) store_url=sqlite:$RUN_DIR/taskwire.db ;;
  mongo)
    export TM_RUN=$mongo_dir
    if [ -d "$TM_RUN/pg" ]; then
      mongo_url=$(tests/mongo/server.sh restart)
    else
      say "starting a MongoDB-wire server (the first time it is fetched and built: some minutes)"
      mongo_url=$(TM_DURABLE=1 tests/mongo/server.sh start "$(free_port)")
    fi
    store_url=${mongo_url%/}/taskwire
    ;;
  *) fail "STORE is sqlite or mongo, not '$STORE'" ;;
esac

taskd_port=$(free_port)
begin taskd env PORT="$taskd_port" METRICS_PORT="$(free_port)" STORE_URL="$store_url" "$B/bin/taskd"
export TASKD_URL=http://127.0.0.1:$taskd_port
await taskd "${pids[-1]}" answers "$TASKD_URL/api/health/ready"

begin gateway env PORT="$PORT" METRICS_PORT="$(free_port)" DEV_LOGIN=true "$B/bin/gateway"
await gateway "${pids[-1]}" answers "http://127.0.0.1:$PORT/api/health/ready"

begin simulate "$B/bin/taskctl" simulate --org demo --pace "$PACE_MS"

say ""
say "  Taskwire runs at http://localhost:$PORT"
say ""
say "  redis $REDIS_URL · taskd $TASKD_URL · store $STORE"
say "  data and logs in $RUN_DIR · a token: JWT_SECRET_FILE=$RUN_DIR/jwt.secret $B/bin/taskctl token --org demo"
say "  Ctrl-C stops all of it"

# Wait for a signal, or for one of them to end by itself.
wait -n "${pids[@]}" || true
fail "one of the processes ended by itself; the logs are in $RUN_DIR"
