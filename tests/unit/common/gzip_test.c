/* gzip_test.c -- who is given gzip, and that what is given unpacks to what it was. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/err.h"
#include "common/gzip.h"

static void gzip_is_for_those_who_ask(void **state)
{
    static const struct {
        const char *header;
        bool        is_accepted;
    } ROWS[] = {
        { NULL, false },
        { "", false },
        { "gzip", true },
        { "GZip", true },
        { "x-gzip", true },
        { "deflate, gzip", true },
        { "gzip, deflate, br", true },
        { " br ,\tgzip ;q=0.5 ", true },
        { "gzip; q=0.001", true },
        { "gzip;Q=1.000", true },
        { "*", true },
        { "*;q=0.1", true },
        { "identity;q=0.5, *;q=0.5", true },
        { "identity;q=0, gzip", true },

        { "gzip;q=0", false },
        { "gzip;q=0.000", false },
        { "gzip;q=0, *", false },
        { "*;q=0", false },
        { "deflate, br", false },
        { "identity", false },
        { "identity, gzip;q=0.9", false },
        { "gzipped", false },
        { "gzip;q=", false },
        { "gzip;q=2", false },
        { "gzip;q=1.1", false },
        { "gzip;q=0.1234", false },
        { "gzip;q=-1", false },
        { "gzip;level=9", false },
        { ",,;,q=1", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++)
        if (gzip_is_accepted(slice_of(ROWS[i].header)) != ROWS[i].is_accepted)
            fail_msg("%s", ROWS[i].header);
}

static void unpacks_to(struct slice packed, const char *data, size_t len)
{
    z_stream z = { 0 };
    char    *out = malloc(len + 1);

    assert_non_null(out);
    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)packed.data;
    z.avail_in = (uInt)packed.len;
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)len + 1;
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(z.avail_in, 0);
    assert_int_equal(z.total_out, len);
    assert_memory_equal(out, data, len);
    inflateEnd(&z);
    free(out);
}

static void what_is_packed_unpacks(void **state)
{
    static const size_t SIZES[] = { 0, 1, 1000, 65535, 65536, 1 << 20 };
    struct buf          out;

    (void)state;
    for (size_t i = 0; i < 2 * sizeof(SIZES) / sizeof(SIZES[0]); i++) {
        size_t   len = SIZES[i / 2];
        char    *data = malloc(len + 1);
        uint32_t noise = 1;

        assert_non_null(data);
        for (size_t n = 0; n < len; n++) {
            noise = noise * 1664525 + 1013904223;
            data[n] = i % 2 == 0 ? "{\"taskId\":"[n % 10] : (char)(noise >> 24);
        }
        buf_init(&out, 2 << 20);
        buf_append_text(&out, "before");
        assert_int_equal(gzip_append(slice_make(data, len), &out), 0);
        unpacks_to(slice_from(buf_peek(&out), 6), data, len);
        buf_deinit(&out);
        free(data);
    }
}

static void nothing_is_added_where_there_is_no_room(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 10);
    buf_append_text(&out, "kept");
    assert_int_equal(gzip_append(SLICE("aaaaaaaaaaaaaaaaaaaa"), &out), ERR_TOO_BIG);
    assert_true(slice_is(buf_peek(&out), "kept"));
    buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gzip_is_for_those_who_ask),
        cmocka_unit_test(what_is_packed_unpacks),
        cmocka_unit_test(nothing_is_added_where_there_is_no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
