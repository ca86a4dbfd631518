/* api_routes.c -- who answers what: the table, and the look-up.
 *
 * Patterns and paths are walked segment by segment; a ':' segment takes any text that decodes
 * to something short without control characters. A few dozen rows are searched in order: a
 * request costs a thousand times more elsewhere. HEAD is answered by GET's row; OPTIONS, by
 * what is allowed (api.c). */
#include <stdio.h>
#include <string.h>

#include "taskd/api_call.h"

static const struct route ROUTES[] = {
    { HTTP_POST,   "/api/tasks",             ROUTE_USER,
      ROUTE_BODY | ROUTE_KEYED | ROUTE_KEYED_FOR_EVER | ROUTE_SAFE_TWICE, on_task_create },
    { HTTP_GET,    "/api/tasks",             ROUTE_USER,  0,    on_task_list },
    { HTTP_GET,    "/api/tasks/:id",         ROUTE_USER,  0,    on_task_get },
    { HTTP_PATCH,  "/api/tasks/:id",         ROUTE_USER,
      ROUTE_BODY | ROUTE_KEYED | ROUTE_SAFE_TWICE,              on_task_edit },
    { HTTP_POST,   "/api/tasks/:id/clarify", ROUTE_USER,
      ROUTE_BODY | ROUTE_KEYED | ROUTE_SAFE_TWICE,              on_task_clarify },
    { HTTP_GET,    "/api/tasks/:id/events",  ROUTE_USER,  0,    on_task_events },
    { HTTP_GET,    "/api/notifications",      ROUTE_USER, 0,    on_notifications },
    { HTTP_POST,   "/api/notifications/read", ROUTE_USER,
      ROUTE_BODY | ROUTE_KEYED | ROUTE_SAFE_TWICE,              on_notifications_read },
    { HTTP_GET,    "/api/me",                ROUTE_USER,  0,    on_me },
    { HTTP_POST,   "/api/webhooks/github",   ROUTE_SIGNED, ROUTE_LARGE, on_webhook },

    { HTTP_GET,    "/api/admin/status",      ROUTE_ADMIN, 0,    on_status },
    { HTTP_GET,    "/api/admin/outbox",      ROUTE_ADMIN, 0,    on_outbox },
    { HTTP_POST,   "/api/admin/outbox/:id",  ROUTE_ADMIN, ROUTE_KEYED | ROUTE_SAFE_TWICE,
      on_outbox_push },
    { HTTP_GET,    "/api/admin/positions",     ROUTE_ADMIN, 0,  on_position_list },
    { HTTP_GET,    "/api/admin/positions/:id", ROUTE_ADMIN, 0,  on_position_get },
    { HTTP_GET,    "/api/admin/dead-letters",           ROUTE_ADMIN, 0, on_dead_letters },
    { HTTP_GET,    "/api/admin/dead-letters/:id",       ROUTE_ADMIN, 0, on_dead_letter_get },
    { HTTP_DELETE, "/api/admin/dead-letters/:id",       ROUTE_ADMIN, 0, on_dead_letter_drop },
    { HTTP_POST,   "/api/admin/dead-letters/:id/retry", ROUTE_ADMIN, ROUTE_KEYED,
      on_dead_letter_retry },

    { HTTP_GET,    "/api/admin/revocations",     ROUTE_ADMIN, 0, on_revocations },
    { HTTP_POST,   "/api/admin/revocations",     ROUTE_ADMIN,
      ROUTE_BODY | ROUTE_KEYED | ROUTE_SAFE_TWICE, on_revocation_add },
    { HTTP_DELETE, "/api/admin/revocations/:id", ROUTE_ADMIN, 0, on_revocation_drop },
    { HTTP_GET,    "/api/admin/flags",           ROUTE_ADMIN, 0, on_flags },
    { HTTP_PUT,    "/api/admin/flags",           ROUTE_ADMIN, ROUTE_BODY, on_flags_put },
    { HTTP_GET,    "/api/admin/replicas",        ROUTE_ADMIN, 0, on_replicas },

    { HTTP_GET,    "/api/health",            ROUTE_OPEN,  0,    on_health },
    { HTTP_GET,    "/api/health/live",       ROUTE_OPEN,  0,    on_health_live },
    { HTTP_GET,    "/api/health/ready",      ROUTE_OPEN,  0,    on_health_ready },

    { HTTP_GET,    "/internal/tasks/:id",             ROUTE_CLUSTER, 0, on_internal_task },
    { HTTP_GET,    "/internal/orgs/:org",             ROUTE_CLUSTER, 0, on_internal_org },
    { HTTP_GET,    "/internal/orgs/:org/people/:sub", ROUTE_CLUSTER, 0, on_internal_person },
    { HTTP_POST,   "/internal/seqs",                  ROUTE_CLUSTER, ROUTE_BODY,
      on_internal_seqs },
    { HTTP_POST,   "/internal/notifications/read",    ROUTE_CLUSTER, ROUTE_BODY,
      on_internal_notifications_read },
    { HTTP_GET,    "/internal/revocations",           ROUTE_CLUSTER, 0, on_revocations },
    { HTTP_GET,    "/internal/flags",                 ROUTE_CLUSTER, 0, on_flags },
};

