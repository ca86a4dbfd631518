/* origins.h -- which pages' scripts may connect (SPEC A5): against cross-site websocket
 * hijacking. Pure. */
#ifndef TASKWIRE_GATEWAY_ORIGINS_H
#define TASKWIRE_GATEWAY_ORIGINS_H

#include <stdbool.h>

#include "common/buf.h"
#include "common/http_header.h"
#include "common/slice.h"

#define ORIGINS_MAX 64

struct origins {
    const char *list[ORIGINS_MAX + 1];         /* exact, NULL-terminated: also Engine.IO's cors_origins */
    char       *text;                          /* what they point into */
};

/* From a comma-separated list (NULL: empty). Returns 0, or ERR_INVALID with a sentence in
 * `why`: an origin is scheme://host[:port] and nothing more; `*` is refused, for the token
 * travels with the page. */
int  origins_init(struct origins *o, const char *list, struct buf *why);
void origins_deinit(struct origins *o);

/* May a page of this origin connect to a server that was addressed as `host`? No origin (no
 * browser, or no page): the token decides. */
bool origins_allow(const struct origins *o, struct slice origin, struct slice host);

/* What an answer to this origin says of CORS, appended to `out`: returns how many. Values live as
 * long as `o` and `origin`. */
#define ORIGINS_HEADERS 3
size_t origins_headers(const struct origins *o, struct slice origin,
                       struct http_header out[ORIGINS_HEADERS]);

#endif
