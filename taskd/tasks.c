/* tasks.c -- one line per task: read, decide, write if nobody was faster, and again.
 *
 * The store's write is guarded by the task's seq, so two taskd, or a person and an analyser,
 * may aim at one task and neither is lost: whoever comes second is given the task as it is
 * now and decides anew. Inside one process that race would be lost often by a busy task, so its
 * acts stand in a line. What a write returned serves the next in line, which saves it the
 * read, and when the line is empty the task is remembered for a while for whoever comes next.
 *
 *     line: [act] [act] ...      first: store_get -> decide -> store_apply -> answer
 *                                                       ^           |
 *                                                       +-- STALE --+
 *
 * What is remembered may be out of date, and need not be asked whether it is: an act that it lets
 * pass is proven by the write, which finds the task where it was or does not happen. An act
 * that it would refuse is decided anew on the task as it is read then. So nobody hears a refusal
 * that is not of this moment.
 *
 * An input that is refused may be one that had its effect long ago (its key is known, the task
 * has moved on since): the store is asked before anybody hears a refusal.
 *
 * A line is run by one loop at a time: whoever made it, or the callback it waits for. */
#include "taskd/tasks.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/err.h"
#include "common/list.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/trace.h"
#include "taskd/fault.h"

#define ACTS_MAX     20000                     /* waiting in all lines; past it ERR_BUSY */
#define TRIES_MAX    50
#define RETRY_MS     20
#define KNOWN_MAX    1024                      /* tasks remembered while nobody acts on them */

static const char CANNOT_STORE[] = "The store cannot take this";

struct job {
    struct list        node;
    char              *task_id, *actor, *actor_name, *key, *trace, *org, *sub;
    bool               sees_all;
    struct input_event input;                  /* its texts are the copies above */
    json_t            *data;
    int64_t            expected_seq;
    act_cb            *cb;
    void              *arg;
    unsigned           tries;
    /* a refusal that waits for what the store knows of the key */
    enum act_outcome   refusal;
    const char        *why;
};

struct line {
    UT_hash_handle hh;
    char           id[TASK_ID_LEN + 1];
    struct tasks  *tasks;
    struct list    jobs;
    struct list    late;                       /* in tasks.late: to be tried again; or .woken */
    struct list    idle;                       /* in tasks.idle: nobody acts on it */
    struct task    known;
    bool           is_known;
    bool           is_fresh;                   /* learnt since the line was last empty */
};

struct tasks {
    uv_loop_t        *loop;
    struct store     *store;
    struct publisher *publisher;
    struct line      *lines;
    size_t            acts;
    struct list       late;
    uv_timer_t        retry;
    struct list       woken;                   /* idle ones somebody wants to act on */
    uv_timer_t        wake;
    struct list       idle;                    /* the longest unused first */
    size_t            idle_count;
    unsigned          timers_open;
    size_t            creates;
    bool              is_closing;
    void            (*on_closed)(void *arg);
    void             *closed_arg;
    struct metric    *done, *stale, *refused, *repeats, *away;
};

static void line_run(struct line *l);
static void on_wake(uv_timer_t *timer);
static void on_marked(const char *id, int64_t seq, enum bucket bucket, void *arg);

struct tasks *tasks_new(uv_loop_t *loop, struct store *store, struct publisher *publisher,
                        struct metrics *m)
{
    static const char NAME[] = "taskwire_acts_total";
    static const char HELP[] = "Inputs acted on, by outcome";
    struct tasks     *t = mem_new(struct tasks);

    t->loop = loop;
    t->store = store;
    t->publisher = publisher;
    list_init(&t->late);
    list_init(&t->woken);
    list_init(&t->idle);
    uv_timer_init(loop, &t->retry);
    uv_timer_init(loop, &t->wake);
    t->retry.data = t->wake.data = t;
    t->timers_open = 2;
    publisher_on_marked(publisher, on_marked, t);
    t->done = metrics_counter(m, NAME, "outcome=\"done\"", HELP);
    t->repeats = metrics_counter(m, NAME, "outcome=\"repeat\"", HELP);
    t->refused = metrics_counter(m, NAME, "outcome=\"refused\"", HELP);
    t->away = metrics_counter(m, NAME, "outcome=\"away\"", HELP);
    t->stale = metrics_counter(m, "taskwire_acts_stale_total", NULL,
                               "Writes that somebody else was faster than");
    return t;
}

