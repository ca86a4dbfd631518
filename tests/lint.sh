#!/usr/bin/env bash
# lint.sh - what a reviewer need not look for: doors, arrows, sizes, banned calls, leftovers.
# Prints each finding as file:line and ends with `N passed, N failed, 0 skipped` by check.
set -uo pipefail
cd "$(dirname "$0")/.."
shopt -s globstar nullglob

passed=0 failed=0
check() { # name findings
  if [ -z "$2" ]; then passed=$((passed + 1)); return; fi
  failed=$((failed + 1))
  printf '  LINT  %s\n%s\n' "$1" "$(sed 's/^/        /' <<<"$2")"
}
files() { git ls-files -co --exclude-standard -- "$@"; }
c_files() { files '*.c' '*.h'; }
product() { files 'common/*.[ch]' 'proto/*.[ch]' 'gateway/*.[ch]' 'taskd/*.[ch]'; }
includes() { grep -nE "^#include [<\"]($1)" $(product) /dev/null; }

# --- doors: a library is included by the files that own it ---
door() { # headers-regex allowed-files-regex
  check "door: $1" "$(includes "$1" | grep -vE "^($2):")"
}
door 'wslay/' 'gateway/engineio/websocket[a-z_]*\.c'
door 'llhttp' 'common/http_parser\.[ch]'
door 'hiredis' 'common/redis[a-z_]*\.[ch]'
door 'openssl/' 'common/(crypto|jwt[a-z_]*)\.c'
door 'zlib' 'gateway/engineio/deflate\.c|common/gzip\.c'
door 'mongoc|bson|mongoc/|bson/' 'taskd/store_mongo[a-z_]*\.[ch]'
door 'sqlite3' 'taskd/store_sqlite[a-z_]*\.[ch]'

# --- arrows point one way ---
arrow() { # folder-glob forbidden-include-regex
  check "arrow: $1 must not use $2" "$(grep -nE "^#include \"($2)" $(files $1) /dev/null)"
}
arrow 'common/*.[ch]' 'proto/|gateway/|taskd/|tests/'
arrow 'proto/*.[ch]' 'gateway/|taskd/|tests/'
arrow 'gateway/engineio/*' 'gateway/socketio|gateway/[a-z_]*\.h|taskd/|proto/|tests/'
arrow 'gateway/socketio/*' 'gateway/[a-z_]*\.h|taskd/|proto/|tests/'
arrow 'gateway/*.[ch]' 'taskd/|tests/'
arrow 'taskd/*.[ch]' 'gateway/|tests/'
arrow 'taskd/ctl/cli/*' 'proto/|gateway/|tests/|taskd/[a-z_]*\.h|taskd/ctl/[a-z_]*\.h'
check "arrow: the tree uses nothing of taskd/ctl" "$(grep -nE '^#include "taskd/ctl' $(product | grep -v '^taskd/ctl/') /dev/null)"

# --- calls that are not made here ---
check "banned calls" "$(grep -nE '\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|alloca|system|popen)\(' $(c_files) /dev/null)"
check "malloc outside of mem.h" "$(grep -nE '\b(malloc|calloc|realloc|strdup|strndup)[[:space:]]*\(' $(product | grep -v '^common/mem\.') /dev/null | grep -vE '^[^:]*:[0-9]+: *(\*|/\*)')"
check "typedef of a struct" "$(grep -nE '^typedef struct' $(c_files) /dev/null)"

# --- sizes ---
check "files over 700 lines" "$(wc -l $(c_files) $(files '*.mjs' '*.js' '*.sh' '*.ts' '*.tsx') | awk '$1 > 700 && $2 != "total" {print $2 ": " $1 " lines"}')"
check "functions over 70 lines" "$(awk '
  FNR == 1 { start = 0 }
  /^\{/ { start = FNR }
  /^\}/ { if (start && FNR - start - 1 > 70) print FILENAME ":" start ": " FNR - start - 1 " lines"; start = 0 }
' $(files '*.c'))"
check "lines over 110 columns" "$(awk 'length($0) > 110 {print FILENAME ":" FNR ": " length($0) " columns"}' $(c_files))"

# --- leftovers ---
check "leftovers" "$(grep -nE '\b(TODO|FIXME|XXX|HACK)\b|<<<<<<<|>>>>>>>' $(files '*.c' '*.h' '*.mjs' '*.js' '*.sh' '*.md' '*.def' Makefile) /dev/null | grep -v '^tests/lint.sh')"
check "tabs or trailing blanks" "$(grep -nP '\t|[ \t]+$' $(c_files) /dev/null)"
check "the top level" "$(git ls-files -co --exclude-standard | cut -d/ -f1 | sort -u | grep -vE '^(Makefile|gateway|taskd|common|proto|tests|deploy|README\.md|\..*)$')"
check "headers compile alone" "$(for h in $(files 'common/*.h' 'proto/*.h' 'taskd/*.h' 'gateway/*.h'); do
  ${CC:-gcc} -std=c11 -D_GNU_SOURCE -I. -I/usr/share/include/llhttp $(pkg-config --cflags libuv jansson libmongoc-1.0 2>/dev/null) -Wall -fsyntax-only -x c "$h" >/dev/null 2>&1 || echo "$h"
done)"
check "files that README names and that are not there" "$(grep -oE '`[a-z_/]+\.(c|h|js|def|md)`' README.md | tr -d '`' | sort -u | while read -r f; do
  [ -e "$f" ] || [ -e "proto/$f" ] || echo "$f"
done)"
check "machine paths" "$(git grep -nIE "(^|[^A-Za-z0-9_.-])($HOME|$(dirname "$PWD"))/" -- . 2>/dev/null)"

echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
