/* store_bench.c -- what the store costs with many tasks: store_bench URL TASKS [keep]
 *
 * Fills an empty database with TASKS tasks of one org (50 people, one task in twenty private, words
 * drawn unevenly from a vocabulary of 4,000), then asks every kind of question and prints the
 * median and the slowest of each. One question at a time: what one caller waits. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "taskd/store.h"
#include "tests/bench/store_fill.h"

#define PEOPLE     50
#define VOCABULARY 4000
#define IN_FLIGHT  2000
#define ROUNDS     101
#define AT         1700000000000

static uv_loop_t loop;
static struct store *store;
static uint64_t seed = 20261121;

static uint32_t roll(uint32_t sides)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % sides;
}

/* A few words are everywhere, most are rare. */
static void append_word(struct buf *out)
{
    uint32_t n = roll(VOCABULARY) * (uint64_t)roll(VOCABULARY) / VOCABULARY;

    buf_printf(out, "%c%c%c%u ", 'a' + n % 26, 'a' + n / 26 % 26, 'a' + n / 676 % 26, n);
}

static char *words(int count)
{
    struct buf text;

    buf_init(&text, 100000);
    for (int i = 0; i < count; i++)
        append_word(&text);
    return buf_take(&text);
}

static void task_id(char out[TASK_ID_LEN + 1], uint32_t n)
{
    snprintf(out, TASK_ID_LEN + 1, "%08x%016x", n * 2654435761u, n);
}

static void make_task(struct task *t, struct event *e, uint32_t n)
{
    char   id[TASK_ID_LEN + 1], sub[32];
    json_t *row;

    task_init(t);
    task_id(id, n);
    snprintf(sub, sizeof(sub), "person%u", roll(PEOPLE));
    task_set_text(&t->id, id);
    t->seq = 1;
    t->title = words(6);
    t->description = words(60);
    t->status = (enum status)roll(STATUS_COUNT);
    t->created_at = t->status_since = AT + 1000ll * n + roll(1000);
    t->updated_at = t->created_at + roll(3600000);
    task_set_text(&t->creator, sub);
    task_set_text(&t->created_by, sub);
    task_set_text(&t->org, "acme");
    t->is_private = roll(20) == 0;
    row = task_row(t);
    event_init(e);
    e->seq = 1;
    e->input = INPUT_CREATED;
    e->payload = mem_strdup("{}");
    e->actor = mem_strdup(sub);
    e->created_at = t->created_at;
    e->key = mem_strdup("");
    e->row = task_json_text(row);
    json_decref(row);
}

/* --- filling --- */

static uint32_t next_task, all_tasks, finished;
static size_t   in_flight;

static void fill(void);

static void on_marked(int err, void *arg)
{
    (void)arg;
    if (err != 0) {
        fprintf(stderr, "mark: %s\n", err_text(err));
        exit(1);
    }
    finished++;
    in_flight--;
    if (finished % 50000 == 0)
        fprintf(stderr, "%u tasks\n", finished);
    fill();
}

static void on_created(int err, const struct task *t, void *arg)
{
    (void)arg;
    if (err != 0 || store_mark(store, t->id, 1, task_bucket(t->status, t->is_private), on_marked,
                               NULL) != 0) {
        fprintf(stderr, "create: %s\n", err_text(err));
        exit(1);
    }
}

static void fill(void)
{
    while (in_flight < IN_FLIGHT && next_task < all_tasks) {
        struct task t;
        struct event e;

        make_task(&t, &e, next_task++);
        if (store_create(store, &t, &e, on_created, NULL) != 0)
            exit(1);
        in_flight++;
        task_deinit(&t);
        event_deinit(&e);
    }
}

/* --- asking --- */

static bool   is_answered;
static size_t answered;
static struct task newest;                     /* for changes */

static void on_task(int err, const struct task *t, void *arg)
{
    (void)arg;
    is_answered = true;
    if (err != 0) {
        fprintf(stderr, "a task: %s\n", err_text(err));
        exit(1);
    }
    task_deinit(&newest);
    task_copy(&newest, t);
}

static void on_counts(int err, const struct store_counts *c, void *arg)
{
    (void)arg;
    is_answered = true;
    answered = err == 0 ? (size_t)(c->org[0] + c->org[1] + c->org[2]) : 0;
}

static void on_tasks(int err, const struct task *tasks, size_t count, bool has_more, void *arg)
{
    (void)arg;
    (void)tasks;
    (void)has_more;
    is_answered = true;
    answered = err == 0 ? count : 0;
}

static void on_done(int err, void *arg)
{
    (void)arg;
    (void)err;
    is_answered = true;
}

static int ask_list(struct store_query q)
{
    q.org = "acme";
    q.sub = "person7";
    q.limit = 50;
    return store_list(store, &q, on_tasks, NULL);
}

static int ask_get(void)
{
    char id[TASK_ID_LEN + 1];

    task_id(id, roll(all_tasks));
    return store_get(store, id, on_task, NULL);
}

static int ask_apply(void)
{
    struct task after;
    struct event event;
    struct store_change c = { &newest, &after, &event };
    int err;

    task_copy(&after, &newest);
    after.seq++;
    after.updated_at = AT + 1000ll * all_tasks + roll(1000000);
    event_copy(&event, &newest.events[newest.event_count - 1]);
    event.seq = after.seq;
    event.input = INPUT_NOTE;
    err = store_apply(store, &c, on_task, NULL);
    task_deinit(&after);
    event_deinit(&event);
    return err;
}

