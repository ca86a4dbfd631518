/* presence.c -- see presence.h.
 *
 * A task is here while somebody here looks at it, and a moment longer, until the others have
 * been told that nobody does. What is due (to tell, to report) is looked at once per tick, for
 * those tasks alone that something happened to: a thousand quiet rooms cost nothing.
 *
 * News and answers come over two connections and can overtake each other. So a report carries
 * a version, older ones are ignored, and "nobody is there" is a report like any other, kept.
 * What an answer does not name is dropped only if it was heard before the question: `turn`
 * counts hearings and questions.
 *
 * Rejected: counting sockets (three tabs are one person), telling joiners alone (the room is told
 * within the second anyway, and "once a second and task" needs no exception), and keeping the
 * whole set of everybody's viewers everywhere (sample.c). */
#include "gateway/presence.h"

#include <stdlib.h>

#include <uthash.h>

#include "common/buf.h"
#include "common/json.h"
#include "common/mem.h"
#include "gateway/sample.h"

#define ID_LEN      24
#define GATEWAY_MAX 64                         /* bytes of a gateway's name, a NUL included */
#define EVENT_MAX   (64u << 10)

struct viewer {                                /* a person who looks at it here */
    uint32_t       sockets;
    uint64_t       hash;
    int64_t        since_ms;                   /* wall time */
    struct list    in_order;                   /* of coming */
    UT_hash_handle hh;
    const char    *name;                       /* behind the sub */
    char           sub[];
};

struct other {                                 /* another gateway's report */
    struct list   node;
    char          gateway[GATEWAY_MAX];
    uint64_t      version, turn;
    uint64_t      count;
    struct sample sample;
    json_t       *viewers;                     /* [[since, "sub", "name"], ...] */
};

struct watched {
    struct presence *all;
    char             id[ID_LEN];
    struct viewer   *viewers;
    struct list      order;                    /* of them, by coming */
    struct sample    sample;
    struct list      others;
    size_t           other_count;
    uint64_t         version;                  /* of our report */
    uint64_t         asked_at;                 /* the turn of our last question */
    uint64_t         tell_from_ms, report_from_ms, reported_ms;
    uint64_t         told;                     /* hash of what the room was told; 0: nothing */
    bool             is_told_due, is_news;     /* is_news: tell even if nothing has changed */
    bool             is_report_due, asks;
    struct list      in_touched, in_reported;
    UT_hash_handle   hh;
};

void presence_init(struct presence *p, const struct presence_handlers *handlers, void *arg)
{
    *p = (struct presence){ .handlers = handlers, .arg = arg };
    list_init(&p->touched);
    list_init(&p->in_order);
}

/* --- life --- */

static struct watched *watched_find(const struct presence *p, struct slice task)
{
    struct watched *w = NULL;

    if (task.len == ID_LEN)
        HASH_FIND(hh, p->table, task.data, ID_LEN, w);
    return w;
}

static struct watched *watched_new(struct presence *p, struct slice task, uint64_t now_ms)
{
    struct watched *w = mem_new(struct watched);

    w->all = p;
    memcpy(w->id, task.data, ID_LEN);
    list_init(&w->order);
    list_init(&w->others);
    list_init(&w->in_touched);
    list_init(&w->in_reported);
    sample_init(&w->sample);
    w->tell_from_ms = now_ms + PRESENCE_FIRST_MS;
    w->asks = true;
    HASH_ADD(hh, p->table, id, ID_LEN, w);
    return w;
}

static void other_free(struct watched *w, struct other *o)
{
    list_remove(&o->node);
    w->other_count--;
    sample_deinit(&o->sample);
    json_decref(o->viewers);
    free(o);
}

static void viewer_free(struct watched *w, struct viewer *v)
{
    HASH_DELETE(hh, w->viewers, v);
    list_remove(&v->in_order);
    free(v);
}

static void watched_free(struct watched *w)
{
    struct viewer *v, *next;

    HASH_ITER(hh, w->viewers, v, next)
        viewer_free(w, v);
    list_each_safe(node, &w->others)
        other_free(w, container_of(node, struct other, node));
    list_remove(&w->in_touched);
    list_remove(&w->in_reported);
    sample_deinit(&w->sample);
    HASH_DELETE(hh, w->all->table, w);
    free(w);
}

void presence_deinit(struct presence *p)
{
    struct watched *w, *next;

    HASH_ITER(hh, p->table, w, next)
        watched_free(w);
}

size_t presence_size(const struct presence *p)
{
    return HASH_COUNT(p->table);
}

/* --- what is due --- */

