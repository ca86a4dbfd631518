/* presence_test.c -- who looks at a task: what rooms and other gateways are told, and when. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "gateway/presence.h"

#define TASK   "65f0c0ffee65f0c0ffee65f0"
#define TICK   100
#define SECOND 1000
#define GATEWAYS_MAX 3

/* Some gateways, and between them what Redis does: it keeps the newest report of each, and
 * passes it on to the others that have one. */
struct world;

struct gateway {
    struct presence  p;
    struct world    *world;
    char             name[16];
    char            *report;                   /* as the hash has it; NULL: none */
    char             told[8192];
    int              tells, reports;
    uint64_t         last_told_ms;
};

struct world {
    struct gateway g[GATEWAYS_MAX];
    size_t         count;
    uint64_t       now_ms;
    bool           is_deaf;                    /* nothing is passed on */
};

static void on_tell(struct slice task, struct slice json, void *arg)
{
    struct gateway *g = arg;

    assert_true(slice_is(task, TASK));
    if (g->tells > 0)
        assert_true(g->world->now_ms - g->last_told_ms >= PRESENCE_TELL_MS);
    g->last_told_ms = g->world->now_ms;
    g->tells++;
    snprintf(g->told, sizeof(g->told), "%.*s", SLICE_ARG(json));
}

struct answer {                                /* given after the call, as Redis would */
    struct gateway *to;
    bool            is_due;
};
static struct answer asked[GATEWAYS_MAX];

static void on_report(struct slice task, struct slice text, bool is_gone, bool asks, void *arg)
{
    struct gateway *g = arg;
    struct world   *w = g->world;

    assert_true(slice_is(task, TASK));
    g->reports++;
    if (w->is_deaf)
        return;
    free(g->report);
    g->report = is_gone ? NULL : mem_strndup(text.data, text.len);
    for (size_t i = 0; i < w->count; i++) {
        const struct presence_report r = { slice_of(g->name), text };

        if (&w->g[i] != g && w->g[i].report != NULL)
            presence_heard(&w->g[i].p, slice_of(TASK), &r);
    }
    asked[g - w->g].is_due = asked[g - w->g].is_due || asks;
}

static const struct presence_handlers HANDLERS = { on_tell, on_report };

static void answer_all(struct world *w)
{
    for (size_t i = 0; i < w->count; i++) {
        struct presence_report all[GATEWAYS_MAX];
        size_t                 n = 0;

        if (!asked[i].is_due)
            continue;
        asked[i].is_due = false;
        for (size_t k = 0; k < w->count; k++) {
            if (k != i && w->g[k].report != NULL)
                all[n++] = (struct presence_report){ slice_of(w->g[k].name),
                                                     slice_of(w->g[k].report) };
        }
        presence_heard_all(&w->g[i].p, slice_of(TASK), all, n);
    }
}

static void begin(struct world *w, size_t count)
{
    memset(w, 0, sizeof(*w));
    memset(asked, 0, sizeof(asked));
    w->count = count;
    w->now_ms = 50000;
    for (size_t i = 0; i < count; i++) {
        presence_init(&w->g[i].p, &HANDLERS, &w->g[i]);
        w->g[i].world = w;
        snprintf(w->g[i].name, sizeof(w->g[i].name), "gw%zu.1", i);
    }
}

static void end(struct world *w)
{
    for (size_t i = 0; i < w->count; i++) {
        presence_deinit(&w->g[i].p);
        free(w->g[i].report);
    }
}

static void pass(struct world *w, uint64_t ms)
{
    for (uint64_t until = w->now_ms + ms; w->now_ms < until;) {
        w->now_ms += TICK;
        for (size_t i = 0; i < w->count; i++)
            presence_tick(&w->g[i].p, w->now_ms);
        answer_all(w);
    }
}

static void enter(struct world *w, size_t i, const char *sub)
{
    char                   name[64];
    struct presence_person who = { .sub = slice_of(sub) };

    snprintf(name, sizeof(name), "Name of %s", sub);
    who.name = slice_of(name);
    presence_enter(&w->g[i].p, slice_of(TASK), &who, (int64_t)w->now_ms, w->now_ms);
}

static void leave(struct world *w, size_t i, const char *sub)
{
    presence_leave(&w->g[i].p, slice_of(TASK), slice_of(sub));
}

