/* server.c -- see server.h.
 *
 * Names follow the Lua (life, is_over, take_hold, org_counts ...), so that the two can be read
 * side by side. What the callers promise is watched here: nothing is published that is not
 * stored. */
#include "tests/sim/server.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/mem.h"
#include "proto/keys.h"
#include "tests/sim/store.h"

#define ORGS_MAX   16
#define PEOPLE_MAX 32
#define SEQS_MAX   64
#define TEXT_MAX   (1u << 20)

struct person {
    char     sub[SERVER_NAME_SIZE];
    int64_t  n[BUCKETS_PER_SCOPE];
    uint64_t rev;
};

struct known_seq {
    char     task[25];
    uint64_t epoch;
    int64_t  seq;
};

struct org_keys {
    char                 name[SERVER_NAME_SIZE];
    bool                 is_there;             /* the hash */
    uint64_t             epoch, number, rev, at_us;
    char                 run[SERVER_NAME_SIZE + 1];
    int64_t              n[BUCKETS_PER_SCOPE];
    struct person        people[PEOPLE_MAX];
    size_t               people_count;
    struct server_entry *log;
    size_t               log_count, log_cap;
    struct known_seq     seqs[SEQS_MAX];
    size_t               seqs_count;
    char                 hold[SERVER_NAME_SIZE];
    uint64_t             hold_until_us;
};

struct memory {
    struct org_keys orgs[ORGS_MAX];
    size_t          count;
};

static struct {
    struct memory now, copy;
    bool          is_up;
    char          run[SERVER_NAME_SIZE + 1];
    unsigned      runs;
    size_t        log_max;
} server;

/* --- memory --- */

static void log_clear(struct org_keys *o)
{
    for (size_t i = 0; i < o->log_count; i++)
        rcbuf_unref(o->log[i].text);
    free(o->log);
    o->log = NULL;
    o->log_count = o->log_cap = 0;
}

static void memory_clear(struct memory *m)
{
    for (size_t i = 0; i < m->count; i++)
        log_clear(&m->orgs[i]);
    m->count = 0;
}

static void memory_copy(struct memory *to, const struct memory *from)
{
    memory_clear(to);
    to->count = from->count;
    for (size_t i = 0; i < from->count; i++) {
        struct org_keys       *o = &to->orgs[i];
        const struct org_keys *f = &from->orgs[i];

        *o = *f;
        o->log = mem_dup(f->log, f->log_count * sizeof(*f->log));
        o->log_cap = f->log_count;
        for (size_t e = 0; e < o->log_count; e++)
            rcbuf_ref(o->log[e].text);
    }
}

static void run_anew(void)
{
    snprintf(server.run, sizeof(server.run), "%040x", ++server.runs);
    server.is_up = true;
}

void server_begin(size_t log_max)
{
    server.runs = 0;
    server.log_max = log_max;
    run_anew();
}

void server_end(void)
{
    memory_clear(&server.now);
    memory_clear(&server.copy);
}

bool server_is_up(void)
{
    return server.is_up;
}

const char *server_run_id(void)
{
    return server.run;
}

void server_flush(void)
{
    memory_clear(&server.now);
}

void server_keep_copy(void)
{
    memory_copy(&server.copy, &server.now);
}

void server_stop(void)
{
    server.is_up = false;
}

void server_start(enum server_memory m)
{
    if (m == SERVER_EMPTY)
        memory_clear(&server.now);
    else if (m == SERVER_OLDER)
        memory_copy(&server.now, &server.copy);
    run_anew();
}

static struct org_keys *org_find(const char *name)
{
    for (size_t i = 0; i < server.now.count; i++) {
        if (strcmp(server.now.orgs[i].name, name) == 0)
            return &server.now.orgs[i];
    }
    return NULL;
}

static struct org_keys *org_of(const char *name)
{
    struct org_keys *o = org_find(name);

    if (o != NULL)
        return o;
    assert(server.now.count < ORGS_MAX);
    o = &server.now.orgs[server.now.count++];
    memset(o, 0, sizeof(*o));
    snprintf(o->name, sizeof(o->name), "%s", name);
    return o;
}

