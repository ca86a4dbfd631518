/* watch.c -- `taskctl watch` and `taskctl wait`: following tasks by asking again and again.
 *
 * Events are asked for by the number of the last one that came, so whatever happens in between, to
 * taskd or to the way to it, nothing is missed and nothing shown twice. The first question must be
 * answered; after that an absence is waited out, each time a little longer. */
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/err.h"
#include "taskd/ctl/cli/age.h"
#include "taskd/ctl/commands.h"
#include "taskd/ctl/ctl.h"
#include "taskd/ctl/events.h"
#include "taskd/ctl/follow.h"
#include "taskd/ctl/views.h"

#define TARGET_MAX   4096
#define EVENTS_LIMIT 200
#define LIST_LIMIT   100
#define PAUSE_MIN_MS 50                        /* whatever --interval says */
#define KNOWN_MAX    20000                     /* tasks remembered by a watch of all */

/* --- asking until there is an answer --- */

struct poll {
    struct ctl *ctl;
    int64_t     interval_ms;
    int64_t     deadline_ms;                   /* 0: none */
    unsigned    failures;                      /* in a row */
    bool        has_answered;                  /* once, at least */
    char        what[128];
};

static int64_t left_ms(const struct poll *p)
{
    return p->deadline_ms == 0 ? INT64_MAX : p->deadline_ms - ctl_now_ms(p->ctl);
}

/* EXIT_TIMED_OUT where the time is over, else EXIT_OK, later. */
static enum exit_code poll_pause(struct poll *p, int64_t ms)
{
    if (ms < PAUSE_MIN_MS)
        ms = PAUSE_MIN_MS;
    ctl_sleep(p->ctl, ms < left_ms(p) ? ms : left_ms(p));
    return left_ms(p) > 0 ? EXIT_OK : EXIT_TIMED_OUT;
}

/* Ask until somebody answers. *out is a new reference where EXIT_OK. */
static enum exit_code poll_get(struct poll *p, const char *target, json_t **out)
{
    struct request r = { .method = HTTP_GET, .target = target };
    enum exit_code code = EXIT_OK;

    *out = NULL;
    for (;;) {
        struct answer a;
        bool          is_over;

        if (p->deadline_ms != 0)
            r.timeout_ms = left_ms(p) > 0 ? left_ms(p) : 1;
        taskd_ask(p->ctl, &r, &a);
        /* What took all the time that was left took it, whatever a clock's last digit says. */
        is_over = left_ms(p) <= 0 || (p->deadline_ms != 0 && a.err == ERR_TIMEOUT);
        if (!answer_is_absence(&a) || (!p->has_answered && !is_over)) {
            code = answer_explain(p->ctl, &a, p->what);
            *out = code == EXIT_OK ? json_incref(a.json) : NULL;
            answer_deinit(&a);
            p->has_answered = true;
            p->failures = 0;
            return code;
        }
        if (++p->failures == 1)
            (void)answer_explain(p->ctl, &a, p->what);
        answer_deinit(&a);
        code = is_over ? EXIT_TIMED_OUT : poll_pause(p, backoff_ms(p->failures));
        if (code != EXIT_OK)
            return code;
    }
}

static enum exit_code get_events(struct poll *p, const char *id, int64_t after, json_t **out)
{
    struct buf     target;
    enum exit_code code;

    buf_init(&target, TARGET_MAX);
    target_put(&target, "/api/tasks/", id, "/events");
    if (after >= 0)
        buf_printf(&target, "?after=%lld&limit=%d", (long long)after, EVENTS_LIMIT);
    else
        buf_append_text(&target, "?limit=1");
    code = poll_get(p, target.data, out);
    buf_deinit(&target);
    return code;
}

/* The seq of the last of these events; `before` where there is none. */
static int64_t last_seq(const json_t *events, int64_t before)
{
    size_t count = json_array_size(events);

    return count > 0 ? json_int(json_array_get(events, count - 1), "seq", before) : before;
}

/* --- watch one --- */

