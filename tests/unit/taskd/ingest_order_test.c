/* ingest_order_test.c -- inputs that overtook each other end up as they were meant. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/mem.h"
#include "proto/shapes.h"
#include "taskd/ingest_order.h"

#define TASK_A "aaaaaaaaaaaaaaaaaaaaaaaa"
#define TASK_B "bbbbbbbbbbbbbbbbbbbbbbbb"

/* A task of one status, acted on by the real table of moves; its timeline is written down. */
struct world {
    struct ingest_order *order;
    enum status          status;
    bool                 by_closing;
    uint64_t             now_ms;
    char                 story[512];           /* "analyzing note dead:coding " */
};

static int setup(void **state)
{
    struct world *w = mem_new(struct world);

    w->order = ingest_order_new();
    w->now_ms = 1000;
    *state = w;
    return 0;
}

static void drop(struct ingest_item *i, void *arg)
{
    (void)arg;
    free(i);
}

static int teardown(void **state)
{
    struct world *w = *state;

    ingest_order_clear(w->order, drop, NULL);
    ingest_order_free(w->order);
    free(w);
    return 0;
}

static void add_to(struct world *w, const char *task, enum input input)
{
    struct ingest_item *i = mem_new(struct ingest_item);

    memcpy(i->task_id, task, sizeof(i->task_id));
    i->input = input;
    ingest_order_add(w->order, i, w->now_ms);
}

static void add(struct world *w, enum input input)
{
    add_to(w, TASK_A, input);
}

static void note(struct world *w, const char *prefix, enum input input)
{
    size_t len = strlen(w->story);

    snprintf(w->story + len, sizeof(w->story) - len, "%s%s ", prefix, input_wire(input));
}

static void act(struct world *w, struct ingest_item *i)
{
    const struct move *m = move_find(i->input, w->status, w->by_closing);

    if (m == NULL && !move_is_final(w->status, w->by_closing)) {
        ingest_order_result(w->order, i, INGEST_EARLY, w->status, w->by_closing, w->now_ms);
        return;
    }
    note(w, m != NULL ? "" : "never:", i->input);
    if (m != NULL && m->to != STATUS_COUNT) {
        w->status = m->to;
        w->by_closing = m->to == STATUS_FAILED && i->input == INPUT_PR_CLOSED;
    }
    ingest_order_result(w->order, i, INGEST_OVER, w->status, w->by_closing, w->now_ms);
    free(i);
}

static void run(struct world *w)
{
    struct ingest_action a;

    while (ingest_order_next(w->order, w->now_ms, &a)) {
        if (a.kind == INGEST_ACT) {
            act(w, a.item);
        } else {
            note(w, "dead:", a.item->input);
            free(a.item);
        }
    }
}

static void pass(struct world *w, uint64_t ms)
{
    for (uint64_t until = w->now_ms + ms; w->now_ms < until; w->now_ms += 50)
        run(w);
}

static void inputs_in_order_act_in_order(void **state)
{
    struct world *w = *state;

    add(w, INPUT_ANALYZING);
    add(w, INPUT_LLM_RESPONSE);
    add(w, INPUT_DISPATCHED);
    run(w);
    assert_string_equal(w->story, "analyzing llm_response dispatched ");
    assert_int_equal(ingest_order_count(w->order), 0);
}

static void one_that_overtook_waits_for_the_other(void **state)
{
    struct world *w = *state;

    add(w, INPUT_CODING);
    run(w);
    assert_string_equal(w->story, "");
    assert_true(ingest_order_is_waiting(w->order));
    pass(w, 300);
    add(w, INPUT_DISPATCHED);
    run(w);
    assert_string_equal(w->story, "dispatched coding ");
}