#define ANY .status = -1, .active = -1
static char rare_word[32], deep_id[TASK_ID_LEN + 1];

static int ask(int question)
{
    switch (question) {
    case 0: return ask_get();
    case 1: return ask_list((struct store_query){ ANY });
    case 2: return ask_list((struct store_query){ ANY, .sort = STORE_BY_UPDATED });
    case 3: return ask_list((struct store_query){ .status = STATUS_CODING, .active = -1 });
    case 4: return ask_list((struct store_query){ .status = STATUS_CODING, .active = -1,
                                                  .sort = STORE_BY_UPDATED });
    case 5: return ask_list((struct store_query){ ANY, .creator = "person3" });
    case 6: return ask_list((struct store_query){ ANY, .creator = "person3",
                                                  .sort = STORE_BY_UPDATED });
    case 7: return ask_list((struct store_query){ ANY, .creator = "person7" });
    case 8: return ask_list((struct store_query){ .status = -1, .active = 1 });
    case 9: return ask_list((struct store_query){ .status = -1, .active = 0,
                                                  .sort = STORE_BY_UPDATED });
    case 10: return ask_list((struct store_query){ ANY, .after_id = deep_id,
                                                   .after_time = AT + 500ll * all_tasks });
    case 11: return store_counts(store, "acme", on_counts, NULL);
    case 12: return ask_list((struct store_query){ ANY, .words = "aaa0" });
    case 13: return ask_list((struct store_query){ ANY, .words = "a" });
    case 14: return ask_list((struct store_query){ ANY, .words = rare_word });
    case 15: return ask_list((struct store_query){ ANY, .words = rare_word,
                                                   .sort = STORE_BY_UPDATED });
    case 16: return ask_list((struct store_query){ ANY, .words = "aaa0 nosuchword" });
    case 17: return ask_list((struct store_query){ ANY, .words = "aaa0 bca bda" });
    case 18: return store_mark(store, newest.id, newest.seq, BUCKET_ORG_ACTIVE, on_done, NULL);
    case 19: return ask_apply();
    default: return ERR_NOT_FOUND;
    }
}

static const char *const NAMES[] = { "get", "page by creation", "page by update",
    "status, by creation", "status, by update", "creator, by creation", "creator, by update", "mine",
    "active, by creation", "not active, by update", "half-way down", "counts", "q: a common word",
    "q: one letter", "q: a rare word", "q: a rare word, by update", "q: a common and none",
    "q: three words", "mark", "apply" };

static int by_time(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void measure(int question)
{
    double ms[ROUNDS];

    for (int i = 0; i < ROUNDS; i++) {
        uint64_t began = uv_hrtime();
        int err = ask(question);

        if (err != 0) {
            printf("%-28s %s\n", NAMES[question], err_text(err));
            return;
        }
        for (is_answered = false; !is_answered;)
            uv_run(&loop, UV_RUN_ONCE);
        ms[i] = (double)(uv_hrtime() - began) / 1e6;
    }
    qsort(ms, ROUNDS, sizeof(ms[0]), by_time);
    printf("%-28s %9.2f ms %9.2f ms %8zu\n", NAMES[question], ms[ROUNDS / 2], ms[ROUNDS - 1],
           answered);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct store_options o = { .queue_max = 10 * IN_FLIGHT, .threads = 8 };
    struct metrics *m = metrics_new();
    struct buf why;
    uint64_t began;

    if (argc < 3) {
        fprintf(stderr, "usage: store_bench URL TASKS [keep]\n");
        return 2;
    }
    buf_init(&why, 4096);
    o.url = argv[1];
    all_tasks = (uint32_t)strtoul(argv[2], NULL, 10);
    log_setup("bench", LOG_LEVEL_WARN, LOG_FORMAT_KV);
    task_init(&newest);
    uv_loop_init(&loop);
    if (store_open(&loop, &o, m, &store, &why) != 0) {
        fprintf(stderr, "%s\n", why.data);
        return 1;
    }
    while (!store_is_up(store))
        uv_run(&loop, UV_RUN_ONCE);
    began = uv_hrtime();
    if (argc == 3 && strncmp(o.url, "mongodb", 7) == 0) {
        store_fill_mongo(o.url, all_tasks, make_task);
        printf("%u tasks inserted in %.1f s\n", all_tasks, (double)(uv_hrtime() - began) / 1e9);
    } else if (argc == 3) {
        fill();
        while (finished < all_tasks)
            uv_run(&loop, UV_RUN_ONCE);
        printf("%u tasks made and marked in %.1f s\n", all_tasks,
               (double)(uv_hrtime() - began) / 1e9);
    }
    snprintf(rare_word, sizeof(rare_word), "%c%c%c%u", 'a' + 3901 % 26, 'a' + 3901 / 26 % 26,
             'a' + 3901 / 676 % 26, 3901);
    task_id(deep_id, all_tasks / 2);
    printf("%-28s %12s %12s %8s\n", "question", "median", "slowest", "rows");
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++)
        measure((int)i);
    store_close(store, NULL, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    task_deinit(&newest);
    buf_deinit(&why);
    metrics_free(m);
    return uv_loop_close(&loop) == 0 ? 0 : 1;
}