static void touch(struct watched *w)
{
    if (list_is_empty(&w->in_touched))
        list_append(&w->all->touched, &w->in_touched);
}

static void want_tell(struct watched *w)
{
    w->is_told_due = true;
    touch(w);
}

static void want_report(struct watched *w)
{
    w->is_report_due = true;
    touch(w);
}

/* Our own set is another. */
static void changed(struct watched *w)
{
    w->version = ++w->all->version;
    want_report(w);
    want_tell(w);
}

/* --- here --- */

static struct viewer *viewer_new(struct watched *w, const struct presence_person *who,
                                 int64_t wall_ms)
{
    struct viewer *v = mem_alloc(sizeof(*v) + who->sub.len + who->name.len + 2);
    char          *name = v->sub + who->sub.len + 1;

    memcpy(v->sub, who->sub.data, who->sub.len);
    if (who->name.len > 0)
        memcpy(name, who->name.data, who->name.len);
    v->name = name;
    v->since_ms = wall_ms;
    v->hash = sample_hash(who->sub);
    list_append(&w->order, &v->in_order);
    HASH_ADD_KEYPTR(hh, w->viewers, v->sub, who->sub.len, v);
    sample_add(&w->sample, v->hash);
    return v;
}

void presence_enter(struct presence *p, struct slice task, const struct presence_person *who,
                    int64_t wall_ms, uint64_t now_ms)
{
    struct watched *w = watched_find(p, task);
    struct viewer  *v = NULL;

    if (task.len != ID_LEN || who->sub.len == 0)
        return;
    if (w == NULL)
        w = watched_new(p, task, now_ms);
    HASH_FIND(hh, w->viewers, who->sub.data, who->sub.len, v);
    if (v == NULL) {
        v = viewer_new(w, who, wall_ms);
        changed(w);
    }
    v->sockets++;
    w->is_news = true;                         /* for this socket */
    want_tell(w);
}

static void sample_again(struct watched *w)
{
    struct viewer *v, *next;

    sample_deinit(&w->sample);
    HASH_ITER(hh, w->viewers, v, next)
        sample_add(&w->sample, v->hash);
}

void presence_leave(struct presence *p, struct slice task, struct slice sub)
{
    struct watched *w = watched_find(p, task);
    struct viewer  *v = NULL;
    bool            is_poor;

    if (w != NULL)
        HASH_FIND(hh, w->viewers, sub.data, sub.len, v);
    if (v == NULL || --v->sockets > 0)
        return;
    is_poor = sample_remove(&w->sample, v->hash);
    viewer_free(w, v);
    if (is_poor)
        sample_again(w);
    changed(w);
}

/* --- elsewhere --- */

static struct other *other_find(const struct watched *w, struct slice gateway)
{
    list_each(node, &w->others) {
        struct other *o = container_of(node, struct other, node);

        if (slice_is(gateway, o->gateway))
            return o;
    }
    return NULL;
}

static struct other *other_new(struct watched *w, struct slice gateway)
{
    struct other *o;

    if (gateway.len == 0 || gateway.len >= GATEWAY_MAX || w->other_count == PRESENCE_OTHERS_MAX)
        return NULL;
    o = mem_new(struct other);
    memcpy(o->gateway, gateway.data, gateway.len);
    sample_init(&o->sample);
    list_append(&w->others, &o->node);
    w->other_count++;
    return o;
}

static bool is_viewer(const json_t *v)
{
    return json_is_array(v) && json_is_integer(json_array_get(v, 0)) &&
           json_is_string(json_array_get(v, 1)) && json_is_string(json_array_get(v, 2));
}

static bool is_report(const json_t *report)
{
    const json_t *viewers = json_object_get(report, "viewers");
    size_t        i;
    json_t       *v;

    if (json_int(report, "version", 0) <= 0 || json_int(report, "count", -1) < 0 ||
        json_text(report, "sample") == NULL || json_array_size(viewers) > PRESENCE_NAMED ||
        !json_is_array(viewers))
        return false;
    json_array_foreach((json_t *)viewers, i, v) {
        if (!is_viewer(v))
            return false;
    }
    return true;
}

/* Takes over what the report says, where it is newer. Returns whether anything is. */
static bool other_learn(struct watched *w, struct slice gateway, json_t *report)
{
    struct other *o = other_find(w, gateway);
    uint64_t      version = (uint64_t)json_int(report, "version", 0);
    struct sample sample;

    if (o == NULL)
        o = other_new(w, gateway);
    if (o == NULL)
        return false;
    o->turn = ++w->all->turn;
    if (version <= o->version || sample_parse(&sample, slice_of(json_text(report, "sample"))) != 0)
        return false;
    o->version = version;
    o->count = (uint64_t)json_int(report, "count", 0);
    sample_deinit(&o->sample);
    o->sample = sample;
    json_decref(o->viewers);
    o->viewers = json_incref(json_object_get(report, "viewers"));
    return true;
}

