/* table_test.c -- columns that are aligned, and fit. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "taskd/ctl/cli/colour.h"
#include "taskd/ctl/cli/table.h"
#include "taskd/ctl/cli/text.h"

static const struct table_column COLUMNS[] = {
    { "ID", 0 },
    { "N", COLUMN_RIGHT },
    { "WHO", COLUMN_OPTIONAL },
    { "TITLE", COLUMN_SHRINKS },
};
static const struct table_style WIDE = { .width = 0, .has_titles = true };

static struct table *two_rows(void)
{
    struct table *t = table_new(COLUMNS, 4);

    table_cell(t, SLICE("a1"), NULL);
    table_cell(t, SLICE("7"), NULL);
    table_cell(t, SLICE("ann"), NULL);
    table_cell(t, SLICE("Make the door blue"), NULL);
    table_cell(t, SLICE("b22"), NULL);
    table_cell(t, SLICE("1234"), NULL);
    table_cell(t, SLICE("日本"), NULL);
    table_cell(t, SLICE(""), NULL);
    return t;
}

static void expect(struct table *t, const struct table_style *style, const char *text)
{
    struct buf out;

    buf_init(&out, 65536);
    table_print(t, style, &out);
    assert_string_equal(out.data != NULL ? out.data : "", text);
    buf_deinit(&out);
}

static void columns_are_aligned_whatever_is_in_them(void **state)
{
    struct table *t = two_rows();

    (void)state;
    expect(t, &WIDE, "ID      N  WHO   TITLE\n"
                     "a1      7  ann   Make the door blue\n"
                     "b22  1234  日本\n");
    table_free(t);
}

static void titles_may_be_left_out_and_come_once(void **state)
{
    const struct table_style bare = { .has_titles = false };
    struct table *t = two_rows();

    (void)state;
    expect(t, &bare, "a1      7  ann   Make the door blue\nb22  1234  日本\n");
    expect(t, &WIDE, "");
    table_free(t);
    t = two_rows();
    expect(t, &WIDE, "ID      N  WHO   TITLE\na1      7  ann   Make the door blue\nb22  1234  "
                     "日本\n");
    table_cell(t, SLICE("c"), NULL);
    table_cell(t, SLICE("1"), NULL);
    table_cell(t, SLICE("bo"), NULL);
    table_cell(t, SLICE("x"), NULL);
    expect(t, &WIDE, "c       1  bo    x\n");              /* as wide as before */
    table_free(t);
}

static void what_may_shrink_shrinks_first(void **state)
{
    const struct table_style narrow = { .width = 28, .has_titles = true };
    struct table *t = two_rows();

    (void)state;
    expect(t, &narrow, "ID      N  WHO   TITLE\n"
                       "a1      7  ann   Make the d…\n"
                       "b22  1234  日本\n");
    table_free(t);
}

static void then_the_optional_go_and_the_rest_has_room_again(void **state)
{
    const struct table_style narrow = { .width = 22, .has_titles = true };
    struct table *t = two_rows();

    (void)state;
    expect(t, &narrow, "ID      N  TITLE\na1      7  Make the d…\nb22  1234\n");
    table_free(t);
}

static void no_line_is_ever_too_wide(void **state)
{
    (void)state;
    for (size_t width = 1; width < 60; width++) {
        const struct table_style style = { .width = width, .has_titles = true };
        struct table *t = two_rows();
        struct buf    out;
        struct slice  rest;

        buf_init(&out, 65536);
        table_print(t, &style, &out);
        rest = buf_peek(&out);
        while (rest.len > 0)
            assert_true(text_width(slice_cut(&rest, '\n')) <= width);
        buf_deinit(&out);
        table_free(t);
    }
}

static void colours_take_no_room(void **state)
{
    const struct table_style coloured = { .has_titles = false, .has_colour = true };
    struct table *t = table_new(COLUMNS, 4);

    (void)state;
    table_cell(t, SLICE("a"), COLOUR_RED);
    table_cell(t, SLICE("1"), NULL);
    table_cell(t, SLICE("b"), COLOUR_BLUE);
    table_cell(t, SLICE("c"), NULL);
    expect(t, &coloured, "\x1b[31ma\x1b[0m  1  \x1b[34mb\x1b[0m  c\n");
    table_free(t);
}

static void cells_are_cleaned(void **state)
{
    struct table *t = table_new(COLUMNS, 1);
    const struct table_style bare = { .has_titles = false, .has_colour = true };

    (void)state;
    table_cell(t, SLICE("\x1b[2Jx\ny"), NULL);
    expect(t, &bare, "\xef\xbf\xbd[2Jx y\n");
    table_free(t);
    table_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_aligned_whatever_is_in_them),
        cmocka_unit_test(titles_may_be_left_out_and_come_once),
        cmocka_unit_test(what_may_shrink_shrinks_first),
        cmocka_unit_test(then_the_optional_go_and_the_rest_has_room_again),
        cmocka_unit_test(no_line_is_ever_too_wide),
        cmocka_unit_test(colours_take_no_room),
        cmocka_unit_test(cells_are_cleaned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