static void tasks_end_if_idle(struct tasks *t)
{
    void (*cb)(void *) = t->on_closed;
    void  *arg = t->closed_arg;

    if (!t->is_closing || t->timers_open > 0 || t->lines != NULL || t->creates > 0)
        return;
    free(t);
    cb(arg);
}

/* --- jobs --- */

static struct job *job_new(const struct act *a, act_cb *cb, void *arg)
{
    struct job *j = mem_new(struct job);

    j->task_id = mem_strdup(a->task_id);
    j->actor = mem_strdup(a->input.actor);
    j->actor_name = mem_strdup(a->input.actor_name);
    j->key = mem_strdup(a->input.key != NULL ? a->input.key : "");
    j->trace = mem_strdup(a->input.trace);
    j->org = mem_strdup(a->org);
    j->sub = mem_strdup(a->sub);
    j->sees_all = a->sees_all;
    j->data = json_incref((json_t *)a->input.data);
    j->input = a->input;
    j->input.actor = j->actor;
    j->input.actor_name = j->actor_name;
    j->input.key = j->key;
    j->input.trace = j->trace;
    j->expected_seq = a->expected_seq;
    j->cb = cb;
    j->arg = arg;
    return j;
}

static void job_free(struct job *j)
{
    free(j->task_id);
    free(j->actor);
    free(j->actor_name);
    free(j->key);
    free(j->trace);
    free(j->org);
    free(j->sub);
    json_decref(j->data);
    free(j);
}

static void count_outcome(struct tasks *t, enum act_outcome outcome)
{
    if (outcome == ACT_DONE)
        metric_inc(t->done);
    else if (outcome == ACT_REPEAT)
        metric_inc(t->repeats);
    else if (outcome == ACT_AWAY)
        metric_inc(t->away);
    else
        metric_inc(t->refused);
}

static struct job *first_job(const struct line *l)
{
    return list_is_empty(&l->jobs) ? NULL : container_of(l->jobs.next, struct job, node);
}

/* The only exit of an act. */
static void job_done(struct line *l, struct job *j, enum act_outcome outcome, const char *why)
{
    bool is_told = outcome != ACT_NOT_FOUND && outcome != ACT_AWAY && l->is_known;

    list_remove(&j->node);
    l->tasks->acts--;
    count_outcome(l->tasks, outcome);
    j->cb(outcome, is_told ? &l->known : NULL, why, j->arg);
    job_free(j);
}

/* --- lines --- */

static struct line *line_new(struct tasks *t, const char *id)
{
    struct line *l = mem_new(struct line);

    memcpy(l->id, id, TASK_ID_LEN);
    l->tasks = t;
    list_init(&l->jobs);
    list_init(&l->late);
    list_init(&l->idle);
    task_init(&l->known);
    HASH_ADD_STR(t->lines, id, l);
    return l;
}

static void line_free(struct line *l)
{
    struct tasks *t = l->tasks;

    list_remove(&l->late);
    if (!list_is_empty(&l->idle))
        t->idle_count--;
    list_remove(&l->idle);
    HASH_DEL(t->lines, l);
    task_deinit(&l->known);
    free(l);
    tasks_end_if_idle(t);
}

/* A mark may be known here that was made after this was read. */
static void line_learn(struct line *l, const struct task *t)
{
    int64_t     seq = l->known.published_seq;
    enum bucket bucket = l->known.published_bucket;

    task_deinit(&l->known);
    task_copy(&l->known, t);
    l->is_known = l->is_fresh = true;
    if (seq > l->known.published_seq) {
        l->known.published_seq = seq;
        l->known.published_bucket = bucket;
    }
}

/* What is known may be wrong by now: the next one reads. */
static void line_forget(struct line *l)
{
    task_deinit(&l->known);
    task_init(&l->known);
    l->is_known = l->is_fresh = false;
}

