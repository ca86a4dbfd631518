/* dashboard_test.c -- putting a dashboard together, and what of the feed it covers. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/err.h"
#include "gateway/dashboard.h"

#define T1 "65f0c0ffee65f0c0ffee6501"
#define T2 "65f0c0ffee65f0c0ffee6502"
#define T3 "65f0c0ffee65f0c0ffee6503"

static const char PAGE[] =
    "1000 1050\n2 acme " T1 ":7 " T2 ":3\npeople ann bob\nrows {\"a\":1},{\"b\":2}\n"
    "counts \"activeCount\":2,\"completedCount\":0,\"failedCount\":0,\"rev\":1049\n"
    "next \"nextCursor\":\"x\"\n";
static const char OWN[] =
    "1000 1052\n2 acme " T3 ":4\nrows {\"c\":3}\n"
    "counts \"activeCount\":1,\"completedCount\":0,\"failedCount\":0,\"rev\":1040\n";

static struct dash_part parsed(const char *text)
{
    struct dash_part part;

    assert_int_equal(dash_parse(slice_of(text), &part), 0);
    return part;
}

static void composed(const struct dash_part *page, const struct dash_part *own, const char *expected)
{
    struct buf b;

    buf_init(&b, 4096);
    dash_compose(page, own, &b);
    assert_string_equal(b.data, expected);
    buf_deinit(&b);
}

static void a_page_is_cut_into_its_lines(void **state)
{
    struct dash_part page = parsed(PAGE);

    (void)state;
    assert_int_equal(page.at.number, 1050);
    assert_int_equal(page.rev, 1049);
    assert_true(slice_is(page.rows, "{\"a\":1},{\"b\":2}"));
    assert_true(slice_is(page.next, "\"nextCursor\":\"x\""));
    assert_true(dash_has_person(&page, SLICE("ann")));
    assert_true(dash_has_person(&page, SLICE("bob")));
    assert_false(dash_has_person(&page, SLICE("an")));
    assert_false(dash_has_person(&page, SLICE("")));
}

static void a_page_without_private_tasks_has_zeros(void **state)
{
    struct dash_part page = parsed(PAGE);

    (void)state;
    composed(&page, NULL,
             "[\"dashboard:state\",{\"tasks\":[{\"a\":1},{\"b\":2}],\"activeCount\":2,"
             "\"completedCount\":0,\"failedCount\":0,\"rev\":1049,\"private\":{\"activeCount\":0,"
             "\"completedCount\":0,\"failedCount\":0,\"rev\":0},\"nextCursor\":\"x\"}]");
}

static void ones_own_rows_stand_before_the_page(void **state)
{
    struct dash_part page = parsed(PAGE), own = parsed(OWN);

    (void)state;
    composed(&page, &own,
             "[\"dashboard:state\",{\"tasks\":[{\"c\":3},{\"a\":1},{\"b\":2}],\"activeCount\":2,"
             "\"completedCount\":0,\"failedCount\":0,\"rev\":1049,\"private\":{\"activeCount\":1,"
             "\"completedCount\":0,\"failedCount\":0,\"rev\":1040},\"nextCursor\":\"x\"}]");
}

static void empty_parts_leave_no_stray_comma(void **state)
{
    static const char EMPTY[] = "0 0\n2 acme\npeople\nrows\ncounts \"activeCount\":0,\"rev\":0\n";
    struct dash_part  page = parsed(EMPTY), own = parsed(OWN);

    (void)state;
    composed(&page, &own,
             "[\"dashboard:state\",{\"tasks\":[{\"c\":3}],\"activeCount\":0,\"rev\":0,"
             "\"private\":{\"activeCount\":1,\"completedCount\":0,\"failedCount\":0,"
             "\"rev\":1040}}]");
    composed(&page, NULL,
             "[\"dashboard:state\",{\"tasks\":[],\"activeCount\":0,\"rev\":0,\"private\":{"
             "\"activeCount\":0,\"completedCount\":0,\"failedCount\":0,\"rev\":0}}]");
}

static void what_is_not_as_it_must_be_is_refused(void **state)
{
    static const char *const BAD[] = {
        "", "1000 1050\n", "x y\n2 acme\nrows\ncounts \"rev\":1\n",
        "1000 1050\n1 acme\nrows\ncounts \"rev\":1\n", "1000 1050\n2 \nrows\ncounts \"rev\":1\n",
        "1000 1050\n2 acme\ncounts \"rev\":1\n", "1000 1050\n2 acme\nrows\n",
        "1000 1050\n2 acme\nrows\ncounts \"rev\":x\n", "1000 1050\n2 acme\nrows\ncounts 1\n",
        "1000 1050\n2 acme\nrows\ncounts \"rev\":\n",
    };
    struct dash_part part;

    (void)state;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
        assert_int_equal(dash_parse(slice_of(BAD[i]), &part), ERR_INVALID);
}

static bool covers(const struct dash_part *part, uint64_t number, const char *task, int64_t seq,
                   const char *json)
{
    struct envelope e = {
        .at = { 1000, number }, .routing = { .task = slice_of(task), .seq = seq },
    };

    return dash_covers(part, &e, slice_of(json));
}

static void a_state_covers_what_it_shows_and_no_more(void **state)
{
    static const char ROW[] = "[\"dashboard:task_list_updated\",{}]";
    static const char COUNTS[] = "[\"dashboard:task_count_changed\",{}]";
    struct dash_part  page = parsed(PAGE);

    (void)state;
    page.rev = 1052;                           /* counts read a little after the position */
    assert_true(covers(&page, 1050, T3, 9, ROW));          /* up to its position: everything */
    assert_true(covers(&page, 1051, T1, 7, ROW));          /* shown at that seq already */
    assert_false(covers(&page, 1051, T1, 8, ROW));
    assert_false(covers(&page, 1051, T3, 1, ROW));         /* a task that it does not show */
    assert_true(covers(&page, 1052, T1, 8, COUNTS));
    assert_false(covers(&page, 1053, T1, 7, COUNTS));      /* counts go by rev alone */
    assert_false(covers(&page, 1051, "", 0, "[\"x\",{}]"));
}

static void another_life_is_never_covered_by_number(void **state)
{
    struct dash_part page = parsed(PAGE);
    struct envelope  e = { .at = { 2000, 1 }, .routing = { .task = SLICE(T3), .seq = 1 } };

    (void)state;
    assert_false(dash_covers(&page, &e, SLICE("[\"task:created\",{}]")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_is_cut_into_its_lines),
        cmocka_unit_test(a_page_without_private_tasks_has_zeros),
        cmocka_unit_test(ones_own_rows_stand_before_the_page),
        cmocka_unit_test(empty_parts_leave_no_stray_comma),
        cmocka_unit_test(what_is_not_as_it_must_be_is_refused),
        cmocka_unit_test(a_state_covers_what_it_shows_and_no_more),
        cmocka_unit_test(another_life_is_never_covered_by_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