static void later_inputs_stay_behind_it(void **state)
{
    struct world *w = *state;

    add(w, INPUT_CODING);
    add(w, INPUT_NOTE);
    add(w, INPUT_FAILED);                      /* legal at once, but sent after `coding` */
    run(w);
    assert_string_equal(w->story, "");
    add(w, INPUT_DISPATCHED);
    run(w);
    assert_string_equal(w->story, "dispatched coding note failed ");
}

static void the_way_may_have_several_steps(void **state)
{
    struct world *w = *state;

    add(w, INPUT_PR_UPDATED);
    run(w);
    add(w, INPUT_PR_OPENED);
    run(w);
    add(w, INPUT_DISPATCHED);
    run(w);
    assert_string_equal(w->story, "dispatched pr_opened pr_updated ");
}

/* GitHub delivers over many connections. */
static void reopened_may_overtake_closed(void **state)
{
    struct world *w = *state;

    w->status = STATUS_PR_OPEN;
    add(w, INPUT_PR_OPENED);
    run(w);
    add(w, INPUT_NOTE);
    add(w, INPUT_PR_CLOSED);
    run(w);
    assert_string_equal(w->story, "pr_closed pr_opened note ");
    assert_int_equal(w->status, STATUS_PR_OPEN);
}

static void after_five_seconds_it_is_given_up_and_the_next_has_its_turn(void **state)
{
    struct world *w = *state;

    add(w, INPUT_CODING);
    add(w, INPUT_NOTE);
    run(w);
    pass(w, INGEST_EARLY_MS - 200);
    assert_string_equal(w->story, "");
    pass(w, 500);
    assert_string_equal(w->story, "dead:coding note ");
    assert_int_equal(ingest_order_count(w->order), 0);
}

static void a_person_may_open_the_way_as_well(void **state)
{
    struct world *w = *state;

    w->status = STATUS_NEEDS_CLARIFICATION;
    add(w, INPUT_DISPATCHED);
    run(w);
    pass(w, 1000);
    assert_string_equal(w->story, "");
    w->status = STATUS_ANALYZING;              /* the answers came over REST */
    pass(w, INGEST_ASK_MS + 50);
    assert_string_equal(w->story, "dispatched ");
}

static void a_busy_line_does_not_keep_a_waiting_one_from_being_tried(void **state)
{
    struct world *w = *state;

    w->status = STATUS_NEEDS_CLARIFICATION;
    add(w, INPUT_DISPATCHED);
    run(w);
    w->status = STATUS_ANALYZING;
    for (int i = 0; i < 10; i++) {             /* each arrives sooner than the next try */
        w->now_ms += INGEST_ASK_MS / 5;
        add(w, INPUT_NOTE);
        run(w);
    }
    assert_int_equal(strncmp(w->story, "dispatched note ", 16), 0);
}

static void what_is_illegal_for_ever_does_not_wait(void **state)
{
    struct world *w = *state;

    w->status = STATUS_MERGED;
    add(w, INPUT_CODING);
    add(w, INPUT_NOTE);
    run(w);
    assert_string_equal(w->story, "never:coding note ");
}

static void tasks_do_not_wait_for_each_other(void **state)
{
    struct world        *w = *state;
    struct ingest_action a;
    struct ingest_action b;

    add_to(w, TASK_A, INPUT_NOTE);
    add_to(w, TASK_A, INPUT_NOTE);
    add_to(w, TASK_B, INPUT_NOTE);
    assert_true(ingest_order_next(w->order, w->now_ms, &a));
    assert_true(ingest_order_next(w->order, w->now_ms, &b));
    assert_string_not_equal(a.item->task_id, b.item->task_id);
    assert_false(ingest_order_next(w->order, w->now_ms, &b));
    ingest_order_result(w->order, a.item, INGEST_OVER, w->status, false, w->now_ms);
    free(a.item);
    assert_true(ingest_order_next(w->order, w->now_ms, &a));
    ingest_order_result(w->order, a.item, INGEST_OVER, w->status, false, w->now_ms);
    free(a.item);
    ingest_order_result(w->order, b.item, INGEST_OVER, w->status, false, w->now_ms);
    free(b.item);
}