static enum exit_code watch_task(struct poll *p, const char *id, int64_t after, unsigned until)
{
    const struct out  *o = ctl_out(p->ctl);
    struct out_stream *stream = out_stream_new(o, &EVENTS_VIEW);
    enum exit_code     code;
    json_t            *answer;
    bool               is_there = false;

    do {
        code = get_events(p, id, after, &answer);
        if (code == EXIT_OK) {
            const json_t *events = json_object_get(answer, "events");
            bool          is_first = after < 0;

            if (is_first) {
                after = json_int(answer, "seq", 0);
            } else {
                json_t *rows = events_rows(o, id, events);

                out_stream_rows(stream, rows);
                json_decref(rows);
                after = last_seq(events, after);
                is_there = (statuses_of(events) & until) != 0;
            }
            if (!is_there && !is_first && json_array_size(events) < EVENTS_LIMIT)
                code = poll_pause(p, p->interval_ms);
        }
        json_decref(answer);
    } while (code == EXIT_OK && !is_there);
    out_stream_free(stream);
    return code;
}

/* --- watch all --- */

static const struct view_column MOVE_COLUMNS[] = {
    { "ID",     "taskId",    CELL_TEXT, 0,               NULL },
    { "SEQ",    "seq",       CELL_TEXT, COLUMN_RIGHT,    NULL },
    { "STATUS", "status",    CELL_TEXT, 0,               status_colour },
    { "MOVED",  "updatedAt", CELL_AGE,  COLUMN_OPTIONAL, NULL },
    { "TITLE",  "title",     CELL_TEXT, COLUMN_SHRINKS,  NULL },
};
static const struct view MOVE_VIEW = VIEW(MOVE_COLUMNS);

struct watched {
    json_t *known;                             /* id -> seq */
    char    since[CLOCK_TEXT_SIZE];            /* what moved before and is not known is old */
};

/* Has it moved since it was looked at last? Remembers it. */
static bool has_moved(struct watched *w, const json_t *row)
{
    const char   *id = json_text(row, "taskId");
    const char   *at = json_text(row, "updatedAt");
    const json_t *seq = json_object_get(row, "seq");
    const json_t *known = id != NULL ? json_object_get(w->known, id) : NULL;

    if (id == NULL || at == NULL || !json_is_integer(seq))
        return false;
    if (known != NULL ? json_equal(known, seq) : strcmp(at, w->since) < 0)
        return false;
    return json_object_set(w->known, id, (json_t *)seq) == 0;
}

/* Begin anew: what this page shows is known, what is older is old. */
static void remember_page(struct watched *w, const json_t *tasks)
{
    size_t        count = json_array_size(tasks);
    const json_t *row;
    size_t        i;

    w->since[0] = '\0';
    (void)json_object_clear(w->known);
    json_array_foreach(tasks, i, row)
        (void)has_moved(w, row);
    if (count >= LIST_LIMIT)
        snprintf(w->since, sizeof(w->since), "%s",
                 json_text(json_array_get(tasks, count - 1), "updatedAt"));
}

/* The rows of a page that moved, put before `moved`, the oldest first. Were they all of it? */
static bool take_moved(struct watched *w, const json_t *tasks, json_t *moved)
{
    const json_t *row;
    size_t        i, count = 0;

    json_array_foreach(tasks, i, row) {
        if (!has_moved(w, row))
            continue;
        count++;
        (void)json_array_insert(moved, 0, (json_t *)row);
    }
    return count > 0 && count == json_array_size(tasks);
}

static void put_list_target(const struct ctl *c, const char *cursor, struct buf *target)
{
    buf_printf(target, "/api/tasks?sort=-updatedAt&limit=%d", LIST_LIMIT);
    if (ctl_org(c) != NULL)
        target_put(target, "&org=", ctl_org(c), "");
    if (cursor != NULL)
        buf_printf(target, "&cursor=%s", cursor);
}

/* All that moved since the last time: page after page, while whole pages did. */
static enum exit_code get_moved(struct poll *p, struct watched *w, bool is_first, json_t *moved)
{
    struct buf     target;
    enum exit_code code;
    json_t        *page;
    bool           goes_on = true;