/* --- commands --- */

struct position server_position(const char *org)
{
    const struct org_keys *o = org_find(org);

    if (o == NULL || !o->is_there)
        return (struct position){ 0, 0 };
    return (struct position){ o->epoch, o->number };
}

const struct server_entry *server_log(const char *org, uint64_t from, size_t *count)
{
    const struct org_keys *o = org_find(org);
    size_t                 i = 0;

    *count = 0;
    if (o == NULL)
        return NULL;
    while (i < o->log_count && o->log[i].number < from)
        i++;
    *count = o->log_count - i;
    return o->log + i;
}

/* --- the prelude --- */

static bool is_over(const struct org_keys *o, const struct server_caller *who)
{
    return !o->is_there || strcmp(o->run, who->run) != 0 ||
           (o->epoch != o->number && o->log_count == 0);
}

static bool is_held(const struct org_keys *o)
{
    return o->hold[0] != '\0' && sim.now_us < o->hold_until_us;
}

static bool take_hold(struct org_keys *o, const struct server_caller *who)
{
    if (is_held(o))
        return false;
    snprintf(o->hold, sizeof(o->hold), "%s", who->token);
    o->hold_until_us = sim.now_us + HOLD_MS * MS;
    return true;
}

static bool is_holder(const struct org_keys *o, const struct server_caller *who)
{
    return is_held(o) && strcmp(o->hold, who->token) == 0;
}

static struct person *person_of(struct org_keys *o, const char *sub)
{
    struct person *p;

    for (size_t i = 0; i < o->people_count; i++) {
        if (strcmp(o->people[i].sub, sub) == 0)
            return &o->people[i];
    }
    assert(o->people_count < PEOPLE_MAX);
    p = &o->people[o->people_count++];
    *p = (struct person){ .rev = 0 };
    snprintf(p->sub, sizeof(p->sub), "%s", sub);
    return p;
}

static void count_line(struct buf *b, const char *address, const char *scope, const int64_t n[],
                       uint64_t rev)
{
    buf_printf(b, "%s [\"dashboard:task_count_changed\",{\"activeCount\":%lld,"
                  "\"completedCount\":%lld,\"failedCount\":%lld,\"scope\":\"%s\",\"rev\":%llu}]\n",
               address, (long long)n[0], (long long)n[1], (long long)n[2], scope,
               (unsigned long long)rev);
}

/* XADD, trimmed, and PUBLISH; takes the body. */
static void emit(struct org_keys *o, uint64_t number, struct slice body)
{
    struct buf text;
    char       channel[64];

    buf_init(&text, TEXT_MAX);
    buf_printf(&text, "%llu %llu\n", (unsigned long long)o->epoch, (unsigned long long)number);
    buf_append_slice(&text, body);
    if (o->log_count == server.log_max) {
        rcbuf_unref(o->log[0].text);
        memmove(o->log, o->log + 1, --o->log_count * sizeof(*o->log));
    }
    if (o->log_count == o->log_cap) {
        o->log_cap = o->log_cap * 2 + 16;
        o->log = mem_resize(o->log, o->log_cap * sizeof(*o->log));
    }
    o->log[o->log_count++] = (struct server_entry){ number, buf_rcbuf(&text) };
    snprintf(channel, sizeof(channel), KEY_LIVE_FORMAT, o->name);
    wire_publish(channel, o->log[o->log_count - 1].text);
    buf_deinit(&text);
}

static void answer(struct server_answer *out, enum script_outcome outcome, struct position at)
{
    memset(out, 0, sizeof(*out));
    out->a.outcome = outcome;
    out->a.at = at;
}

static struct position at_of(const struct org_keys *o)
{
    return (struct position){ o->epoch, o->number };
}

static const struct position NOWHERE;

/* --- publish --- */

static struct known_seq *seq_key(struct org_keys *o, const char *task)
{
    struct known_seq *k = NULL;