static void crowd(struct world *w, size_t i, int from, int to, bool is_coming)
{
    for (int k = from; k < to; k++) {
        char sub[32];

        snprintf(sub, sizeof(sub), "p%05d", k);
        if (is_coming)
            enter(w, i, sub);
        else
            leave(w, i, sub);
    }
}

static void assert_told(const struct gateway *g, const char *count_and_viewers)
{
    char wanted[8192];

    snprintf(wanted, sizeof(wanted), "[\"task:presence\",{\"taskId\":\"" TASK "\",%s}]",
             count_and_viewers);
    assert_string_equal(g->told, wanted);
}

#define ANN "{\"userId\":\"ann\",\"name\":\"Name of ann\"}"
#define BOB "{\"userId\":\"bob\",\"name\":\"Name of bob\"}"

static void one_who_comes_hears_of_oneself(void **state)
{
    struct world w;

    (void)state;
    begin(&w, 1);
    enter(&w, 0, "ann");
    pass(&w, PRESENCE_FIRST_MS + TICK);
    assert_told(&w.g[0], "\"count\":1,\"viewers\":[" ANN "]");
    pass(&w, 10 * SECOND);
    assert_int_equal(w.g[0].tells, 1);         /* nothing has changed */
    leave(&w, 0, "ann");
    pass(&w, SECOND);
    assert_int_equal(presence_size(&w.g[0].p), 0);
    assert_null(w.g[0].report);
    assert_int_equal(w.g[0].tells, 1);
    end(&w);
}

static void gateways_agree_within_two_seconds(void **state)
{
    struct world w;

    (void)state;
    begin(&w, 3);
    enter(&w, 0, "ann");
    pass(&w, 5 * SECOND);
    enter(&w, 1, "bob");
    enter(&w, 2, "bob");                       /* on two gateways, one person */
    pass(&w, 2 * SECOND);
    for (int i = 0; i < 3; i++)
        assert_told(&w.g[i], "\"count\":2,\"viewers\":[" ANN "," BOB "]");
    leave(&w, 0, "ann");
    pass(&w, 2 * SECOND);
    for (int i = 1; i < 3; i++)
        assert_told(&w.g[i], "\"count\":1,\"viewers\":[" BOB "]");
    leave(&w, 1, "bob");
    pass(&w, 2 * SECOND);
    assert_told(&w.g[2], "\"count\":1,\"viewers\":[" BOB "]");
    end(&w);
}

/* The worst moment: right after everybody was told. */
static void within_two_seconds_also_right_after_the_last_news(void **state)
{
    struct world w;

    (void)state;
    begin(&w, 2);
    enter(&w, 0, "ann");
    enter(&w, 1, "x");
    pass(&w, 5 * SECOND);
    for (int i = 0; i < 20; i++) {
        char sub[16], last[64];

        snprintf(sub, sizeof(sub), "n%02d", i);
        snprintf(last, sizeof(last), "\"count\":%d,", i + 3);
        enter(&w, 0, sub);
        pass(&w, 2 * SECOND - (uint64_t)(i % 5) * TICK);
        assert_non_null(strstr(w.g[1].told, last));
        pass(&w, (uint64_t)(i % 7) * TICK);
    }
    end(&w);
}

static void several_tabs_are_one_person(void **state)
{
    struct world w;

    (void)state;
    begin(&w, 1);
    enter(&w, 0, "ann");
    enter(&w, 0, "ann");
    pass(&w, 2 * SECOND);
    assert_told(&w.g[0], "\"count\":1,\"viewers\":[" ANN "]");
    enter(&w, 0, "ann");                       /* a third tab: it has not heard yet */
    pass(&w, 2 * SECOND);
    assert_int_equal(w.g[0].tells, 2);
    leave(&w, 0, "ann");
    leave(&w, 0, "ann");
    pass(&w, 2 * SECOND);
    assert_told(&w.g[0], "\"count\":1,\"viewers\":[" ANN "]");
    assert_int_equal(w.g[0].tells, 2);
    end(&w);
}

