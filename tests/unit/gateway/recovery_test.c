/* recovery_test.c -- what a client that comes back is owed, walked through on paper logs. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "common/buf.h"
#include "common/err.h"
#include "gateway/recovery.h"

#define EPOCH  1000
#define T1     "65f0c0ffee65f0c0ffee6501"
#define T2     "65f0c0ffee65f0c0ffee6502"
#define ORG    SLICE("acme")
#define BOB    SLICE("bob")

/* --- a log --- */

/* One transition of `task` (of ann's), with a line for its room, one for the dashboards, and one
 * for each of two people. */
static char *entry(uint64_t number, const char *task, unsigned seq, const char *kind)
{
    static char texts[8][1024];
    static int  next;
    char       *out = texts[next++ % 8];
    bool        is_private = strcmp(kind, "hidden") == 0 || strcmp(kind, "turned") == 0;
    int         n = snprintf(out, 1024, "%d %llu\n1 %s acme %u ann %d\n", EPOCH,
                             (unsigned long long)number, task, seq, is_private);

    if (strcmp(kind, "turned") == 0)
        n += snprintf(out + n, 1024 - (size_t)n, "evict [\"task:evicted\",%u]\n", seq);
    n += snprintf(out + n, 1024 - (size_t)n, "task [\"task:event_added\",%u]\n", seq);
    if (strcmp(kind, "turned") == 0)
        n += snprintf(out + n, 1024 - (size_t)n, "dash [\"dashboard:task_removed\",%u]\n", seq);
    n += snprintf(out + n, 1024 - (size_t)n, "%s [\"dashboard:task_list_updated\",%u]\n",
                  is_private ? "mine" : "dash", seq);
    snprintf(out + n, 1024 - (size_t)n, "user:acme/bob [\"for:bob\",%u]\n"
                                        "user:acme/eve [\"for:eve\",%u]\n", seq, seq);
    return out;
}

static enum recovery_step read_log(struct recovery *r, char *const *texts, size_t count)
{
    struct slice s[16];

    for (size_t i = 0; i < count; i++)
        s[i] = slice_of(texts[i]);
    return recovery_log(r, s, count);
}