    for (size_t i = 0; i < o->seqs_count && k == NULL; i++) {
        if (strcmp(o->seqs[i].task, task) == 0)
            k = &o->seqs[i];
    }
    if (k == NULL) {
        assert(o->seqs_count < SEQS_MAX);
        k = &o->seqs[o->seqs_count++];
        *k = (struct known_seq){ .seq = 0 };
        snprintf(k->task, sizeof(k->task), "%s", task);
    }
    if (k->epoch != o->epoch) {
        k->epoch = o->epoch;
        k->seq = 0;
    }
    return k;
}

static void move_count(int64_t n[], enum bucket b, int by)
{
    int64_t *at = &n[b % BUCKETS_PER_SCOPE];

    *at = *at + by < 0 ? 0 : *at + by;
}

static void publish_counts(struct org_keys *o, const struct server_publication *p,
                           uint64_t number, struct buf *body)
{
    bool           org = false, own = false;
    struct person *person = NULL;
    const enum bucket buckets[2] = { p->before, p->after };

    if (p->before == p->after)
        return;
    for (int i = 0; i < 2; i++) {
        if (buckets[i] == BUCKET_NONE)
            continue;
        if (buckets[i] < BUCKET_PRIVATE_ACTIVE) {
            org = true;
            move_count(o->n, buckets[i], i == 0 ? -1 : 1);
        } else {
            own = true;
            person = person_of(o, p->creator);
            move_count(person->n, buckets[i], i == 0 ? -1 : 1);
        }
    }
    if (org) {
        o->rev = number;
        count_line(body, "dash", "org", o->n, number);
    }
    if (own) {
        person->rev = number;
        count_line(body, "mine", "private", person->n, number);
    }
}

void server_publish(const struct server_caller *who, const struct server_publication *p,
                    struct server_answer *out)
{
    struct org_keys  *o = org_of(who->org);
    struct known_seq *k;
    int64_t           known;
    struct buf        body;

    if (is_over(o, who)) {
        answer(out, take_hold(o, who) ? SCRIPT_RECOUNT : SCRIPT_HOLD, NOWHERE);
        return;
    }
    if (is_held(o)) {
        answer(out, SCRIPT_HOLD, NOWHERE);
        return;
    }
    k = seq_key(o, p->task);
    known = p->marked > k->seq ? p->marked : k->seq;
    if (p->seq <= known || p->seq > known + 1) {
        answer(out, p->seq <= known ? SCRIPT_HAD : SCRIPT_GAP, at_of(o));
        out->a.known = known;
        return;
    }
    truth_published(p->task, p->seq);
    buf_init(&body, TEXT_MAX);
    buf_append_slice(&body, rcbuf_slice(p->body));
    publish_counts(o, p, o->number + 1, &body);
    o->number++;
    o->at_us = who->floor_us;
    k->seq = p->seq;
    emit(o, o->number, buf_peek(&body));
    buf_deinit(&body);
    answer(out, SCRIPT_OK, at_of(o));
    sim_trace("redis: %s seq %lld is %llu of %s, epoch %llu", p->task, (long long)p->seq,
              (unsigned long long)o->number, o->name, (unsigned long long)o->epoch);
}

/* --- position --- */

void server_ask(const struct server_caller *who, const char *sub, struct server_answer *out)
{
    struct org_keys *o = org_of(who->org);
    struct person   *p;
    size_t           len = 0;

    if (is_over(o, who) || is_held(o)) {
        answer(out, is_over(o, who) && take_hold(o, who) ? SCRIPT_RECOUNT : SCRIPT_HOLD, NOWHERE);
        return;
    }
    answer(out, SCRIPT_OK, at_of(o));
    memcpy(out->a.org, o->n, sizeof(o->n));
    out->a.rev = o->rev != 0 ? o->rev : o->epoch;
    out->a.own_rev = o->epoch;
    for (size_t i = 0; i < o->people_count; i++) {
        p = &o->people[i];
        if (sub != NULL && strcmp(p->sub, sub) == 0) {
            memcpy(out->a.own, p->n, sizeof(p->n));
            out->a.own_rev = p->rev != 0 ? p->rev : o->epoch;
        }
        if (sub == NULL && (p->n[0] != 0 || p->n[1] != 0 || p->n[2] != 0))
            len += (size_t)snprintf(out->people + len, sizeof(out->people) - len, "%s%s",
                                    len > 0 ? " " : "", p->sub);
    }
}