static void a_crowd_is_one_message_a_second_and_small_reports(void **state)
{
    struct world w;

    (void)state;
    begin(&w, 2);
    enter(&w, 1, "zoe");
    pass(&w, 5 * SECOND);
    w.g[0].tells = w.g[0].reports = w.g[1].tells = w.g[1].reports = 0;
    for (int i = 0; i < 50; i++) {             /* five seconds: a hundred come in each tenth */
        crowd(&w, 0, i * 100, i * 100 + 100, true);
        pass(&w, TICK);
    }
    pass(&w, 2 * SECOND);
    assert_in_range(w.g[0].tells, 4, 8);
    assert_in_range(w.g[1].tells, 4, 8);
    assert_in_range(w.g[0].reports, 8, 15);
    assert_int_equal(w.g[1].reports, 0);
    assert_true(strlen(w.g[0].report) < 3000);
    assert_true(strlen(w.g[1].told) < 3000);
    assert_non_null(strstr(w.g[0].told, "\"count\":5001,"));
    assert_non_null(strstr(w.g[1].told, "\"count\":5001,\"viewers\":[{\"userId\":\"zoe\""));
    crowd(&w, 0, 0, 4900, false);
    pass(&w, 3 * SECOND);
    assert_non_null(strstr(w.g[1].told, "\"count\":101,"));
    assert_string_equal(w.g[0].told, w.g[1].told);
    end(&w);
}

static void who_is_on_two_gateways_counts_once_in_a_crowd_too(void **state)
{
    struct world w;

    (void)state;
    begin(&w, 2);
    crowd(&w, 0, 0, 3000, true);
    crowd(&w, 1, 0, 3000, true);
    pass(&w, 3 * SECOND);
    assert_non_null(strstr(w.g[0].told, "\"count\":3000,"));
    assert_string_equal(w.g[0].told, w.g[1].told);
    end(&w);
}

static void a_dead_gateways_viewers_go(void **state)
{
    struct world w;
    struct slice live[] = { SLICE("gw0.1") };
    uint64_t     turn;

    (void)state;
    begin(&w, 2);
    enter(&w, 0, "ann");
    enter(&w, 1, "bob");
    pass(&w, 3 * SECOND);
    assert_told(&w.g[0], "\"count\":2,\"viewers\":[" ANN "," BOB "]");
    turn = presence_turn(&w.g[0].p);
    presence_alive(&w.g[0].p, live, 1, turn);
    pass(&w, 2 * SECOND);
    assert_told(&w.g[0], "\"count\":1,\"viewers\":[" ANN "]");
    end(&w);
}

static void who_was_heard_after_the_question_is_not_dead(void **state)
{
    struct world           w;
    struct slice           live[] = { SLICE("gw0.1") };
    struct presence_report r = { SLICE("new.1"), SLICE("{\"version\":1,\"count\":1,\"sample\":"
                                 "\"________\",\"viewers\":[[1,\"eve\",\"Eve\"]]}") };
    uint64_t               turn;

    (void)state;
    begin(&w, 1);
    enter(&w, 0, "ann");
    pass(&w, 3 * SECOND);
    turn = presence_turn(&w.g[0].p);
    presence_heard(&w.g[0].p, slice_of(TASK), &r);
    presence_alive(&w.g[0].p, live, 1, turn);
    presence_heard_all(&w.g[0].p, slice_of(TASK), NULL, 0);   /* asked before that, too */
    pass(&w, 2 * SECOND);
    assert_non_null(strstr(w.g[0].told, "\"userId\":\"eve\""));
    presence_alive(&w.g[0].p, live, 1, presence_turn(&w.g[0].p));
    pass(&w, 2 * SECOND);
    assert_told(&w.g[0], "\"count\":1,\"viewers\":[" ANN "]");
    end(&w);
}

static void an_old_report_does_not_replace_a_newer_one(void **state)
{
    struct world w;
    char        *old;

    (void)state;
    begin(&w, 2);
    enter(&w, 0, "ann");
    enter(&w, 1, "bob");
    pass(&w, 3 * SECOND);
    old = mem_strdup(w.g[1].report);
    leave(&w, 1, "bob");
    pass(&w, 3 * SECOND);
    assert_told(&w.g[0], "\"count\":1,\"viewers\":[" ANN "]");
    presence_heard(&w.g[0].p, slice_of(TASK),
                   &(struct presence_report){ SLICE("gw1.1"), slice_of(old) });
    pass(&w, 3 * SECOND);
    assert_told(&w.g[0], "\"count\":1,\"viewers\":[" ANN "]");
    free(old);
    end(&w);
}