    buf_init(&target, TARGET_MAX);
    put_list_target(p->ctl, NULL, &target);
    do {
        const char *cursor;

        code = poll_get(p, target.data, &page);
        if (code != EXIT_OK)
            break;
        if (is_first || json_object_size(w->known) > KNOWN_MAX)
            remember_page(w, json_object_get(page, "tasks"));
        cursor = json_text(page, "nextCursor");
        goes_on = !is_first && take_moved(w, json_object_get(page, "tasks"), moved) &&
                  cursor != NULL;
        buf_reset(&target);
        put_list_target(p->ctl, cursor, &target);
        json_decref(page);
    } while (goes_on);
    buf_deinit(&target);
    return code;
}

static enum exit_code watch_all(struct poll *p)
{
    struct watched     w = { .known = json_object() };
    struct out_stream *stream = out_stream_new(ctl_out(p->ctl), &MOVE_VIEW);
    bool               is_first = true;
    enum exit_code     code;

    do {
        json_t *moved = json_array();

        code = get_moved(p, &w, is_first, moved);
        is_first = false;
        out_stream_rows(stream, moved);
        json_decref(moved);
        if (code == EXIT_OK)
            code = poll_pause(p, p->interval_ms);
    } while (code == EXIT_OK);
    out_stream_free(stream);
    json_decref(w.known);
    return code;
}

static int watch(struct ctl *c, const struct args *a, struct buf *why)
{
    struct poll p = { .ctl = c, .what = "tasks" };
    int64_t     after = -1;
    unsigned    until = 0;

    if (args_span(a, "interval", &p.interval_ms, why) != 0 ||
        (args_given(a, "after") && args_number(a, "after", 0, INT64_MAX, &after, why) != 0))
        return usage(a, "%s", why->data);
    if (args_given(a, "until") && statuses_read(args_value(a, "until"), &until) != 0)
        return usage(a, "--until takes statuses, not '%s'", args_value(a, "until"));
    if (a->word_count == 0 && (until != 0 || after >= 0))
        return usage(a, "--after and --until are of one task: which?");
    if (a->word_count == 0)
        return watch_all(&p);
    snprintf(p.what, sizeof(p.what), "task %s", a->words[0]);
    return watch_task(&p, a->words[0], after, until);
}

int command_watch(const struct args *a)
{
    struct ctl *c = ctl_new(a);
    struct buf  why;
    int         code = EXIT_USAGE;

    buf_init(&why, 1024);
    if (c != NULL)
        code = watch(c, a, &why);
    buf_deinit(&why);
    ctl_free(c);
    return code;
}

/* --- wait --- */

struct wait {
    struct poll poll;
    const char *id;
    unsigned    wanted;
    int64_t     seq;
    enum status now;
    enum input  last;                          /* that led there */
};

static const struct view_column STATUS_COLUMNS[] = {
    { "ID",     "taskId", CELL_TEXT, 0, NULL },
    { "STATUS", "status", CELL_TEXT, 0, status_colour },
    { "SEQ",    "seq",    CELL_TEXT, 0, NULL },
};
static const struct view STATUS_VIEW = VIEW(STATUS_COLUMNS);

static void print_reached(const struct wait *w, enum status status)
{
    json_t *row = json_object();
    json_t *rows = json_array();

    json_put_text(row, "taskId", w->id);
    json_put_text(row, "status", status_wire(status));
    json_put_int(row, "seq", w->seq);
    (void)json_array_append_new(rows, row);
    if (ctl_out(w->poll.ctl)->format == OUT_TABLE)
        out_rows(ctl_out(w->poll.ctl), &STATUS_VIEW, rows);
    else
        out_object(ctl_out(w->poll.ctl), &STATUS_VIEW, row);
    json_decref(rows);
}