/* Nobody acts on it any more. */
static void line_rest(struct line *l)
{
    struct tasks *t = l->tasks;

    if (!l->is_known || t->is_closing) {
        line_free(l);
        return;
    }
    l->is_fresh = false;
    list_append(&t->idle, &l->idle);
    if (++t->idle_count > KNOWN_MAX)
        line_free(container_of(t->idle.next, struct line, idle));
}

static void forget_idle(struct tasks *t)
{
    while (!list_is_empty(&t->idle))
        line_free(container_of(t->idle.next, struct line, idle));
}

/* The publisher says what is marked by now; or, without an id, that nothing is certain. */
static void on_marked(const char *id, int64_t seq, enum bucket bucket, void *arg)
{
    struct tasks *t = arg;
    struct line  *l;

    if (id == NULL) {
        forget_idle(t);
        return;
    }
    HASH_FIND_STR(t->lines, id, l);
    if (l == NULL || !l->is_known || seq <= l->known.published_seq)
        return;
    l->known.published_seq = seq;
    l->known.published_bucket = bucket;
    l->known.is_unpublished = seq < l->known.seq;
}

/* --- deciding --- */

static void on_has_key(int err, void *arg)
{
    struct line *l = arg;
    struct job  *j = first_job(l);

    if (err == 0)
        job_done(l, j, ACT_REPEAT, NULL);
    else if (err == ERR_NOT_FOUND)
        job_done(l, j, j->refusal, j->why);
    else
        job_done(l, j, ACT_AWAY, NULL);
    line_run(l);
}

/* Refuse, unless its key says that it had its effect before, or what is remembered is not good
 * enough to refuse. Returns whether whoever is first now may go on. */
static bool job_refuse(struct line *l, struct job *j, enum act_outcome outcome, const char *why)
{
    if (!l->is_fresh) {
        line_forget(l);
        return true;
    }
    if (j->key[0] == '\0') {
        job_done(l, j, outcome, why);
        return true;
    }
    for (size_t i = 0; i < l->known.event_count; i++) {
        if (l->known.events[i].key != NULL && strcmp(l->known.events[i].key, j->key) == 0) {
            job_done(l, j, ACT_REPEAT, NULL);
            return true;
        }
    }
    j->refusal = outcome;
    j->why = why;
    if (store_has_key(l->tasks->store, l->id, j->key, on_has_key, l) == 0)
        return false;
    job_done(l, j, ACT_AWAY, NULL);
    return true;
}

/* SPEC T5: only its creator changes whether a task is private. */
static bool changes_privacy(const struct job *j, const struct task *t)
{
    const json_t *wish = json_object_get(j->data, "isPrivate");

    return j->input.input == INPUT_EDITED && json_is_boolean(wish) &&
           json_is_true(wish) != t->is_private;
}

static void on_retry(uv_timer_t *timer)
{
    struct tasks *t = timer->data;
    struct list   due = LIST_INIT(due);
    struct list  *node;

    list_splice(&due, &t->late);
    while ((node = list_take_first(&due)) != NULL)
        line_run(container_of(node, struct line, late));
}

static void line_later(struct line *l)
{
    struct tasks *t = l->tasks;

    line_forget(l);
    list_append(&t->late, &l->late);
    if (!uv_is_active((uv_handle_t *)&t->retry))
        uv_timer_start(&t->retry, on_retry, RETRY_MS, 0);
}

static void log_traced(const struct task *t, const char *trace)
{
    if (trace == NULL || trace[0] == '\0')
        return;
    LOG_AT(trace_is_sampled(trace) ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG, "stored",
           LOG_SLICE("trace", trace_id(trace)), LOG_SLICE("span", trace_parent_id(trace)),
           LOG_TEXT("task", t->id), LOG_NUM("seq", t->seq));
}

