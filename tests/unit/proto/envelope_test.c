/* envelope_test.c -- positions, routing lines, addressed lines and offsets. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/mem.h"
#include "proto/envelope.h"

#define HEADS                                      \
    "1732155360000001 1732155360000042\n"          \
    "1 65f0c0ffee65f0c0ffee65f0 acme 7 ann@acme 0\n"

static const char WHOLE[] = HEADS
    "task [\"task:coding\",{\"seq\":7}]\n"
    "user:acme/ann@acme [\"user:notification\",{}]\n";

static void assert_slice(struct slice s, const char *text)
{
    assert_int_equal(s.len, strlen(text));
    if (s.len != 0)
        assert_memory_equal(s.data, text, s.len);
}

static void a_whole_envelope_is_cut_into_its_parts(void **state)
{
    struct envelope e;
    struct slice    address, json;

    (void)state;
    assert_int_equal(envelope_parse(slice_of(WHOLE), &e), 0);
    assert_int_equal(e.at.epoch, 1732155360000001);
    assert_int_equal(e.at.number, 1732155360000042);
    assert_slice(e.routing.task, "65f0c0ffee65f0c0ffee65f0");
    assert_slice(e.routing.org, "acme");
    assert_int_equal(e.routing.seq, 7);
    assert_slice(e.routing.creator, "ann@acme");
    assert_false(e.routing.is_private);
    assert_true(envelope_next(&e.lines, &address, &json));
    assert_slice(address, "task");
    assert_slice(json, "[\"task:coding\",{\"seq\":7}]");
    assert_true(envelope_next(&e.lines, &address, &json));
    assert_slice(address, "user:acme/ann@acme");
    assert_slice(json, "[\"user:notification\",{}]");
    assert_false(envelope_next(&e.lines, &address, &json));
}

/* Each length is parsed from a block of exactly that size, so that a look past the end is
 * seen by AddressSanitizer. */
static void cut_at_any_byte_it_is_whole_or_refused(void **state)
{
    size_t heads = strlen(HEADS);

    (void)state;
    for (size_t n = 0; n < sizeof(WHOLE); n++) {
        char           *copy = mem_dup(WHOLE, n == 0 ? 1 : n);
        struct envelope e;
        struct slice    address, json;
        int             err = envelope_parse(slice_make(copy, n), &e);

        assert_int_equal(err, n < heads ? ERR_INVALID : 0);
        while (err == 0 && envelope_next(&e.lines, &address, &json))
            assert_true(address.len != 0 && json.len != 0);
        free(copy);
    }
}

static void dashes_stand_for_none(void **state)
{
    struct envelope e;

    (void)state;
    assert_int_equal(envelope_parse(SLICE("0 0\n1 - acme - - 1\n"), &e), 0);
    assert_int_equal(e.at.epoch, 0);
    assert_int_equal(e.routing.task.len, 0);
    assert_int_equal(e.routing.seq, 0);
    assert_int_equal(e.routing.creator.len, 0);
    assert_true(e.routing.is_private);
    assert_int_equal(e.lines.len, 0);
}

static void heads_that_are_not_as_they_must_be_are_refused(void **state)
{
    static const char *const BAD[] = {
        "", "\n\n", "1 2\n", "1 2", "1 2\n1 - a - - 0",              /* cut off */
        "1\n1 - a - - 0\n", "1 2 3\n1 - a - - 0\n", " 1 2\n1 - a - - 0\n",
        "-1 2\n1 - a - - 0\n", "+1 2\n1 - a - - 0\n", "01 2\n1 - a - - 0\n",
        "1 0x2\n1 - a - - 0\n", "1 18446744073709551616\n1 - a - - 0\n",
        "1 2\n2 - a - - 0\n", "1 2\n- - a - - 0\n",                  /* another version */
        "1 2\n1 - a - -\n", "1 2\n1 - a - - 2\n", "1 2\n1 - a - - 00\n", "1 2\n1 - a - - 0 \n",
        "1 2\n1 - a - - 0 x\n", "1 2\n1  a - - 0\n", "1 2\n1 - a -1 - 0\n",
        "1 2\n1 - a 9223372036854775808 - 0\n",
        "1 2\n1 65f0c0ffee65f0c0ffee65f a 1 s 0\n",                  /* 23 digits */
        "1 2\n1 65f0c0ffee65f0c0ffee65f00 a 1 s 0\n",
        "1 2\n1 65F0C0FFEE65F0C0FFEE65F0 a 1 s 0\n",
        "1 2\r\n1 - a - - 0\r\n",
    };
    struct envelope e;

    (void)state;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        if (envelope_parse(slice_of(BAD[i]), &e) != ERR_INVALID)
            fail_msg("accepted: %s", BAD[i]);
    }
    assert_int_equal(envelope_parse(slice_make(NULL, 0), &e), ERR_INVALID);
}