static void while_the_store_is_away_no_time_passes(void **state)
{
    struct world        *w = *state;
    struct ingest_action a;

    add(w, INPUT_CODING);
    run(w);
    pass(w, INGEST_EARLY_MS - 500);
    for (int i = 0; i < 100; i++) {            /* twenty seconds */
        w->now_ms += INGEST_AWAY_MS;
        while (ingest_order_next(w->order, w->now_ms, &a)) {
            assert_int_equal(a.kind, INGEST_ACT);
            ingest_order_result(w->order, a.item, INGEST_AWAY, STATUS_RECEIVED, false, w->now_ms);
        }
    }
    pass(w, INGEST_EARLY_MS - 500);
    assert_string_equal(w->story, "");
    add(w, INPUT_DISPATCHED);
    run(w);
    assert_string_equal(w->story, "dispatched coding ");
}

static void clearing_leaves_what_acts_until_its_result(void **state)
{
    struct world        *w = *state;
    struct ingest_action a;

    add(w, INPUT_NOTE);
    add(w, INPUT_NOTE);
    assert_true(ingest_order_next(w->order, w->now_ms, &a));
    ingest_order_clear(w->order, drop, NULL);
    assert_int_equal(ingest_order_count(w->order), 1);
    add(w, INPUT_FAILED);                      /* read again under another lease: behind it */
    run(w);
    assert_string_equal(w->story, "");
    ingest_order_result(w->order, a.item, INGEST_OVER, w->status, false, w->now_ms);
    free(a.item);
    run(w);
    assert_string_equal(w->story, "failed ");
}

/* All orders of a whole life: whatever overtook what, the life ends merged and complete. */
static const enum input LIFE[] = { INPUT_ANALYZING, INPUT_DISPATCHED, INPUT_CODING,
                                   INPUT_PR_OPENED, INPUT_PR_UPDATED };
#define LIFE_COUNT (sizeof(LIFE) / sizeof(LIFE[0]))

static void any_order_of_arrival_ends_in_the_same_status(void **state)
{
    struct world *w = *state;
    size_t        orders = 1;

    for (size_t i = 2; i <= LIFE_COUNT; i++)
        orders *= i;
    for (size_t n = 0; n < orders; n++) {
        enum input left[LIFE_COUNT];
        size_t     count = LIFE_COUNT;
        size_t     rest = n;

        memcpy(left, LIFE, sizeof(left));
        w->status = STATUS_RECEIVED;
        w->story[0] = '\0';
        while (count > 0) {
            size_t pick = rest % count;

            rest /= count;
            add(w, left[pick]);
            left[pick] = left[--count];
            pass(w, 50);
        }
        pass(w, INGEST_EARLY_MS + 1000);
        assert_int_equal(w->status, STATUS_PR_OPEN);
        assert_non_null(strstr(w->story, "pr_updated"));
        assert_null(strstr(w->story, "dead:pr_updated"));
        assert_int_equal(ingest_order_count(w->order), 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(inputs_in_order_act_in_order),
        TEST(one_that_overtook_waits_for_the_other),
        TEST(later_inputs_stay_behind_it),
        TEST(the_way_may_have_several_steps),
        TEST(reopened_may_overtake_closed),
        TEST(after_five_seconds_it_is_given_up_and_the_next_has_its_turn),
        TEST(a_person_may_open_the_way_as_well),
        TEST(a_busy_line_does_not_keep_a_waiting_one_from_being_tried),
        TEST(what_is_illegal_for_ever_does_not_wait),
        TEST(tasks_do_not_wait_for_each_other),
        TEST(while_the_store_is_away_no_time_passes),
        TEST(clearing_leaves_what_acts_until_its_result),
        TEST(any_order_of_arrival_ends_in_the_same_status),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