const struct route *route_rows(size_t *count)
{
    *count = sizeof(ROUTES) / sizeof(ROUTES[0]);
    return ROUTES;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Percent-decode one segment. False where it is empty, too long or ill-formed. */
static bool segment_decode(struct slice s, char out[CALL_PARAM_SIZE])
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++) {
        int c = (unsigned char)s.data[i];

        if (c == '%') {
            int high = i + 2 < s.len ? hex_digit(s.data[i + 1]) : -1;
            int low = i + 2 < s.len ? hex_digit(s.data[i + 2]) : -1;

            if (high < 0 || low < 0)
                return false;
            c = high * 16 + low;
            i += 2;
        }
        if (c < 0x20 || c == 0x7f || n + 1 >= CALL_PARAM_SIZE)
            return false;
        out[n++] = (char)c;
    }
    out[n] = '\0';
    return n > 0;
}

static bool route_matches(const char *pattern, struct slice path,
                          char params[CALL_PARAMS_MAX][CALL_PARAM_SIZE])
{
    struct slice want = slice_of(pattern);
    size_t       used = 0;

    while (want.data != NULL && path.data != NULL) {
        struct slice a = slice_cut(&want, '/');
        struct slice b = slice_cut(&path, '/');

        if (a.len > 0 && a.data[0] == ':') {
            if (used >= CALL_PARAMS_MAX || !segment_decode(b, params[used++]))
                return false;
        } else if (!slice_eq(a, b)) {
            return false;
        }
    }
    return want.data == NULL && path.data == NULL;
}

static void allow_add(struct buf *allow, const char *method)
{
    if (allow->len > 0)
        buf_append_text(allow, ", ");
    buf_append_text(allow, method);
}

const struct route *route_find(enum http_method method, struct slice path,
                               char params[CALL_PARAMS_MAX][CALL_PARAM_SIZE], bool *out_known,
                               struct buf *allow)
{
    enum http_method wanted = method == HTTP_HEAD ? HTTP_GET : method;

    *out_known = false;
    for (size_t i = 0; i < sizeof(ROUTES) / sizeof(ROUTES[0]); i++) {
        const struct route *r = &ROUTES[i];

        if (!route_matches(r->pattern, path, params))
            continue;
        if (r->method == wanted)
            return r;
        *out_known = true;
        allow_add(allow, http_method_text(r->method));
        if (r->method == HTTP_GET)
            allow_add(allow, "HEAD");
    }
    if (*out_known)
        allow_add(allow, "OPTIONS");
    return NULL;
}
