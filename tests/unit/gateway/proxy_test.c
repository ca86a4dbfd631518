/* proxy_test.c -- which paths are passed on to taskd (DESIGN 16). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "gateway/proxy.h"

static void rest_passes(void **state)
{
    static const char *const PATHS[] = {
        "/api/tasks", "/api/tasks/65f0c0ffee65f0c0ffee6501",
        "/api/tasks/65f0c0ffee65f0c0ffee6501/clarify", "/api/notifications/read", "/api/me",
        "/api/webhooks/github", "/api/admin/status", "/api/admin/dead-letters",
        "/api/admin/dead-letters/1732155360000-0/retry",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(PATHS) / sizeof(PATHS[0]); i++)
        assert_true(proxy_may_pass(slice_of(PATHS[i])));
}

static void nothing_else_does_however_it_is_spelled(void **state)
{
    static const char *const PATHS[] = {
        "", "/", "/api", "/internal/tasks/x", "/api/", "/api/internal/tasks/x", "/api/../internal/seqs",
        "/api/./internal", "/api/tasks/../../internal/seqs", "/api//internal", "/api/tasks/",
        "/api/%69nternal/x", "/api/tasks/%2e%2e/x", "/api/tasks%2fx", "/api/tasks\\..\\x",
        "/api/health", "/api/health/ready", "/api/config", "/api/admin", "/api/admin/flags",
        "/api/admin/revocations", "/api/admin/status/x", "/api/admin/%73tatus", "/API/tasks",
        "/api/admin/dead-letters/../flags", "/api/admin/dead-letters-x", "/api/admin/replicas",
        "/api/tasks;x", "/api/ta sks",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(PATHS) / sizeof(PATHS[0]); i++)
        assert_false(proxy_may_pass(slice_of(PATHS[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rest_passes),
        cmocka_unit_test(nothing_else_does_however_it_is_spelled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