/* --- epochs and corrections --- */

void server_begin_epoch(const struct server_caller *who, const struct server_counts *c,
                        struct server_answer *out)
{
    struct org_keys *o = org_of(who->org);
    uint64_t         number = who->floor_us;

    if (!is_holder(o, who)) {
        answer(out, SCRIPT_LATE, NOWHERE);
        return;
    }
    if (o->is_there && o->number + 1 > number)
        number = o->number + 1;
    log_clear(o);
    o->is_there = true;
    o->epoch = o->number = o->rev = number;
    o->at_us = 0;
    memcpy(o->run, who->run, sizeof(o->run));
    memcpy(o->n, c->org, sizeof(o->n));
    o->people_count = 0;
    for (size_t i = 0; i < c->people_count; i++) {
        struct person *p = person_of(o, c->people[i].sub);

        memcpy(p->n, c->people[i].n, sizeof(p->n));
        p->rev = number;
    }
    o->hold[0] = '\0';
    answer(out, SCRIPT_OK, at_of(o));
    sim_trace("redis: %s begins epoch %llu", o->name, (unsigned long long)number);
}

void server_hold(const struct server_caller *who, uint64_t quiet_us, struct server_answer *out)
{
    struct org_keys *o = org_of(who->org);

    if (is_over(o, who))
        answer(out, SCRIPT_GONE, NOWHERE);
    else if ((int64_t)(who->floor_us - o->at_us) < (int64_t)quiet_us)
        answer(out, SCRIPT_BUSY, NOWHERE);
    else
        answer(out, take_hold(o, who) ? SCRIPT_OK : SCRIPT_HOLD, NOWHERE);
}

static void tell_right(struct org_keys *o, const char *creator, const int64_t n[])
{
    bool       is_org = creator == NULL;
    struct buf body;

    buf_init(&body, TEXT_MAX);
    o->number++;
    buf_printf(&body, "1 - %s - %s %d\n", o->name, is_org ? "-" : creator, is_org ? 0 : 1);
    count_line(&body, is_org ? "dash" : "mine", is_org ? "org" : "private", n, o->number);
    emit(o, o->number, buf_peek(&body));
    buf_deinit(&body);
}

void server_correct(const struct server_caller *who, const struct server_counts *c,
                    struct server_answer *out)
{
    static const int64_t NONE[BUCKETS_PER_SCOPE];
    struct org_keys *o = org_of(who->org);
    int64_t          wrong = 0;

    if (!is_holder(o, who)) {
        answer(out, SCRIPT_LATE, NOWHERE);
        return;
    }
    o->hold[0] = '\0';
    if (is_over(o, who)) {
        answer(out, SCRIPT_GONE, NOWHERE);
        return;
    }
    if (memcmp(o->n, c->org, sizeof(o->n)) != 0) {
        memcpy(o->n, c->org, sizeof(o->n));
        tell_right(o, NULL, o->n);
        o->rev = o->number;
        wrong++;
    }
    for (size_t i = 0; i < c->people_count; i++)
        (void)person_of(o, c->people[i].sub);
    for (size_t i = 0; i < o->people_count; i++) {
        struct person *p = &o->people[i];
        const int64_t *n = NONE;

        for (size_t k = 0; k < c->people_count; k++) {
            if (strcmp(c->people[k].sub, p->sub) == 0)
                n = c->people[k].n;
        }
        if (memcmp(p->n, n, sizeof(p->n)) == 0)
            continue;
        memcpy(p->n, n, sizeof(p->n));
        tell_right(o, p->sub, p->n);
        p->rev = o->number;
        wrong++;
    }
    answer(out, SCRIPT_OK, at_of(o));
    out->a.known = wrong;
    if (wrong > 0)
        sim_trace("redis: %s corrected", o->name);
}

void server_release(const struct server_caller *who, struct server_answer *out)
{
    struct org_keys *o = org_of(who->org);

    if (is_holder(o, who))
        o->hold[0] = '\0';
    answer(out, SCRIPT_OK, NOWHERE);
}
