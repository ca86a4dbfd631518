/* work.c -- see work.h.
 *
 * Each task has a story of its own: it looks where the task is and mostly takes a step that is
 * legal there; sometimes two steps in the wrong order, one that is illegal, the same input
 * twice, a note, a new title, or a change of privacy. Inputs go over the bus, or by a person
 * to any taskd. */
#include "tests/sim/work.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/mem.h"
#include "tests/sim/clients.h"
#include "tests/sim/taskds.h"

#define TASKS_MAX   8
#define HOT_STEPS   110

struct story {
    char              id[25], org[24], creator[16];
    bool              is_private;
    size_t            left;                    /* inputs to come */
    uint64_t          pace_us;
    struct happening *due;
};

static struct {
    struct story all[TASKS_MAX];
    size_t       count;
    unsigned     keys;
} work;

/* --- data of inputs --- */

static json_t *texts_make(const char *member, size_t count)
{
    json_t *object = json_object(), *list = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_string("what then"));
    json_object_set_new(object, member, list);
    return object;
}

static json_t *data_make(enum input in)
{
    int n = (int)sim_between(1, 9);

    switch (in) {
    case INPUT_LLM_RESPONSE:
        return json_pack("{s:s}", "taskType", "bug");
    case INPUT_CLARIFICATION_NEEDED:
        return texts_make("questions", 2);
    case INPUT_CLARIFICATION_SUBMITTED:
        return texts_make("answers", sim_chance(950) ? 2 : 1);
    case INPUT_DISPATCHED:
        return json_pack("{s:i,s:s,s:s}", "issueNumber", n, "issueUrl",
                         "https://github.com/a/b/issues/1", "githubBranch", "work");
    case INPUT_PR_OPENED:
        return json_pack("{s:i,s:s}", "prNumber", n, "prUrl", "https://github.com/a/b/pull/1");
    case INPUT_PR_UPDATED:
        return json_pack("{s:s}", "prState", sim_chance(500) ? "draft" : "open");
    case INPUT_PR_MERGED:
        return json_pack("{s:s}", "mergeCommitSha", "c0ffee");
    case INPUT_FAILED:
        return json_pack("{s:s}", "errorMessage", "it broke");
    case INPUT_NOTE:
        return json_pack("{s:s}", "text", "a note");
    case INPUT_PR_COMMENT:
    case INPUT_PR_REVIEW:
        return json_pack("{s:s,s:s,s:s}", "author", "ann", "body", "fine", "url",
                         "https://github.com/a/b/pull/1");
    default:
        return json_object();
    }
}

/* --- who says it --- */

static void by_bus(const struct story *s, enum input in)
{
    char    key[32];
    json_t *data = data_make(in);

    snprintf(key, sizeof(key), "/sim\n%u", ++work.keys);
    bus_add(s->id, in, data, key);
    if (sim_chance(60))
        bus_add(s->id, in, data, key);         /* its sender did not hear that it had arrived */
    json_decref(data);
}

static void by_person(const struct story *s, const char *sub, enum input in, json_t *data)
{
    struct act a = {
        .task_id = s->id, .org = s->org, .sub = sub,
        .input = { .input = in, .data = data, .actor = sub, .actor_name = sub, .key = "",
                   .at = clock_wall_ms() },
    };

    taskds_act(&a);
    json_decref(data);
}

static void say(const struct story *s, enum input in)
{
    if (in == INPUT_CLARIFICATION_SUBMITTED)
        by_person(s, s->creator, in, data_make(in));
    else
        by_bus(s, in);
}

/* --- stories --- */

static enum input step_from(enum status status)
{
    static const enum input STEPS[STATUS_COUNT][6] = {
        [STATUS_RECEIVED] = { INPUT_ANALYZING, INPUT_ANALYZING, INPUT_ANALYZING, INPUT_DISPATCHED,
                              INPUT_ANALYZING, INPUT_FAILED },
        [STATUS_ANALYZING] = { INPUT_LLM_RESPONSE, INPUT_CLARIFICATION_NEEDED,
                               INPUT_CLARIFICATION_NEEDED, INPUT_DISPATCHED, INPUT_DISPATCHED,
                               INPUT_FAILED },
        [STATUS_NEEDS_CLARIFICATION] = { INPUT_CLARIFICATION_SUBMITTED,
                                         INPUT_CLARIFICATION_SUBMITTED,
                                         INPUT_CLARIFICATION_SUBMITTED,
                                         INPUT_CLARIFICATION_SUBMITTED,
                                         INPUT_CLARIFICATION_SUBMITTED, INPUT_FAILED },
        [STATUS_DISPATCHED] = { INPUT_CODING, INPUT_CODING, INPUT_CODING, INPUT_PR_OPENED,
                                INPUT_PR_MERGED, INPUT_FAILED },
        [STATUS_CODING] = { INPUT_PR_OPENED, INPUT_PR_OPENED, INPUT_PR_OPENED, INPUT_PR_OPENED,
                            INPUT_PR_MERGED, INPUT_FAILED },
        [STATUS_PR_OPEN] = { INPUT_PR_UPDATED, INPUT_PR_UPDATED, INPUT_PR_CLOSED, INPUT_PR_CLOSED,
                             INPUT_PR_REVIEW, INPUT_PR_MERGED },
        [STATUS_MERGED] = { INPUT_NOTE, INPUT_PR_COMMENT, INPUT_NOTE, INPUT_CODING, INPUT_NOTE,
                            INPUT_NOTE },
        [STATUS_FAILED] = { INPUT_PR_OPENED, INPUT_PR_OPENED, INPUT_PR_OPENED, INPUT_NOTE,
                            INPUT_PR_COMMENT, INPUT_PR_OPENED },
    };

