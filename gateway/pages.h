/* pages.h -- the web page's files, read once at start and served from memory.
 *
 * Only what stands in the table can be asked for, so no path can lead anywhere else. Made in
 * main, before the loop runs; then on the loop's thread. */
#ifndef TASKWIRE_GATEWAY_PAGES_H
#define TASKWIRE_GATEWAY_PAGES_H

#include "common/http_server.h"

#define PAGES_BYTES_MAX (32u << 20)            /* all files together */
#define PAGES_FILES_MAX 2048

struct page;

struct pages {
    struct page *table;
    size_t       count, bytes;
};

/* Read all files under `root`. Returns 0, ERR_NOT_FOUND where there is no such folder, or
 * ERR_TOO_BIG; `out` is empty then, and every page not found. */
int  pages_load(struct pages *out, const char *root);
void pages_deinit(struct pages *p);

/* Answer a request that nothing else is there for. */
void pages_handle(const struct pages *p, struct http_request *r);

#endif