static void on_applied(int err, const struct task *task, void *arg)
{
    struct line *l = arg;
    struct job  *j = first_job(l);

    if (task != NULL)
        line_learn(l, task);
    else
        line_forget(l);
    switch (err) {
    case 0:
        FAULT_POINT("after-commit");
        log_traced(&l->known, j->trace);
        publisher_kick(l->tasks->publisher, &l->known);
        job_done(l, j, ACT_DONE, NULL);
        break;
    case ERR_REPEAT:
        job_done(l, j, ACT_REPEAT, NULL);
        break;
    case ERR_NOT_FOUND:
        job_done(l, j, ACT_NOT_FOUND, NULL);
        break;
    case ERR_CORRUPT:                          /* trying again would not help */
        job_done(l, j, ACT_INVALID, CANNOT_STORE);
        break;
    case ERR_STALE:
    case ERR_BUSY:                             /* its window is full of what is not copied yet */
        metric_inc(l->tasks->stale);
        if (++j->tries >= TRIES_MAX || l->tasks->is_closing) {
            job_done(l, j, ACT_AWAY, NULL);
        } else if (err == ERR_BUSY || j->tries > 5) {
            line_later(l);
            return;
        }
        break;
    default:
        line_forget(l);
        job_done(l, j, ACT_AWAY, NULL);
    }
    line_run(l);
}

/* Write what was decided. Returns as job_refuse. */
static bool job_apply(struct line *l, struct job *j)
{
    struct task         after;
    struct event        event;
    struct store_change change = { .before = &l->known, .after = &after, .event = &event };
    const char         *why = NULL;
    enum verdict        verdict = transition_decide(&l->known, &j->input, &after, &event, &why);
    int                 err;

    switch (verdict) {
    case VERDICT_EARLY:
        return job_refuse(l, j, ACT_EARLY, why);
    case VERDICT_NEVER:
        return job_refuse(l, j, ACT_NEVER, why);
    case VERDICT_INVALID:
        return job_refuse(l, j, ACT_INVALID, why);
    case VERDICT_ACCEPTED:
        break;
    }
    err = store_apply(l->tasks->store, &change, on_applied, l);
    task_deinit(&after);
    event_deinit(&event);
    if (err == 0)
        return false;
    if (err == ERR_INVALID)
        job_done(l, j, ACT_INVALID, CANNOT_STORE);
    else
        job_done(l, j, ACT_AWAY, NULL);
    return true;
}

/* Take the first act a step further. Returns whether whoever is first now may go on (it may be over
 * and gone). */
static bool job_step(struct line *l, struct job *j)
{
    if (l->tasks->is_closing) {
        job_done(l, j, ACT_AWAY, NULL);
        return true;
    }
    if (j->sub != NULL && !j->sees_all && !task_is_visible(&l->known, j->sub, j->org)) {
        if (!l->is_fresh) {
            line_forget(l);
            return true;
        }
        job_done(l, j, ACT_HIDDEN, NULL);
        return true;
    }
    if (j->expected_seq != 0 && j->expected_seq != l->known.seq)
        return job_refuse(l, j, ACT_CONFLICT, NULL);
    if (j->sub != NULL && changes_privacy(j, &l->known) &&
        strcmp(l->known.created_by, j->sub) != 0)
        return job_refuse(l, j, ACT_FORBIDDEN, "Only its creator changes who may see a task");
    return job_apply(l, j);
}

static void on_get(int err, const struct task *task, void *arg)
{
    struct line *l = arg;
    struct job  *j;

    if (err == 0) {
        line_learn(l, task);
    } else if (err == ERR_NOT_FOUND) {
        while ((j = first_job(l)) != NULL)
            job_done(l, j, ACT_NOT_FOUND, NULL);
    } else if ((j = first_job(l)) != NULL) {
        job_done(l, j, ACT_AWAY, NULL);
    }
    line_run(l);
}

/* Go on until something must be waited for, or the line is empty and gone. */
static void line_run(struct line *l)
{
    struct job *j;

    while ((j = first_job(l)) != NULL) {
        if (!l->is_known && !l->tasks->is_closing) {
            if (store_get(l->tasks->store, l->id, on_get, l) == 0)
                return;
            job_done(l, j, ACT_AWAY, NULL);
        } else if (!job_step(l, j)) {
            return;
        }
    }
    line_rest(l);
}

