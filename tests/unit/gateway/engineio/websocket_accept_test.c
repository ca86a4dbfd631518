/* websocket_accept_test.c -- offers of compression (gateway/engineio/websocket_accept.c). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "gateway/engineio/websocket_link.h"

static void offers_are_accepted_with_a_window_or_declined(void **state)
{
    static const struct {
        const char *offer;
        int         window_bits;               /* 0: declined */
    } CASES[] = {
        { "permessage-deflate", 15 },
        { " Permessage-Deflate ", 15 },
        { "permessage-deflate; client_max_window_bits", 15 },
        { "permessage-deflate; client_max_window_bits=10", 15 },
        { "permessage-deflate; client_max_window_bits=\"15\"", 15 },
        { "permessage-deflate;server_no_context_takeover;client_no_context_takeover", 15 },
        { "permessage-deflate; server_max_window_bits=10", 10 },
        { "permessage-deflate; server_max_window_bits=\"9\"", 9 },
        { "permessage-deflate; server_max_window_bits=8, permessage-deflate", 15 },
        { "x-webkit-deflate-frame, permessage-deflate", 15 },
        { "permessage-deflate; foo=1, permessage-deflate; server_max_window_bits=12", 12 },
        { "permessage-deflate; server_max_window_bits=8", 0 },
        { "permessage-deflate; server_max_window_bits=16", 0 },
        { "permessage-deflate; server_max_window_bits=7", 0 },
        { "permessage-deflate; server_max_window_bits=010", 0 },
        { "permessage-deflate; server_max_window_bits", 0 },
        { "permessage-deflate; client_max_window_bits=", 0 },
        { "permessage-deflate; client_max_window_bits=99", 0 },
        { "permessage-deflate; server_no_context_takeover=1", 0 },
        { "permessage-deflate; client_no_context_takeover=yes", 0 },
        { "permessage-deflate; server_no_context_takeover; server_no_context_takeover", 0 },
        { "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10", 0 },
        { "permessage-deflate; unknown", 0 },
        { "permessage-deflate;", 0 },
        { "permessage-bzip2", 0 },
        { "", 0 },
        { ",,;;==", 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct ws_extension found = { -1 };
        bool                is_accepted = websocket_negotiate(slice_of(CASES[i].offer), &found);

        assert_int_equal(is_accepted, CASES[i].window_bits != 0);
        assert_int_equal(found.window_bits, CASES[i].window_bits);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offers_are_accepted_with_a_window_or_declined),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