static void hear(struct watched *w, const struct presence_report *r)
{
    json_t *report = r->text.len <= PRESENCE_TEXT_MAX ? json_parse(r->text, NULL) : NULL;

    if (report != NULL && is_report(report) && other_learn(w, r->gateway, report))
        want_tell(w);
    json_decref(report);
}

void presence_heard(struct presence *p, struct slice task, const struct presence_report *r)
{
    struct watched *w = watched_find(p, task);

    if (w != NULL)
        hear(w, r);
}

static void forget_older(struct watched *w, uint64_t turn, const struct slice *but, size_t count)
{
    list_each_safe(node, &w->others) {
        struct other *o = container_of(node, struct other, node);
        bool          is_kept = o->turn >= turn;

        for (size_t i = 0; i < count && !is_kept; i++)
            is_kept = slice_is(but[i], o->gateway);
        if (is_kept)
            continue;
        if (o->count > 0)
            want_tell(w);
        other_free(w, o);
    }
}

void presence_heard_all(struct presence *p, struct slice task, const struct presence_report *all,
                        size_t count)
{
    struct watched *w = watched_find(p, task);

    if (w == NULL)
        return;
    for (size_t i = 0; i < count; i++)
        hear(w, &all[i]);
    forget_older(w, w->asked_at, NULL, 0);
}

uint64_t presence_turn(struct presence *p)
{
    return ++p->turn;
}

void presence_alive(struct presence *p, const struct slice *gateways, size_t count,
                    uint64_t turn)
{
    struct watched *w, *next;

    HASH_ITER(hh, p->table, w, next)
        forget_older(w, turn, gateways, count);
}

/* --- what is said --- */

struct named {
    int64_t     since_ms;
    const char *sub, *name;
};

static int by_coming(const void *a, const void *b)
{
    const struct named *x = a, *y = b;

    if (x->since_ms != y->since_ms)
        return x->since_ms < y->since_ms ? -1 : 1;
    return strcmp(x->sub, y->sub);
}

/* The first of everywhere, sorted; perhaps the same person twice. */
static size_t named_gather(const struct watched *w, struct named *out)
{
    size_t n = 0;

    list_each(node, &w->order) {
        const struct viewer *v = container_of(node, struct viewer, in_order);

        if (n == PRESENCE_NAMED)
            break;
        out[n++] = (struct named){ v->since_ms, v->sub, v->name };
    }
    list_each(node, &w->others) {
        const struct other *o = container_of(node, struct other, node);

        for (size_t i = 0; i < json_array_size(o->viewers); i++) {
            const json_t *v = json_array_get(o->viewers, i);

            out[n++] = (struct named){ json_integer_value(json_array_get(v, 0)),
                                       json_string_value(json_array_get(v, 1)),
                                       json_string_value(json_array_get(v, 2)) };
        }
    }
    qsort(out, n, sizeof(out[0]), by_coming);
    return n;
}

static bool is_among(const struct named *list, size_t n, const char *sub)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i].sub, sub) == 0)
            return true;
    }
    return false;
}

static void viewers_append(const struct watched *w, struct buf *out)
{
    struct named *all = mem_alloc((w->other_count + 1) * PRESENCE_NAMED * sizeof(all[0]));
    size_t        n = named_gather(w, all), kept = 0;

    for (size_t i = 0; i < n && kept < PRESENCE_NAMED; i++) {
        if (is_among(all, kept, all[i].sub))
            continue;
        all[kept] = all[i];
        buf_append_text(out, kept > 0 ? ",{\"userId\":" : "{\"userId\":");
        buf_append_json(out, slice_of(all[kept].sub));
        buf_append_text(out, ",\"name\":");
        buf_append_json(out, slice_of(all[kept].name));
        buf_append_char(out, '}');
        kept++;
    }
    free(all);
}

static uint64_t count_all(const struct watched *w)
{
    const struct sample **sets = mem_alloc((w->other_count + 1) * sizeof(sets[0]));
    uint64_t             *counts = mem_alloc((w->other_count + 1) * sizeof(counts[0])), sum;
    size_t                n = 1;

    sets[0] = &w->sample;
    counts[0] = HASH_COUNT(w->viewers);
    list_each(node, &w->others) {
        const struct other *o = container_of(node, struct other, node);

        if (o->count == 0)
            continue;
        sets[n] = &o->sample;
        counts[n++] = o->count;
    }
    sum = sample_union(sets, counts, n);
    free(sets);
    free(counts);
    return sum;
}