static void what_was_lost_on_the_way_is_made_good_by_a_refresh(void **state)
{
    struct world w;

    (void)state;
    begin(&w, 2);
    enter(&w, 0, "ann");
    enter(&w, 1, "bob");
    w.is_deaf = true;
    pass(&w, 3 * SECOND);
    assert_told(&w.g[0], "\"count\":1,\"viewers\":[" ANN "]");
    w.is_deaf = false;
    pass(&w, PRESENCE_REFRESH_MS + 2 * SECOND);
    assert_told(&w.g[0], "\"count\":2,\"viewers\":[" ANN "," BOB "]");
    assert_string_equal(w.g[0].told, w.g[1].told);
    leave(&w, 1, "bob");
    w.is_deaf = true;                          /* and the report that he has gone is lost */
    pass(&w, 2 * SECOND);
    w.is_deaf = false;
    free(w.g[1].report);
    w.g[1].report = NULL;
    presence_refresh(&w.g[0].p);
    pass(&w, 3 * SECOND);
    assert_told(&w.g[0], "\"count\":1,\"viewers\":[" ANN "]");
    end(&w);
}

static void malformed_reports_are_ignored(void **state)
{
    static const char *const TEXTS[] = {
        "", "x", "[]", "{}", "{\"version\":1}",
        "{\"version\":1,\"count\":-1,\"sample\":\"________\",\"viewers\":[]}",
        "{\"version\":0,\"count\":1,\"sample\":\"________\",\"viewers\":[]}",
        "{\"version\":9,\"count\":1,\"sample\":\"!\",\"viewers\":[]}",
        "{\"version\":9,\"count\":1,\"sample\":\"________\",\"viewers\":{}}",
        "{\"version\":9,\"count\":1,\"sample\":\"________\",\"viewers\":[1]}",
        "{\"version\":9,\"count\":1,\"sample\":\"________\",\"viewers\":[[1,2,3]]}",
        "{\"version\":9,\"count\":1,\"sample\":\"________\",\"viewers\":[[\"1\",\"a\",\"b\"]]}",
        "{\"version\":9,\"count\":1,\"viewers\":[]}",
    };
    struct world w;

    (void)state;
    begin(&w, 1);
    enter(&w, 0, "ann");
    pass(&w, 2 * SECOND);
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        presence_heard(&w.g[0].p, slice_of(TASK),
                       &(struct presence_report){ SLICE("evil"), slice_of(TEXTS[i]) });
        pass(&w, 2 * SECOND);
        assert_int_equal(w.g[0].tells, 1);
    }
    presence_heard(&w.g[0].p, SLICE("no task"), &(struct presence_report){ SLICE("g"), SLICE("") });
    presence_leave(&w.g[0].p, SLICE(TASK), SLICE("nobody"));
    presence_leave(&w.g[0].p, SLICE("aaaaaaaaaaaaaaaaaaaaaaaa"), SLICE("ann"));
    assert_int_equal(presence_size(&w.g[0].p), 1);
    end(&w);
}

static void names_are_written_as_json(void **state)
{
    struct world                 w;
    const struct presence_person who = { SLICE("ann"), SLICE("A \"B\" \\ \n") };

    (void)state;
    begin(&w, 2);
    enter(&w, 1, "bob");
    presence_enter(&w.g[0].p, slice_of(TASK), &who, 1, w.now_ms);
    pass(&w, 3 * SECOND);
    assert_non_null(strstr(w.g[1].told, "{\"userId\":\"ann\",\"name\":\"A \\\"B\\\" \\\\ \\n\"}"));
    assert_string_equal(w.g[0].told, w.g[1].told);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_who_comes_hears_of_oneself),
        cmocka_unit_test(gateways_agree_within_two_seconds),
        cmocka_unit_test(within_two_seconds_also_right_after_the_last_news),
        cmocka_unit_test(several_tabs_are_one_person),
        cmocka_unit_test(a_crowd_is_one_message_a_second_and_small_reports),
        cmocka_unit_test(who_is_on_two_gateways_counts_once_in_a_crowd_too),
        cmocka_unit_test(a_dead_gateways_viewers_go),
        cmocka_unit_test(who_was_heard_after_the_question_is_not_dead),
        cmocka_unit_test(an_old_report_does_not_replace_a_newer_one),
        cmocka_unit_test(what_was_lost_on_the_way_is_made_good_by_a_refresh),
        cmocka_unit_test(malformed_reports_are_ignored),
        cmocka_unit_test(names_are_written_as_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
