/* sids_test.c -- sessions by sid (gateway/engineio/sids.c). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "common/mem.h"
#include "gateway/engineio/session.h"

#define COUNT 1000

static struct eio_session *session_of(int n)
{
    char                sid[SID_RANDOM_CHARS + 1];
    struct eio_session *s = mem_alloc(sizeof(*s) + SID_RANDOM_CHARS);

    snprintf(sid, sizeof(sid), "prefix-%013d", n * 7919);
    memcpy(s->sid, sid, SID_RANDOM_CHARS);
    s->sid_len = SID_RANDOM_CHARS;
    return s;
}

static size_t visited;

static void visit(struct eio_session *s)
{
    (void)s;
    visited++;
}

static void each_session_is_found_until_it_is_removed(void **state)
{
    struct sids         t;
    struct eio_session *s[COUNT];

    (void)state;
    sids_init(&t);
    for (int i = 0; i < COUNT; i++) {
        s[i] = session_of(i);
        sids_add(&t, s[i]);
    }
    visited = 0;
    sids_each(&t, visit);
    assert_int_equal(visited, COUNT);
    for (int i = 0; i < COUNT; i++)
        assert_ptr_equal(sids_find(&t, eio_session_sid(s[i])), s[i]);
    for (int i = 0; i < COUNT; i += 2) {
        sids_remove(&t, s[i]);
        sids_remove(&t, s[i]);                 /* twice is harmless */
    }
    assert_int_equal(t.count, COUNT / 2);
    for (int i = 0; i < COUNT; i++) {
        assert_ptr_equal(sids_find(&t, eio_session_sid(s[i])), i % 2 == 0 ? NULL : s[i]);
        sids_remove(&t, s[i]);
        free(s[i]);
    }
    sids_deinit(&t);
}

static void foolish_sids_are_unknown(void **state)
{
    struct sids         t;
    struct eio_session *s = session_of(1);

    (void)state;
    sids_init(&t);
    assert_null(sids_find(&t, SLICE("abcdefghijklmnopqrst")));
    sids_add(&t, s);
    assert_null(sids_find(&t, SLICE("")));
    assert_null(sids_find(&t, SLICE("x")));
    assert_null(sids_find(&t, SLICE("__proto__")));
    assert_null(sids_find(&t, slice_make(s->sid, SID_RANDOM_CHARS - 1)));
    sids_remove(&t, s);
    free(s);
    sids_deinit(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_session_is_found_until_it_is_removed),
        cmocka_unit_test(foolish_sids_are_unknown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
