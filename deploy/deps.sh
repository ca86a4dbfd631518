#!/usr/bin/env bash
# deps.sh - install what building, running and testing need and is missing: Debian packages
# by apt-get (as root or through sudo), npm modules for the page and the tests. Quick where
# nothing is missing; safe to run again.
set -euo pipefail
cd "$(dirname "$0")/.."

build_packages=(gcc make pkg-config libuv1-dev libhiredis-dev libwslay-dev libjansson-dev
  libssl-dev zlib1g-dev libsqlite3-dev libmongoc-dev uthash-dev libcmocka-dev redis-server)
# llhttp: its C sources come with node-llhttp in Debian 12, a library of its own elsewhere.
if [ -e /usr/share/llhttp/llhttp.c ] || pkg-config --exists libllhttp 2>/dev/null; then
  :
elif apt-cache show libllhttp-dev >/dev/null 2>&1; then
  build_packages+=(libllhttp-dev)
else
  build_packages+=(node-llhttp)
fi
# Chromium without its windows is Chromium, and costs half.
test_packages=(clang libclang-rt-14-dev llvm haproxy nginx chromium-headless-shell python3-venv zsh
  fish mandoc groff-base man-db)

installed() {
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing=()
for package in "${build_packages[@]}" "${test_packages[@]}"; do
  installed "$package" || missing+=("$package")
done

if [ ${#missing[@]} -gt 0 ]; then
  echo "  DEPS  ${missing[*]}"
  as_root=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "deps: need root or sudo to install: ${missing[*]}" >&2; exit 1; }
    as_root=(sudo)
  fi
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  # redis-server must not be started as a system service by its installation.
  policy=/usr/sbin/policy-rc.d
  guarded=
  if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee $policy >/dev/null
    "${as_root[@]}" chmod 755 $policy
    guarded=1
  fi
  status=0
  { "${as_root[@]}" apt-get update &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
  } >"$log" 2>&1 || status=$?
  [ -z "$guarded" ] || "${as_root[@]}" rm -f $policy
  [ $status = 0 ] || { tail -30 "$log" >&2; exit $status; }
fi

# npm modules, each folder by its package-lock.json where it has one, else by its package.json;
# done again only when that has changed.
for folder in gateway/web tests tests/conformance; do
  [ -e "$folder/package.json" ] || continue
  stamp=$folder/node_modules/.taskwire-stamp
  if [ -e "$folder/package-lock.json" ]; then
    list=package-lock.json install=(npm ci)
  else
    list=package.json install=(npm install --no-package-lock)
  fi
  if ! cmp -s "$folder/$list" "$stamp"; then
    echo "  NPM   $folder"
    (cd "$folder" && "${install[@]}" --no-audit --no-fund --loglevel=error)
    cp "$folder/$list" "$stamp"
  fi
done
