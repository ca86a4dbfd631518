/* redis_shard.c -- see redis_shard.h.
 *
 * Rendezvous hashing: each server draws a number for the org, and the greatest wins. Of the
 * consistent hashes it is the one without a parameter: no ring, no virtual nodes whose count
 * both sides have to agree on, nothing to build and keep; for the handful of servers that there
 * are, n hashes are cheaper than a ring is long. It is a SHA-256 because every language and
 * every shell has one:
 *
 *     printf '%s %s' 10.0.0.7:6379 acme | sha256sum | cut -c1-16
 *
 * A server's name is its host and port as REDIS_URL has them, without login and database:
 * services may sign in as different users. Databases of one server share its channels, so they
 * are one server here, and naming it twice is refused. */
#include "common/redis_shard.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/crypto.h"
#include "common/err.h"
#include "common/mem.h"
#include "common/redis_internal.h"

static struct slice trim(struct slice s)
{
    while (s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
        s = slice_from(s, 1);
    while (s.len > 0 && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
        s.len--;
    return s;
}

static int refuse(struct redis_servers *s, struct buf *why, const char *sentence)
{
    if (why != NULL)
        buf_append_text(why, sentence);
    redis_servers_deinit(s);
    return ERR_INVALID;
}

/* Host names know no capital letters. */
static void name_of(const struct redis_url *url, char out[REDIS_SERVER_NAME_SIZE])
{
    bool is_ipv6 = strchr(url->host, ':') != NULL;

    snprintf(out, REDIS_SERVER_NAME_SIZE, is_ipv6 ? "[%s]:%d" : "%s:%d", url->host, url->port);
    for (char *c = out; *c != '\0'; c++) {
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    }
}

static bool is_named(const struct redis_servers *s, const char *name)
{
    for (size_t i = 0; i < s->count; i++) {
        if (strcmp(s->names[i], name) == 0)
            return true;
    }
    return false;
}

int redis_servers_init(struct redis_servers *s, const char *urls, struct buf *why)
{
    struct slice     rest = slice_of(urls);
    struct redis_url url;

    *s = (struct redis_servers){ .count = 0 };
    while (rest.data != NULL) {
        struct slice one = trim(slice_cut(&rest, ','));
        char         name[REDIS_SERVER_NAME_SIZE];
        char        *text = mem_strndup(one.data, one.len);
        int          err = redis_url_parse(text, &url);

        if (err != 0 || s->count >= REDIS_SERVERS_MAX) {
            free(text);
            return refuse(s, why, err != 0 ? "REDIS_URL is not of the form redis://host:port, or "
                                             "several of them with commas between."
                                           : "REDIS_URL names more than 16 servers.");
        }
        name_of(&url, name);
        if (is_named(s, name)) {
            free(text);
            return refuse(s, why, "REDIS_URL names a server twice (its databases share their "
                                  "channels, so they count as one).");
        }
        memcpy(s->names[s->count], name, sizeof(name));
        s->urls[s->count++] = text;
    }
    return 0;
}

void redis_servers_deinit(struct redis_servers *s)
{
    for (size_t i = 0; i < s->count; i++)
        free(s->urls[i]);
    s->count = 0;
}

static uint64_t draw(const char *name, struct slice org)
{
    uint8_t    hash[SHA256_BYTES];
    uint64_t   n = 0;
    struct buf text;

    buf_init(&text, REDIS_SERVER_NAME_SIZE + 1024);
    buf_append_text(&text, name);
    buf_append_char(&text, ' ');
    buf_append(&text, org.data, org.len);
    crypto_sha256(buf_peek(&text), hash);
    buf_deinit(&text);
    for (size_t i = 0; i < sizeof(n); i++)
        n = n << 8 | hash[i];
    return n;
}

size_t redis_servers_of(const struct redis_servers *s, struct slice org)
{
    size_t   best = 0;
    uint64_t greatest = 0;

    for (size_t i = 0; s->count > 1 && i < s->count; i++) {
        uint64_t n = draw(s->names[i], org);

        if (n > greatest) {
            best = i;
            greatest = n;
        }
    }
    return best;
}
