#!/usr/bin/env bash
# mutants.sh - breaks the services on purpose, one promise at a time, and shows that the
# simulation finds each break. Nothing is changed on disk but copies under build/.
#
#   make mutants            (B, CC, FLAGS, LINK, LIBS and ARCHIVES come from the Makefile)
#
# A mutant is one file with one sed program. Its object stands before the archives when the
# simulation is linked, so it takes the place of the one in them.
set -uo pipefail
SEEDS=${SEEDS:-1000} RARE=5000                 # what needs two coincidences at once
out=$B/mutants
passed=0 failed=0

mutant() { # name file sed-program [seeds]
  local name=$1 file=$2 program=$3 seeds=${4:-$SEEDS} copy=$out/$1/${2##*/}
  mkdir -p "$out/$name"
  sed -E "$program" "$file" > "$copy"
  if cmp -s "$file" "$copy"; then
    echo "not ok - $name: the change does not apply to $file any more"
    failed=$((failed + 1))
    return
  fi
  # shellcheck disable=SC2086
  if ! $CC $FLAGS -Wno-error -w -c -o "$out/$name/mutant.o" "$copy" ||
     ! $CC $FLAGS $LINK -o "$out/$name/sim" "$B"/tests/sim/*.o "$out/$name/mutant.o" $ARCHIVES $LIBS; then
    echo "not ok - $name: does not build"
    failed=$((failed + 1))
    return
  fi
  if "$out/$name/sim" --count "$seeds" > "$out/$name/log" 2>&1; then
    echo "not ok - $name: $seeds seeds found nothing"
    failed=$((failed + 1))
  else
    echo "ok - $name: $(grep -h ' breaks: ' "$out/$name/log" | tail -1)"
    passed=$((passed + 1))
  fi
}

# The join: what is held is told before the snapshot, or not at all; the snapshot is sent before
# the room is where it is; rooms that let in whom they may not, and keep whom they may not.
mutant join-sends-before-it-replays gateway/topic_source.c \
  '/^static void waiter_serve/,/^}/ { s/^    each_line\(t, v->snapshot\.routing\.seq, tell_peer.*$//; s/^    peer_emit_message\(/    each_line(t, v->snapshot.routing.seq, tell_peer, \&telling);\n&/ }'
mutant join-without-replay gateway/topic_source.c \
  '/^static void waiter_serve/,/^}/ s/^    each_line\(t, v->snapshot\.routing\.seq, tell_peer.*$//'
mutant join-without-fence gateway/join.c \
  '/^static void look_at_fence/,/^}/ s/position_reached\(j->feed_at, j->fence\)/true/'
mutant answers-show-the-past gateway/source.c \
  '/^bool source_is_older/,/^}/ s/least\.epoch == 0/true/' "$RARE"
mutant dashboard-without-replay gateway/board_source.c \
  '/^static void waiter_serve/,/^}/ s/^    tell_lines\(.*$//'
mutant dashboard-keeps-what-turned-private gateway/boards.c \
  's/^    return frame_has\(f, "dash"\) && frame_has\(f, "mine"\);$/    return false;/'
mutant room-lets-everybody-in gateway/topic_source.c \
  '/^static void waiter_serve/,/^}/ s/!topic_may_see\(t, p\)/false/'
mutant room-keeps-everybody gateway/lines.c \
  '/^static void evict\(/,/^}/ s/if \(p == NULL \|\|/if (true ||/'

# The outbox: marked before it is published; a gap that is taken for an answer.
mutant outbox-marks-before-it-publishes taskd/outbox_due.c \
  's/^    e->sending = m->m.seq;$/&\n    e->sent = e->sending; e->sent_bucket = m->m.after;/; /^static bool due_mark/,/^}/ s/^    if \(\(e->sending.*$/    if (false)/'
mutant outbox-forgets-what-is-lost taskd/outbox.c \
  's/answer == OUTBOX_HELD \|\| answer == OUTBOX_LOST/answer == OUTBOX_HELD/; s/^    if \(answer == OUTBOX_SENT && m/    if ((answer == OUTBOX_SENT || answer == OUTBOX_LOST) \&\& m/'
mutant snapshot-shows-what-is-not-published taskd/internal.c \
  's/^        if \(tasks\[i\]\.published_seq >= tasks\[i\]\.seq\)$/        if (true)/' "$RARE"

# The feed: what is ahead is taken as it comes; what was missed is not asked for. (The rooms' own
# check of seqs, in topics.c, is a second line: while the feed is right it is never needed, so
# no history can miss it.)
mutant feed-without-gap-check gateway/feed.c \
  's/^    if \(at\.number != f->at\.number \+ 1\)$/    if (false)/'
mutant feed-without-resync gateway/feed.c \
  '/^static void start_afresh/,/^}/ s/^    f->handlers->resync.*$//'

# The comparison with the store: what was missed is found, and not made good.
mutant comparison-finds-nothing gateway/compare.c \
  '/^static bool is_behind/,/^}/ s/told < seq;$/told < 0;/'

# The moves: a seq that is left out.
mutant transition-leaves-a-seq-out taskd/transitions.c \
  's/^    after->seq = before->seq \+ 1;$/    after->seq = before->seq + 2;/'

echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