    return STEPS[status][sim_dice(6)];
}

static void wrong_order(const struct story *s, enum status status)
{
    if (status == STATUS_ANALYZING || status == STATUS_RECEIVED) {
        say(s, INPUT_CODING);
        say(s, INPUT_NOTE);
        say(s, INPUT_DISPATCHED);
    } else {
        say(s, INPUT_PR_UPDATED);
        say(s, INPUT_PR_OPENED);
    }
}

static void edit(const struct story *s)
{
    char        title[16];
    const char *sub = sim_chance(700) ? s->creator : "u0";

    snprintf(title, sizeof(title), "title %llu", (unsigned long long)sim_dice(100));
    by_person(s, sub, INPUT_EDITED, json_pack("{s:s}", "title", title));
}

static void turn(const struct story *s, const struct truth *t)
{
    by_person(s, s->creator, INPUT_EDITED,
              json_pack("{s:b}", "isPrivate", !t->steps[t->seq].is_private));
}

static void step(struct story *s, const struct truth *t)
{
    enum status status = t->steps[t->seq].status;
    uint64_t    dice = sim_dice(100);

    if (t->seq > TRUTH_SEQS_MAX - 20)
        return;
    if (dice < 66)
        say(s, step_from(status));
    else if (dice < 74)
        say(s, INPUT_NOTE);
    else if (dice < 82)
        edit(s);
    else if (dice < 90)
        turn(s, t);
    else if (dice < 95)
        wrong_order(s, status);
    else
        say(s, (enum input)sim_between(INPUT_ANALYZING, INPUT_COUNT - 1));
}

static void create(const struct story *s)
{
    struct new_task n = {
        .id = s->id, .org = s->org, .sub = s->creator, .name = s->creator, .title = "a task",
        .description = "what to do", .is_private = s->is_private, .at = clock_wall_ms(),
    };

    taskds_create(&n);
}

static void on_story(void *arg)
{
    struct story       *s = arg;
    const struct truth *t = truth_find(slice_of(s->id));

    s->due = NULL;
    if (t == NULL) {
        create(s);
    } else if (s->left > 0 && sim.now_us < sim.calm_from_us) {
        size_t burst = sim_chance(80) ? sim_between(2, 5) : 1;

        for (; burst > 0 && s->left > 0; burst--, s->left--)
            step(s, t);
    }
    if (t == NULL || sim.now_us < sim.calm_from_us)
        s->due = sim_after(sim_between(s->pace_us / 4, s->pace_us * 2), NULL, on_story, s);
}

void work_begin(size_t tasks, bool is_busy)
{
    bool is_hot = sim_chance(30);

    memset(&work, 0, sizeof(work));
    work.count = tasks;
    for (size_t i = 0; i < tasks; i++) {
        struct story *s = &work.all[i];
        uint64_t      where = sim_dice(10);

        snprintf(s->id, sizeof(s->id), "%024x", (unsigned)i + 1);
        snprintf(s->creator, sizeof(s->creator), "u%llu", (unsigned long long)sim_dice(6));
        if (where == 0)
            snprintf(s->org, sizeof(s->org), "~%s", s->creator);
        else
            snprintf(s->org, sizeof(s->org), "%s", where < 8 ? "acme" : "zeta");
        s->is_private = sim_chance(250);
        s->left = sim_between(2, 12);
        s->pace_us = sim_between(100, 1500) * MS;
        if (is_busy) {
            s->left = sim_between(10, 30);
            s->pace_us = sim_between(60, 300) * MS;
        }
        if (is_hot && i == 0) {
            s->left = HOT_STEPS;
            s->pace_us = 40 * MS;
        }
        s->due = sim_after(sim_dice(4 * S), NULL, on_story, s);
    }
}

void work_last_words(void)
{
    for (size_t i = 0; i < work.count; i++) {
        if (truth_find(slice_of(work.all[i].id)) != NULL)
            by_bus(&work.all[i], INPUT_NOTE);
    }
}

void work_end(void)
{
    for (size_t i = 0; i < work.count; i++)
        sim_cancel(work.all[i].due);
}