#define READ(r, ...)                                                                    \
    read_log((r), (char *const[]){ __VA_ARGS__ },                                       \
             sizeof((char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static enum recovery_step live(struct recovery *r, char *text)
{
    struct frame      *f = frame_new(slice_of(text));
    enum recovery_step step;

    assert_non_null(f);
    step = recovery_frame(r, f);
    frame_unref(f);
    return step;
}

static void note(struct slice json, const struct offset *at, void *arg)
{
    char text[OFFSET_TEXT_SIZE];

    offset_format(at, text);
    buf_printf(arg, "%.*s@%s ", SLICE_ARG(json), strchr(text, '-') + 1);
}

/* All that would be said, as `["name",seq]@number.line …`. */
static void assert_says(struct recovery *r, const char *expected)
{
    struct buf b;

    buf_init(&b, 1 << 16);
    recovery_settle(r);
    recovery_each(r, note, &b);
    assert_string_equal(b.data != NULL ? b.data : "", expected);
    buf_deinit(&b);
}

static void add(struct record *r, const char *field, const char *value)
{
    assert_int_equal(0, record_add(r, slice_of(field), slice_of(value)));
}

/* Bob's, begun at 1000 (where the epoch did), in T1 since 1002 and on the dashboard since 1003. */
static struct record bobs(void)
{
    struct record r;

    record_init(&r);
    add(&r, "owner", "gateway.7");
    add(&r, "sub", "bob");
    add(&r, "sid", "the-sid");
    add(&r, "start", "1000-1000.999");
    add(&r, "k", "2");
    add(&r, "t:" T1, "1000-1002.999.1");
    add(&r, "d", "1000-1003.999.2");
    return r;
}

static struct recovery bob_with(const char *offset)
{
    struct record   record = bobs();
    struct recovery r;

    assert_int_equal(0, recovery_init(&r, &record, slice_of(offset), ORG, BOB));
    record_deinit(&record);
    return r;
}

static struct position at(uint64_t number)
{
    return (struct position){ EPOCH, number };
}

static enum room_fate fate(struct recovery *r, const char *task)
{
    const struct recovery_room *room = recovery_room(r, slice_of(task));

    assert_non_null(room);
    return room->fate;
}

/* --- records and offsets --- */

static void a_record_that_makes_no_sense_is_refused(void **state)
{
    static const char *const BAD[][2] = {
        { "sid", "" }, { "sid", "a-sid-that-is-much-too-long-to-be-one" }, { "start", "" },
        { "start", "x" }, { "k", "" }, { "k", "-1" }, { "k", "4294967296" }, { "k", "12345678901" },
        { "d", "" }, { "d", "1-2" }, { "t:short", "?" }, { "t:" T1 "0", "?" }, { "t:" T1, "!" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        struct record r;

        record_init(&r);
        assert_int_equal(ERR_CORRUPT, record_add(&r, slice_of(BAD[i][0]), slice_of(BAD[i][1])));
        record_deinit(&r);
    }
}

static void a_room_has_one_field(void **state)
{
    char field[RECORD_FIELD_SIZE];

    (void)state;
    record_field(SLICE(""), field);
    assert_string_equal(field, "d");
    record_field(SLICE(T1), field);
    assert_string_equal(field, "t:" T1);
}

static void offsets_grow_along_a_socket(void **state)
{
    static const char *const ORDER[] = {
        "0-0.999", "1000-1000.999", "1000-1001.0", "1000-1001.1", "1000-1001.999.1",
        "1000-1001.999.2", "1000-1001.1000", "1000-1002.0", "2000-7.0",
    };
    size_t count = sizeof(ORDER) / sizeof(ORDER[0]);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            struct offset a, b;
            int           c;

            assert_int_equal(0, offset_parse(slice_of(ORDER[i]), &a));
            assert_int_equal(0, offset_parse(slice_of(ORDER[j]), &b));
            c = offset_compare(&a, &b);
            assert_int_equal(c < 0 ? -1 : c > 0, i < j ? -1 : i > j);
        }
    }
}

/* --- which rooms --- */

static void a_room_is_replayed_only_to_who_has_its_snapshot(void **state)
{
    static const struct {
        const char     *offset;
        enum room_fate  task, dashboard;
    } CASES[] = {
        { "",                 ROOM_FRESH,  ROOM_FRESH },    /* older than everything */
        { "1000-1002.1",      ROOM_FRESH,  ROOM_FRESH },
        { "1000-1002.999.1",  ROOM_REPLAY, ROOM_FRESH },
        { "1000-1003.0",      ROOM_REPLAY, ROOM_FRESH },
        { "1000-1003.999.1",  ROOM_REPLAY, ROOM_FRESH },
        { "1000-1003.999.2",  ROOM_REPLAY, ROOM_REPLAY },
        { "1000-1004.0",      ROOM_REPLAY, ROOM_REPLAY },
        { "900-950.0",        ROOM_FRESH,  ROOM_FRESH },    /* of a session before this one */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct recovery r = bob_with(CASES[i].offset);

        assert_int_equal(fate(&r, T1), CASES[i].task);
        assert_int_equal(fate(&r, ""), CASES[i].dashboard);
        assert_null(recovery_room(&r, SLICE(T2)));
        recovery_deinit(&r);
    }
}

static void a_snapshot_that_may_not_have_left_is_sent_again(void **state)
{
    struct record   record = bobs();
    struct recovery r;

    (void)state;
    add(&record, "t:" T2, RECORD_NOT_TOLD);
    assert_int_equal(0, recovery_init(&r, &record, SLICE("1000-1009.0"), ORG, BOB));
    assert_int_equal(fate(&r, T2), ROOM_FRESH);
    recovery_deinit(&r);
    record_deinit(&record);
}

static void an_offset_that_nobody_gave_is_refused(void **state)
{
    static const char *const BAD[] = { "x", "1000", "1000-1001", "1000-1001.0.3", "-1-2.3", "1000-1001.0.0" };

    (void)state;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        struct record   record = bobs();
        struct recovery r;

        assert_int_equal(ERR_INVALID, recovery_init(&r, &record, slice_of(BAD[i]), ORG, BOB));
        record_deinit(&record);
    }
}

/* --- what is said --- */

static void replay_begins_at_the_next_line(void **state)
{
    struct recovery r = bob_with("1000-1004.1");

    (void)state;
    assert_int_equal(recovery_begin(&r, at(1005)), RECOVERY_READ);
    assert_int_equal(r.next, 1004);
    assert_int_equal(READ(&r, entry(1004, T1, 4, ""), entry(1005, T1, 5, "")), RECOVERY_DONE);
    assert_says(&r, "[\"for:bob\",4]@1004.2 [\"task:event_added\",5]@1005.0 "
                    "[\"dashboard:task_list_updated\",5]@1005.1 [\"for:bob\",5]@1005.2 ");
    recovery_deinit(&r);
}

static void behind_a_snapshot_it_begins_at_the_next_number(void **state)
{
    struct recovery r = bob_with("1000-1004.999.2");

    (void)state;
    assert_int_equal(recovery_begin(&r, at(1005)), RECOVERY_READ);
    assert_int_equal(r.next, 1005);
    assert_int_equal(READ(&r, entry(1005, T2, 1, "")), RECOVERY_DONE);
    assert_says(&r, "[\"dashboard:task_list_updated\",1]@1005.1 [\"for:bob\",1]@1005.2 ");
    recovery_deinit(&r);
    r = bob_with("1000-1004.999.2");
    assert_int_equal(recovery_begin(&r, at(1004)), RECOVERY_DONE);
    assert_says(&r, "");
    recovery_deinit(&r);
}

static void who_has_heard_nothing_hears_what_concerns_them_since_the_beginning(void **state)
{
    struct recovery r = bob_with("");

    (void)state;
    assert_int_equal(recovery_begin(&r, at(1002)), RECOVERY_READ);
    assert_int_equal(r.next, 1001);
    assert_int_equal(READ(&r, entry(1001, T1, 1, "")), RECOVERY_READ);
    assert_int_equal(READ(&r, entry(1002, T1, 2, "")), RECOVERY_DONE);
    assert_says(&r, "[\"for:bob\",1]@1001.2 [\"for:bob\",2]@1002.2 ");
    recovery_deinit(&r);
}

static void live_frames_follow_the_log_without_gap_or_repeat(void **state)
{
    struct recovery r = bob_with("1000-1004.999.2");

    (void)state;
    assert_int_equal(recovery_begin(&r, at(1006)), RECOVERY_READ);
    assert_int_equal(live(&r, entry(1007, T1, 7, "")), RECOVERY_READ);
    assert_int_equal(READ(&r, entry(1005, T1, 5, "")), RECOVERY_READ);
    assert_int_equal(live(&r, entry(1008, T1, 8, "")), RECOVERY_READ);
    /* The log is already further than we are: what is behind the target comes as a frame. */
    assert_int_equal(READ(&r, entry(1006, T1, 6, ""), entry(1007, T1, 7, ""), entry(1008, T1, 8, "")),
                     RECOVERY_DONE);
    assert_int_equal(live(&r, entry(1009, T1, 9, "")), RECOVERY_DONE);
    recovery_room(&r, SLICE(""))->fate = ROOM_GONE;
    assert_says(&r, "[\"task:event_added\",5]@1005.0 [\"for:bob\",5]@1005.2 "
                    "[\"task:event_added\",6]@1006.0 [\"for:bob\",6]@1006.2 "
                    "[\"task:event_added\",7]@1007.0 [\"for:bob\",7]@1007.2 "
                    "[\"task:event_added\",8]@1008.0 [\"for:bob\",8]@1008.2 "
                    "[\"task:event_added\",9]@1009.0 [\"for:bob\",9]@1009.2 ");
    recovery_deinit(&r);
}

/* --- what cannot be had --- */

static void a_log_with_a_hole_is_no_use(void **state)
{
    struct recovery r;

    (void)state;
    r = bob_with("1000-1004.1");
    assert_int_equal(recovery_begin(&r, at(1006)), RECOVERY_READ);
    assert_int_equal(READ(&r, entry(1005, T1, 5, "")), RECOVERY_LOST);      /* cut off */
    recovery_deinit(&r);
    r = bob_with("1000-1004.999.2");
    assert_int_equal(recovery_begin(&r, at(1007)), RECOVERY_READ);
    assert_int_equal(READ(&r, entry(1005, T1, 5, ""), entry(1007, T1, 7, "")), RECOVERY_LOST);
    recovery_deinit(&r);
    r = bob_with("1000-1004.999.2");
    assert_int_equal(recovery_begin(&r, at(1007)), RECOVERY_READ);
    assert_int_equal(recovery_log(&r, NULL, 0), RECOVERY_LOST);
    recovery_deinit(&r);
    r = bob_with("1000-1004.999.2");
    assert_int_equal(recovery_begin(&r, at(1005)), RECOVERY_READ);
    assert_int_equal(READ(&r, "garbage"), RECOVERY_LOST);
    recovery_deinit(&r);
}

static void another_epoch_is_another_life(void **state)
{
    struct recovery r = bob_with("1000-1004.1");

    (void)state;
    assert_int_equal(recovery_begin(&r, (struct position){ 2000, 2001 }), RECOVERY_LOST);
    recovery_deinit(&r);
}

static void who_is_further_than_we_are_waits_for_us(void **state)
{
    struct recovery r = bob_with("1000-1004.1");

    (void)state;
    assert_int_equal(recovery_begin(&r, at(1003)), RECOVERY_AHEAD);
    assert_int_equal(recovery_begin(&r, at(1004)), RECOVERY_READ);
    recovery_deinit(&r);
}

static void an_org_without_a_past_is_read_from_its_first_number(void **state)
{
    struct record   record;
    struct recovery r;

    (void)state;
    record_init(&record);
    add(&record, "sid", "the-sid");
    add(&record, "start", "0-0.999");
    assert_int_equal(0, recovery_init(&r, &record, SLICE(""), ORG, BOB));
    assert_int_equal(recovery_begin(&r, (struct position){ 0, 0 }), RECOVERY_DONE);
    recovery_deinit(&r);
    assert_int_equal(0, recovery_init(&r, &record, SLICE(""), ORG, BOB));
    assert_int_equal(recovery_begin(&r, at(1001)), RECOVERY_READ);
    assert_int_equal(r.next, 1001);
    recovery_deinit(&r);
    record_deinit(&record);
}

static void too_much_is_not_replayed(void **state)
{
    struct recovery    r = bob_with("1000-1004.999.2");
    enum recovery_step step = recovery_begin(&r, at(1005 + RECOVERY_FRAMES_MAX));
    uint64_t           number = 1005;

    (void)state;
    while (step == RECOVERY_READ && number < 1006 + RECOVERY_FRAMES_MAX)
        step = READ(&r, entry(number++, T1, 1, ""));
    assert_int_equal(step, RECOVERY_LOST);
    assert_true(r.bytes <= RECOVERY_BYTES_MAX + 1024);
    recovery_deinit(&r);
}

/* --- privacy --- */

static void a_task_that_turned_private_is_not_told_of(void **state)
{
    struct recovery r = bob_with("1000-1004.999.2");

    (void)state;
    assert_int_equal(recovery_begin(&r, at(1008)), RECOVERY_READ);
    assert_int_equal(READ(&r, entry(1005, T1, 5, ""), entry(1006, T1, 6, "turned"),
                          entry(1007, T1, 7, "hidden"), entry(1008, T2, 1, "")), RECOVERY_DONE);
    assert_says(&r, "[\"for:bob\",5]@1005.2 [\"task:evicted\",6]@1006.0 "
                    "[\"dashboard:task_removed\",6]@1006.2 [\"for:bob\",6]@1006.4 "
                    "[\"for:bob\",7]@1007.2 "
                    "[\"dashboard:task_list_updated\",1]@1008.1 [\"for:bob\",1]@1008.2 ");
    assert_int_equal(fate(&r, T1), ROOM_EVICTED);
    recovery_deinit(&r);
}

static void one_that_is_public_again_is_told_of_but_its_room_is_lost(void **state)
{
    struct recovery r = bob_with("1000-1004.999.2");

    (void)state;
    assert_int_equal(recovery_begin(&r, at(1007)), RECOVERY_READ);
    assert_int_equal(READ(&r, entry(1005, T1, 5, ""), entry(1006, T1, 6, "turned"),
                          entry(1007, T1, 7, "")), RECOVERY_DONE);
    assert_says(&r, "[\"dashboard:task_list_updated\",5]@1005.1 [\"for:bob\",5]@1005.2 "
                    "[\"task:evicted\",6]@1006.0 [\"dashboard:task_removed\",6]@1006.2 "
                    "[\"for:bob\",6]@1006.4 [\"dashboard:task_list_updated\",7]@1007.1 "
                    "[\"for:bob\",7]@1007.2 ");
    recovery_deinit(&r);
}

/* It may be public again: what was said while it was not is still not for them. */
static void who_has_heard_of_the_eviction_is_not_put_back(void **state)
{
    struct recovery r = bob_with("1000-1006.0");

    (void)state;
    assert_int_equal(recovery_begin(&r, at(1008)), RECOVERY_READ);
    assert_int_equal(READ(&r, entry(1006, T1, 6, "turned"), entry(1007, T1, 7, "hidden"),
                          entry(1008, T1, 8, "")), RECOVERY_DONE);
    assert_says(&r, "[\"dashboard:task_removed\",6]@1006.2 [\"for:bob\",6]@1006.4 "
                    "[\"for:bob\",7]@1007.2 "
                    "[\"dashboard:task_list_updated\",8]@1008.1 [\"for:bob\",8]@1008.2 ");
    assert_int_equal(fate(&r, T1), ROOM_FRESH);
    recovery_deinit(&r);
}

static void its_creator_stays(void **state)
{
    struct record   record = bobs();
    struct recovery r;

    (void)state;
    assert_int_equal(0, recovery_init(&r, &record, SLICE("1000-1004.999.2"), ORG, SLICE("ann")));
    record_deinit(&record);
    assert_int_equal(recovery_begin(&r, at(1006)), RECOVERY_READ);
    assert_int_equal(READ(&r, entry(1005, T1, 5, ""), entry(1006, T1, 6, "turned")), RECOVERY_DONE);
    assert_says(&r, "[\"task:event_added\",5]@1005.0 [\"dashboard:task_list_updated\",5]@1005.1 "
                    "[\"task:event_added\",6]@1006.1 [\"dashboard:task_removed\",6]@1006.2 "
                    "[\"dashboard:task_list_updated\",6]@1006.3 ");
    assert_int_equal(fate(&r, T1), ROOM_REPLAY);
    recovery_deinit(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_that_makes_no_sense_is_refused),
        cmocka_unit_test(a_room_has_one_field),
        cmocka_unit_test(offsets_grow_along_a_socket),
        cmocka_unit_test(a_room_is_replayed_only_to_who_has_its_snapshot),
        cmocka_unit_test(a_snapshot_that_may_not_have_left_is_sent_again),
        cmocka_unit_test(an_offset_that_nobody_gave_is_refused),
        cmocka_unit_test(replay_begins_at_the_next_line),
        cmocka_unit_test(behind_a_snapshot_it_begins_at_the_next_number),
        cmocka_unit_test(who_has_heard_nothing_hears_what_concerns_them_since_the_beginning),
        cmocka_unit_test(live_frames_follow_the_log_without_gap_or_repeat),
        cmocka_unit_test(a_log_with_a_hole_is_no_use),
        cmocka_unit_test(another_epoch_is_another_life),
        cmocka_unit_test(who_is_further_than_we_are_waits_for_us),
        cmocka_unit_test(an_org_without_a_past_is_read_from_its_first_number),
        cmocka_unit_test(too_much_is_not_replayed),
        cmocka_unit_test(a_task_that_turned_private_is_not_told_of),
        cmocka_unit_test(one_that_is_public_again_is_told_of_but_its_room_is_lost),
        cmocka_unit_test(who_has_heard_of_the_eviction_is_not_put_back),
        cmocka_unit_test(its_creator_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
