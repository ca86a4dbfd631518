#!/usr/bin/env bash
# build.sh - a Debian package of what was built: both services with their units, the page, taskctl
# with its man pages and completion.
#
#   deploy/debian/build.sh build/release VERSION build/release/taskwire.deb
#
# What it depends on is what the programs link against, as dpkg knows it on the machine that built
# them. An upgrade restarts running instances one after the other; each says when it can serve.
set -euo pipefail
cd "$(dirname "$0")/../.."

build=$1 version=$2 out=$3
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
umask 022

# --- what is in it ---
lib=$tree/usr/lib/taskwire
install -Dm755 -t "$lib/bin" "$build/bin/gateway" "$build/bin/taskd" "$build/bin/taskctl"
strip --strip-unneeded "$lib"/bin/*
mkdir -p "$lib/web" "$tree/usr/bin"
cp -r "$build/web/." "$lib/web/"
rm -f "$lib/web/.done"
ln -s ../lib/taskwire/bin/taskctl "$tree/usr/bin/taskctl"
install -Dm644 -t "$tree/usr/lib/systemd/system" deploy/systemd/*.service deploy/systemd/*.socket
install -Dm644 -t "$tree/usr/share/doc/taskwire" README.md deploy/env.example deploy/metrics.md deploy/alerts.yml \
  deploy/grafana/taskwire.json deploy/haproxy/haproxy.cfg deploy/nginx/nginx.conf
for page in "$build"/man/man1/*.1; do
  install -Dm644 "$page" "$tree/usr/share/man/man1/$(basename "$page")"
  gzip -9n "$tree/usr/share/man/man1/$(basename "$page")"
done
install -d "$tree/usr/share/bash-completion/completions" "$tree/usr/share/zsh/vendor-completions" \
  "$tree/usr/share/fish/vendor_completions.d"
"$build/bin/taskctl" completion bash >"$tree/usr/share/bash-completion/completions/taskctl"
"$build/bin/taskctl" completion zsh >"$tree/usr/share/zsh/vendor-completions/_taskctl"
"$build/bin/taskctl" completion fish >"$tree/usr/share/fish/vendor_completions.d/taskctl.fish"
for service in gateway taskd; do
  install -Dm640 /dev/stdin "$tree/etc/taskwire/$service.env" <<<"# Settings of $service: /usr/share/doc/taskwire/env.example lists them all."
done

# --- what it needs: each library's package; the foreign ones of other architectures stand elsewhere ---
depends() {
  readelf -d "$lib"/bin/* | sed -n 's/.*(NEEDED).*\[\(.*\)\]/*\/lib\/*-linux-gnu*\/\1/p' | sort -u | xargs dpkg -S |
    grep -v -- '-dev\|-dbg\|cross\|^diversion' | awk -F/ '!seen[$NF]++' | cut -d: -f1 | sort -u | while read -r package; do
    printf '%s (>= %s)\n' "$package" "$(dpkg-query -W -f='${Version}' "$package" | sed 's/^\([0-9]*:\)\?\([0-9]*\.[0-9]*\).*/\1\2/')"
  done | paste -sd, | sed 's/,/, /g'
}
mkdir "$tree/DEBIAN"
cat >"$tree/DEBIAN/control" <<CONTROL
Package: taskwire
Version: 0+git.$(tr -c 'A-Za-z0-9.+~\n' . <<<"$version")
Architecture: $(dpkg --print-architecture)
Maintainer: Taskwire maintainers <maintainers@taskwire.invalid>
Depends: $(depends)
Recommends: redis-server
Section: net
Priority: optional
Description: live updates of coding tasks, over Socket.IO
 Two services: taskd owns the tasks, in SQLite or MongoDB; gateway holds browsers' connections,
 any number of them, and speaks Socket.IO. taskctl is the operators' command line.
CONTROL
printf '/etc/taskwire/%s.env\n' gateway taskd >"$tree/DEBIAN/conffiles"

# --- what is done with it ---
cat >"$tree/DEBIAN/postinst" <<'POSTINST'
#!/bin/sh
set -e
[ "$1" = configure ] || exit 0
# Secrets of this machine, unless there are some: several machines share theirs.
for secret in jwt cluster; do
  file=/etc/taskwire/$secret.secret
  [ -s "$file" ] || (umask 077 && od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$file")
done
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  # One after the other: each is ready before the next is stopped.
  for unit in $(systemctl list-units --plain --no-legend --state=active 'taskwire-*@*.service' | cut -d' ' -f1); do
    systemctl restart "$unit" || true
  done
fi
POSTINST
cat >"$tree/DEBIAN/prerm" <<'PRERM'
#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  systemctl stop 'taskwire-*@*.socket' 'taskwire-*@*.service' || true
fi
PRERM
cat >"$tree/DEBIAN/postrm" <<'POSTRM'
#!/bin/sh
set -e
[ "$1" != purge ] || rm -f /etc/taskwire/jwt.secret /etc/taskwire/cluster.secret
[ ! -d /run/systemd/system ] || systemctl daemon-reload
POSTRM
chmod 755 "$tree"/DEBIAN/post* "$tree/DEBIAN/prerm"

dpkg-deb --root-owner-group --build "$tree" "$out" >/dev/null