static uint64_t hash_of(struct slice text)
{
    return sample_hash(text) + 1;              /* never 0 */
}

static void tell(struct watched *w, uint64_t now_ms)
{
    struct presence *p = w->all;
    struct slice     task = slice_make(w->id, ID_LEN);
    struct buf       b;
    uint64_t         hash;

    buf_init(&b, EVENT_MAX);
    buf_printf(&b, "[\"task:presence\",{\"taskId\":\"%.*s\",\"count\":%llu,\"viewers\":[",
               SLICE_ARG(task), (unsigned long long)count_all(w));
    viewers_append(w, &b);
    buf_append_text(&b, "]}]");
    hash = hash_of(buf_peek(&b));
    if (!buf_failed(&b) && (w->is_news || hash != w->told)) {
        w->told = hash;
        w->tell_from_ms = now_ms + PRESENCE_TELL_MS;
        p->handlers->tell(task, buf_peek(&b), p->arg);
    }
    w->is_told_due = w->is_news = false;
    buf_deinit(&b);
}

static void report_append(const struct watched *w, struct buf *out)
{
    size_t n = 0;

    buf_printf(out, "{\"version\":%llu,\"count\":%u,\"sample\":\"",
               (unsigned long long)w->version, (unsigned)HASH_COUNT(w->viewers));
    sample_append(&w->sample, out);
    buf_append_text(out, "\",\"viewers\":[");
    list_each(node, &w->order) {
        const struct viewer *v = container_of(node, struct viewer, in_order);

        if (n == PRESENCE_NAMED)
            break;
        buf_printf(out, "%s[%lld,", n++ > 0 ? "," : "", (long long)v->since_ms);
        buf_append_json(out, slice_of(v->sub));
        buf_append_char(out, ',');
        buf_append_json(out, slice_of(v->name));
        buf_append_char(out, ']');
    }
    buf_append_text(out, "]}");
}

static void report(struct watched *w, uint64_t now_ms)
{
    struct presence *p = w->all;
    bool             is_gone = w->viewers == NULL, asks = w->asks && !is_gone;
    struct buf       b;

    w->is_report_due = w->asks = false;
    w->reported_ms = now_ms;
    w->report_from_ms = now_ms + PRESENCE_REPORT_MS;
    list_remove(&w->in_reported);
    list_append(&p->in_order, &w->in_reported);
    if (asks)
        w->asked_at = ++p->turn;
    buf_init(&b, PRESENCE_TEXT_MAX);
    report_append(w, &b);
    if (!buf_failed(&b))
        p->handlers->report(slice_make(w->id, ID_LEN), buf_peek(&b), is_gone, asks, p->arg);
    buf_deinit(&b);
}

/* --- time --- */

static void ask_again(struct watched *w)
{
    w->asks = true;
    want_report(w);
}

void presence_refresh(struct presence *p)
{
    struct watched *w, *next;

    HASH_ITER(hh, p->table, w, next)
        ask_again(w);
}

static void refresh_due(struct presence *p, uint64_t now_ms)
{
    list_each_safe(node, &p->in_order) {
        struct watched *w = container_of(node, struct watched, in_reported);

        if (w->reported_ms + PRESENCE_REFRESH_MS > now_ms)
            return;
        ask_again(w);
        list_remove(node);                     /* back with the report */
    }
}

/* Returns whether a report was made. */
static bool look(struct watched *w, bool may_report, uint64_t now_ms)
{
    bool reports = w->is_report_due && may_report && now_ms >= w->report_from_ms;

    if (w->viewers == NULL)
        w->is_told_due = false;                /* nobody is there to be told */
    if (reports)
        report(w, now_ms);
    if (w->is_told_due && now_ms >= w->tell_from_ms)
        tell(w, now_ms);
    if (w->is_report_due || w->is_told_due)
        return reports;
    list_remove(&w->in_touched);
    if (w->viewers == NULL)
        watched_free(w);
    return reports;
}

void presence_tick(struct presence *p, uint64_t now_ms)
{
    size_t reports = 0;

    refresh_due(p, now_ms);
    list_each_safe(node, &p->touched) {
        struct watched *w = container_of(node, struct watched, in_touched);

        reports += look(w, reports < PRESENCE_REPORTS_MAX, now_ms);
    }
}
