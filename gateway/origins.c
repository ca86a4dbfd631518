/* origins.c -- see origins.h.
 *
 * The page's own origin is recognised by comparing the Origin's authority with the Host
 * header, whatever the scheme: a proxy in front may speak TLS where we do not. A hostile page
 * cannot choose either: its browser writes both. */
#include "gateway/origins.h"

#include <stdlib.h>

#include "common/err.h"
#include "common/mem.h"

static struct slice authority_of(struct slice origin)
{
    for (size_t i = 0; i + 2 < origin.len; i++) {
        if (memcmp(origin.data + i, "://", 3) == 0)
            return slice_from(origin, i + 3);
    }
    return (struct slice){ NULL, 0 };
}

static bool is_origin(struct slice s)
{
    struct slice authority = authority_of(s);

    if (!slice_starts(s, "http://") && !slice_starts(s, "https://"))
        return false;
    for (size_t i = 0; i < authority.len; i++) {
        char c = authority.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
              c == ':' || c == '[' || c == ']'))
            return false;
    }
    return authority.len > 0;
}

static char *trimmed(char *s)
{
    size_t len;

    while (*s == ' ')
        s++;
    len = strlen(s);
    while (len > 0 && s[len - 1] == ' ')
        s[--len] = '\0';
    return s;
}

int origins_init(struct origins *o, const char *list, struct buf *why)
{
    size_t count = 0;
    char  *save = NULL;

    *o = (struct origins){ .text = mem_strdup(list != NULL ? list : "") };
    for (char *p = strtok_r(o->text, ",", &save); p != NULL; p = strtok_r(NULL, ",", &save)) {
        char *one = trimmed(p);

        if (count == ORIGINS_MAX) {
            buf_printf(why, "WEBSOCKET_CORS_ORIGIN names more than %d origins.", ORIGINS_MAX);
            return ERR_INVALID;
        }
        if (!is_origin(slice_of(one))) {
            buf_printf(why, "WEBSOCKET_CORS_ORIGIN: \"%s\" is no origin such as "
                       "https://tasks.example.com (lower case, no path).", one);
            return ERR_INVALID;
        }
        o->list[count++] = one;
    }
    return 0;
}

void origins_deinit(struct origins *o)
{
    free(o->text);
    *o = (struct origins){ 0 };
}

static bool is_named(const struct origins *o, struct slice origin)
{
    for (size_t i = 0; o->list[i] != NULL; i++) {
        if (slice_is(origin, o->list[i]))
            return true;
    }
    return false;
}

size_t origins_headers(const struct origins *o, struct slice origin,
                       struct http_header out[ORIGINS_HEADERS])
{
    size_t count = 0;

    if (o->list[0] == NULL)
        return 0;
    out[count++] = (struct http_header){ SLICE("Vary"), SLICE("Origin") };
    if (!is_named(o, origin))
        return count;
    out[count++] = (struct http_header){ SLICE("Access-Control-Allow-Origin"), origin };
    out[count++] = (struct http_header){ SLICE("Access-Control-Allow-Credentials"), SLICE("true") };
    return count;
}

bool origins_allow(const struct origins *o, struct slice origin, struct slice host)
{
    struct slice authority = authority_of(origin);

    if (origin.data == NULL || is_named(o, origin))
        return true;
    return authority.len > 0 && authority.len == host.len &&
           strncasecmp(authority.data, host.data, host.len) == 0;
}