static void on_wake(uv_timer_t *timer)
{
    struct tasks *t = timer->data;
    struct list   due = LIST_INIT(due);
    struct list  *node;

    list_splice(&due, &t->woken);
    while ((node = list_take_first(&due)) != NULL)
        line_run(container_of(node, struct line, late));
}

/* Its turn comes with the next of the loop: nobody is called back from inside a call. */
static void line_wake(struct line *l)
{
    struct tasks *t = l->tasks;

    list_remove(&l->idle);
    t->idle_count--;
    list_append(&t->woken, &l->late);
    uv_timer_start(&t->wake, on_wake, 0, 0);
}

int tasks_act(struct tasks *t, const struct act *a, act_cb *cb, void *arg)
{
    struct line *l;
    int          err;

    if (t->is_closing || t->acts >= ACTS_MAX)
        return ERR_BUSY;
    HASH_FIND_STR(t->lines, a->task_id, l);
    if (l == NULL) {
        l = line_new(t, a->task_id);
        err = store_get(t->store, l->id, on_get, l);
        if (err != 0) {
            line_free(l);
            return err;
        }
    } else if (!list_is_empty(&l->idle)) {
        line_wake(l);
    }
    list_append(&l->jobs, &job_new(a, cb, arg)->node);
    t->acts++;
    return 0;
}

/* --- creating --- */

struct create {
    struct tasks *tasks;
    act_cb       *cb;
    void         *arg;
};

static void on_created(int err, const struct task *task, void *arg)
{
    struct create   *c = arg;
    struct tasks    *t = c->tasks;
    enum act_outcome outcome = ACT_AWAY;

    t->creates--;
    if (err == 0) {
        FAULT_POINT("after-commit");
        if (task->event_count > 0)
            log_traced(task, task->events[task->event_count - 1].trace);
        publisher_kick(t->publisher, task);
        outcome = ACT_DONE;
    } else if (err == ERR_EXISTS) {
        outcome = ACT_REPEAT;
    }
    count_outcome(t, outcome);
    c->cb(outcome, outcome == ACT_AWAY ? NULL : task, NULL, c->arg);
    free(c);
    tasks_end_if_idle(t);
}

int tasks_create(struct tasks *t, const struct new_task *n, act_cb *cb, void *arg)
{
    struct create *c;
    struct task    task;
    struct event   event;
    int            err;

    if (t->is_closing)
        return ERR_BUSY;
    c = mem_new(struct create);
    *c = (struct create){ .tasks = t, .cb = cb, .arg = arg };
    transition_create(n, &task, &event);
    err = store_create(t->store, &task, &event, on_created, c);
    task_deinit(&task);
    event_deinit(&event);
    if (err != 0) {
        free(c);
        return err;
    }
    t->creates++;
    return 0;
}

/* --- the end --- */

static void on_timer_closed(uv_handle_t *handle)
{
    struct tasks *t = handle->data;

    t->timers_open--;
    tasks_end_if_idle(t);
}

void tasks_close(struct tasks *t, void (*cb)(void *arg), void *arg)
{
    struct list  due = LIST_INIT(due);
    struct list *node;
    struct line *l;
    struct line *next;

    assert(!t->is_closing);
    t->is_closing = true;
    t->on_closed = cb;
    t->closed_arg = arg;
    uv_close((uv_handle_t *)&t->retry, on_timer_closed);
    uv_close((uv_handle_t *)&t->wake, on_timer_closed);
    forget_idle(t);
    HASH_ITER (hh, t->lines, l, next) {
        struct list *at = l->jobs.next;        /* the first may be under way in the store */

        if (list_is_empty(&l->late))
            at = at->next;
        while (at != &l->jobs) {
            struct list *after = at->next;

            job_done(l, container_of(at, struct job, node), ACT_AWAY, NULL);
            at = after;
        }
    }
    list_splice(&due, &t->late);
    list_splice(&due, &t->woken);
    while ((node = list_take_first(&due)) != NULL)
        line_run(container_of(node, struct line, late));
}