static void the_largest_numbers_fit(void **state)
{
    struct position p;

    (void)state;
    assert_int_equal(position_parse(SLICE("18446744073709551615 18446744073709551615"), &p), 0);
    assert_true(p.epoch == UINT64_MAX && p.number == UINT64_MAX);
    assert_int_equal(position_parse(SLICE("18446744073709551616 0"), &p), ERR_INVALID);
    assert_int_equal(position_parse(SLICE("99999999999999999999 0"), &p), ERR_INVALID);
    assert_int_equal(position_parse(SLICE("1"), &p), ERR_INVALID);
    assert_int_equal(position_parse(SLICE("1 "), &p), ERR_INVALID);
}

static void lines_that_are_no_address_and_json_are_skipped(void **state)
{
    struct slice rest = SLICE("\n\ntask\n task\n [\"a\"]\ndash []\nmine {}"), address, json;

    (void)state;
    assert_true(envelope_next(&rest, &address, &json));
    assert_slice(address, "dash");
    assert_slice(json, "[]");
    assert_true(envelope_next(&rest, &address, &json));
    assert_slice(address, "mine");
    assert_false(envelope_next(&rest, &address, &json));
    assert_false(envelope_next(&rest, &address, &json));
}

static void offsets_go_there_and_back(void **state)
{
    static const struct {
        struct offset offset;
        const char   *text;
    } CASES[] = {
        { { { 1, 2 }, 0, 0 }, "1-2.0" },
        { { { 1732155360000001, 1732155360000042 }, 3, 1 }, "1732155360000001-1732155360000042.3.1" },
        { { { UINT64_MAX, UINT64_MAX }, UINT32_MAX, UINT32_MAX },
          "18446744073709551615-18446744073709551615.4294967295.4294967295" },
    };
    char          text[OFFSET_TEXT_SIZE];
    struct offset back;

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        offset_format(&CASES[i].offset, text);
        assert_string_equal(text, CASES[i].text);
        assert_int_equal(offset_parse(slice_of(text), &back), 0);
        assert_memory_equal(&back, &CASES[i].offset, sizeof(back));
    }
}

static void what_is_no_offset_is_refused(void **state)
{
    static const char *const BAD[] = {
        "", "-", ".", "1", "1-", "1-2", "1-2.", "1-.3", "-2.3", "1-2.3.", "1-2.3.0", "1-2.3.4.5",
        "1-2.3.4.", " 1-2.3", "1-2.3 ", "1-2.03", "1-2.4294967296", "1-2.3.4294967296",
        "18446744073709551616-2.3", "1--2.3", "a-b.c", "1-2,3",
    };
    struct offset o;

    (void)state;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        if (offset_parse(slice_of(BAD[i]), &o) != ERR_INVALID)
            fail_msg("accepted: %s", BAD[i]);
    }
    assert_int_equal(offset_parse(slice_make(NULL, 0), &o), ERR_INVALID);
}

static void times_are_numbers_or_dashes(void **state)
{
    static const char *const BAD[] = { "", "1", "1 ", " 1", "1 2 3", "01 2", "1 x", "-1 2", "--" };
    struct times t;

    (void)state;
    assert_int_equal(times_parse(SLICE("1732155360000001 1732155360000042"), &t), 0);
    assert_true(t.committed_us == 1732155360000001 && t.published_us == 1732155360000042);
    assert_int_equal(times_parse(SLICE("- 7"), &t), 0);
    assert_true(t.committed_us == 0 && t.published_us == 7);
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        if (times_parse(slice_of(BAD[i]), &t) != ERR_INVALID || t.committed_us != 0 ||
            t.published_us != 0)
            fail_msg("accepted: %s", BAD[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_envelope_is_cut_into_its_parts),
        cmocka_unit_test(cut_at_any_byte_it_is_whole_or_refused),
        cmocka_unit_test(dashes_stand_for_none),
        cmocka_unit_test(heads_that_are_not_as_they_must_be_are_refused),
        cmocka_unit_test(the_largest_numbers_fit),
        cmocka_unit_test(lines_that_are_no_address_and_json_are_skipped),
        cmocka_unit_test(offsets_go_there_and_back),
        cmocka_unit_test(what_is_no_offset_is_refused),
        cmocka_unit_test(times_are_numbers_or_dashes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
