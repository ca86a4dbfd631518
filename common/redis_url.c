/* redis_url.c -- where a Redis is, from its URL. Pure.
 *
 * `redis://x@host` is refused: the registered scheme calls x a user, redis-cli a password.
 * `rediss://` is refused, because there is no TLS here, and so is a query, because nobody
 * would act on it. */
#include "common/redis_internal.h"

#include "common/err.h"

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Percent-decode into a text of at most size-1 bytes. */
static bool decode(struct slice in, char *out, size_t size)
{
    size_t len = 0;

    for (size_t i = 0; i < in.len; i++) {
        int byte = (unsigned char)in.data[i];

        if (byte == '%') {
            if (i + 2 >= in.len || digit_of(in.data[i + 1]) < 0 || digit_of(in.data[i + 2]) < 0)
                return false;
            byte = digit_of(in.data[i + 1]) * 16 + digit_of(in.data[i + 2]);
            i += 2;
        }
        if (byte == '\0' || len + 1 >= size)
            return false;
        out[len++] = (char)byte;
    }
    out[len] = '\0';
    return true;
}

static bool parse_number(struct slice text, int max, int *out)
{
    int n = 0;

    if (text.len == 0 || text.len > 5)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        n = n * 10 + (text.data[i] - '0');
    }
    *out = n;
    return n <= max;
}

static bool parse_login(struct slice login, struct redis_url *out)
{
    struct slice user = slice_cut(&login, ':');

    return login.len != 0 && decode(user, out->user, sizeof(out->user)) &&
           decode(login, out->password, sizeof(out->password));
}

static bool parse_host(struct slice at, struct redis_url *out)
{
    struct slice host;
    bool         is_bracketed = slice_starts(at, "[");

    if (is_bracketed) {
        at = slice_from(at, 1);
        host = slice_cut(&at, ']');
        if (at.data == NULL || at.len == 1 || (at.len != 0 && at.data[0] != ':'))
            return false;                      /* no bracket, "[::1]:", or "[::1]x" */
        at = slice_from(at, 1);
    } else {
        host = slice_cut(&at, ':');
        if (at.data != NULL && at.len == 0)
            return false;                      /* "host:" */
    }
    if (host.len == 0 || host.len >= sizeof(out->host))
        return false;
    for (size_t i = 0; i < host.len; i++) {
        if (host.data[i] <= ' ' || host.data[i] >= 0x7f || strchr("?#@\\[]%", host.data[i]) != NULL)
            return false;
    }
    memcpy(out->host, host.data, host.len);
    out->host[host.len] = '\0';
    out->port = 6379;
    return at.len == 0 || (parse_number(at, 65535, &out->port) && out->port > 0);
}

int redis_url_parse(const char *text, struct redis_url *out)
{
    struct slice path = slice_of(text), place, login;
    const char  *at;

    *out = (struct redis_url){ .port = 0 };
    if (!slice_starts(path, "redis://"))
        return ERR_INVALID;
    path = slice_from(path, strlen("redis://"));
    place = slice_cut(&path, '/');
    at = place.len == 0 ? NULL : memrchr(place.data, '@', place.len);
    if (at != NULL) {
        login = slice_make(place.data, (size_t)(at - place.data));
        place = slice_from(place, login.len + 1);
        if (!parse_login(login, out))
            return ERR_INVALID;
    }
    if (!parse_host(place, out) || (path.len != 0 && !parse_number(path, 99999, &out->db)))
        return ERR_INVALID;
    return 0;
}