/* One event: where did it lead? True where that is wanted. */
static bool wait_step(struct wait *w, const json_t *event)
{
    const char *type = json_text(event, "eventType");
    json_t     *one = json_pack("[O]", event);
    unsigned    led = statuses_of(one);
    enum input  input;

    json_decref(one);
    w->seq = json_int(event, "seq", w->seq);
    if (led == 0 || type == NULL || input_parse(slice_of(type), &input) != 0)
        return false;
    for (int s = 0; s < STATUS_COUNT; s++) {
        if (led == 1u << s)
            w->now = (enum status)s;
    }
    w->last = input;
    return (led & w->wanted) != 0;
}

static enum exit_code wait_begin(struct wait *w)
{
    struct buf     target;
    json_t        *task;
    const char    *status;
    enum exit_code code;

    buf_init(&target, TARGET_MAX);
    target_put(&target, "/api/tasks/", w->id, "");
    code = poll_get(&w->poll, target.data, &task);
    buf_deinit(&target);
    if (code != EXIT_OK)
        return code;
    status = json_text(task, "status");
    if (status == NULL || status_parse(slice_of(status), &w->now) != 0) {
        say("task %s has a status that this taskctl does not know", w->id);
        code = EXIT_FAILED;
    } else {
        const json_t *event;
        size_t        i;
        enum status   now = w->now;

        json_array_foreach(json_object_get(task, "events"), i, event)
            (void)wait_step(w, event);
        w->now = now;
        w->seq = json_int(task, "seq", w->seq);
    }
    json_decref(task);
    return code;
}

static enum exit_code wait_give_up(const struct wait *w)
{
    say("task %s is %s, and will never be what it was waited for", w->id, status_wire(w->now));
    return EXIT_FAILED;
}

/* Look at what came; EXIT_OK with *out_is_over false: go on. */
static enum exit_code wait_look(struct wait *w, bool *out_is_over)
{
    json_t        *answer;
    const json_t  *event;
    size_t         i;
    enum exit_code code = get_events(&w->poll, w->id, w->seq, &answer);

    if (code == EXIT_OK) {
        json_array_foreach(json_object_get(answer, "events"), i, event) {
            if (!wait_step(w, event))
                continue;
            *out_is_over = true;
            print_reached(w, w->now);
            break;
        }
    }
    json_decref(answer);
    return code;
}

static enum exit_code wait_all(struct wait *w)
{
    enum exit_code code = wait_begin(w);
    bool           is_over = false;

    if (code == EXIT_OK && (w->wanted & 1u << w->now) != 0) {
        print_reached(w, w->now);
        return EXIT_OK;
    }
    while (code == EXIT_OK && !is_over) {
        if (is_hopeless(w->now, w->last, w->wanted))
            return wait_give_up(w);
        progress("task %s is %s (seq %lld)", w->id, status_wire(w->now), (long long)w->seq);
        code = poll_pause(&w->poll, w->poll.interval_ms);
        if (code == EXIT_OK)
            code = wait_look(w, &is_over);
    }
    if (code == EXIT_TIMED_OUT && w->poll.has_answered)
        say("task %s is still %s", w->id, status_wire(w->now));
    return code;
}

int command_wait(const struct args *a)
{
    struct wait w = { .id = a->words[0], .last = INPUT_COUNT };
    struct buf  why;
    int64_t     timeout_ms;
    int         code = EXIT_USAGE;

    buf_init(&why, 1024);
    if (args_span(a, "timeout", &timeout_ms, &why) != 0 ||
        args_span(a, "interval", &w.poll.interval_ms, &why) != 0)
        code = usage(a, "%s", why.data);
    else if (statuses_read(args_value(a, "for"), &w.wanted) != 0)
        code = usage(a, "--for takes statuses with a comma between, not '%s'",
                     args_value(a, "for"));
    else if ((w.poll.ctl = ctl_new(a)) != NULL) {
        snprintf(w.poll.what, sizeof(w.poll.what), "task %s", w.id);
        if (timeout_ms > 0)
            w.poll.deadline_ms = ctl_now_ms(w.poll.ctl) + timeout_ms;
        code = wait_all(&w);
    }
    buf_deinit(&why);
    ctl_free(w.poll.ctl);
    return code;
}
