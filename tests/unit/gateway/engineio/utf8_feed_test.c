/* utf8_feed_test.c -- UTF-8 in pieces (gateway/engineio/utf8_feed.c), against common/utf8.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/utf8.h"
#include "gateway/engineio/utf8_feed.h"

/* The judgement on `text` fed in two pieces. */
static bool judge(struct slice text, size_t cut)
{
    struct utf8_feed f = { 0 };

    return utf8_feed(&f, slice_make(text.data, cut)) && utf8_feed(&f, slice_from(text, cut)) &&
           utf8_feed_is_whole(&f);
}

static void check(struct slice text)
{
    bool expected = utf8_is_valid(text);

    for (size_t cut = 0; cut <= text.len; cut++)
        assert_int_equal(judge(text, cut), expected);
}

static void all_pairs_of_bytes_are_judged_as_whole_texts_are(void **state)
{
    (void)state;
    for (int a = 0; a < 256; a++) {
        for (int b = 0; b < 256; b++) {
            char text[2] = { (char)a, (char)b };

            check(slice_make(text, 2));
        }
    }
}

static void all_leads_with_boundary_continuations_are_judged_as_whole_texts_are(void **state)
{
    static const uint8_t EDGES[] = { 0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff };
    enum { N = sizeof(EDGES) };

    (void)state;
    for (int lead = 0xc0; lead < 256; lead++) {
        for (int i = 0; i < N * N * N; i++) {
            char text[5] = { (char)lead, (char)EDGES[i % N], (char)EDGES[i / N % N],
                             (char)EDGES[i / N / N], 'x' };

            check(slice_make(text, 4));
            check(slice_make(text, 5));
        }
    }
}

static void long_texts_are_judged_at_every_cut(void **state)
{
    (void)state;
    check(SLICE("plain ascii that is longer than one machine word, and then some"));
    check(SLICE("Hello-\xc2\xb5@\xc3\x9f\xc3\xb6\xc3\xa4\xc3\xbc\xc3\xa0\xc3\xa1-UTF-8!! \xf0\x9f\x98\x80"));
    check(SLICE("eight..8\xed\xa0\x80 a surrogate"));
}

static void the_first_bad_byte_is_enough(void **state)
{
    struct utf8_feed f = { 0 };

    (void)state;
    assert_true(utf8_feed(&f, SLICE("ok \xf4")));
    assert_false(utf8_feed_is_whole(&f));
    assert_false(utf8_feed(&f, SLICE("\x90")));    /* beyond U+10FFFF, whatever follows */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_pairs_of_bytes_are_judged_as_whole_texts_are),
        cmocka_unit_test(all_leads_with_boundary_continuations_are_judged_as_whole_texts_are),
        cmocka_unit_test(long_texts_are_judged_at_every_cut),
        cmocka_unit_test(the_first_bad_byte_is_enough),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
