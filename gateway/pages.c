/* pages.c -- see pages.h.
 *
 * Vite names everything under /assets/ by a hash of its contents: kept for ever by browsers.
 * All else (index.html above all) is asked for again each time and answered 304 where the
 * ETag still fits. A path that no file has, asked for by a person (Accept names text/html),
 * is the page's own business: it gets index.html and routes by itself.
 *
 * The folder is walked with a list of folders still to read, not by recursion. */
#include "gateway/pages.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <uthash.h>

#include "common/crypto.h"
#include "common/err.h"
#include "common/mem.h"
#include "gateway/problem.h"

#define PATH_BYTES_MAX 1024
#define ETAG_SIZE      40

struct page {
    char          *path;                       /* "/assets/index-abc.js" */
    const char    *type;
    char           etag[ETAG_SIZE];            /* with its quotes */
    struct rcbuf  *body;
    UT_hash_handle hh;
};

static const char *type_of(const char *path)
{
    static const struct { const char *ending, *type; } TYPES[] = {
        { ".html", "text/html; charset=utf-8" },
        { ".js", "text/javascript; charset=utf-8" },
        { ".mjs", "text/javascript; charset=utf-8" },
        { ".css", "text/css; charset=utf-8" },
        { ".json", "application/json" },
        { ".map", "application/json" },
        { ".webmanifest", "application/manifest+json" },
        { ".svg", "image/svg+xml" },
        { ".png", "image/png" },
        { ".jpg", "image/jpeg" },
        { ".webp", "image/webp" },
        { ".ico", "image/x-icon" },
        { ".woff2", "font/woff2" },
        { ".txt", "text/plain; charset=utf-8" },
    };
    const char *dot = strrchr(path, '.');

    for (size_t i = 0; dot != NULL && i < sizeof(TYPES) / sizeof(TYPES[0]); i++) {
        if (strcmp(dot, TYPES[i].ending) == 0)
            return TYPES[i].type;
    }
    return "application/octet-stream";
}

/* --- loading --- */

static struct rcbuf *file_read(const char *name, size_t size)
{
    struct rcbuf *body = rcbuf_new(size);
    FILE         *f = fopen(name, "rb");
    bool          is_whole = f != NULL && fread(body->data, 1, size, f) == size;

    if (f != NULL)
        fclose(f);
    if (is_whole)
        return body;
    rcbuf_unref(body);
    return NULL;
}

static int page_add(struct pages *p, const char *file, const char *path, size_t size)
{
    struct page *page;
    struct buf   etag;
    uint8_t      digest[SHA256_BYTES];
    struct rcbuf *body;

    if (p->count == PAGES_FILES_MAX || size > PAGES_BYTES_MAX - p->bytes)
        return ERR_TOO_BIG;
    body = file_read(file, size);
    if (body == NULL)
        return 0;                              /* unreadable: not there */
    page = mem_new(struct page);
    page->path = mem_strdup(path);
    page->type = type_of(path);
    page->body = body;
    crypto_sha256(rcbuf_slice(body), digest);
    buf_init(&etag, ETAG_SIZE - 1);
    buf_append_char(&etag, '"');
    crypto_append_hex(&etag, digest, 16);
    buf_append_char(&etag, '"');
    memcpy(page->etag, etag.data, etag.len + 1);
    buf_deinit(&etag);
    HASH_ADD_KEYPTR(hh, p->table, page->path, strlen(page->path), page);
    p->count++;
    p->bytes += size;
    return 0;
}

struct folders { char **names; size_t count, cap; };   /* still to read, below the root */

static void folders_add(struct folders *f, const char *name)
{
    if (f->count == f->cap) {
        f->cap = f->cap == 0 ? 16 : f->cap * 2;
        f->names = mem_resize(f->names, f->cap * sizeof(f->names[0]));
    }
    f->names[f->count++] = mem_strdup(name);
}

static int entry_load(struct pages *p, struct folders *todo, const char *root, const char *path)
{
    char        file[2 * PATH_BYTES_MAX];
    struct stat st;

    if (snprintf(file, sizeof(file), "%s%s", root, path) >= (int)sizeof(file) ||
        stat(file, &st) != 0)
        return 0;
    if (S_ISDIR(st.st_mode) && todo->count < PAGES_FILES_MAX) {
        folders_add(todo, path);
        return 0;
    }
    return S_ISREG(st.st_mode) ? page_add(p, file, path, (size_t)st.st_size) : 0;
}

static int folder_load(struct pages *p, struct folders *todo, const char *root, const char *folder)
{
    char           path[PATH_BYTES_MAX];
    struct dirent *e;
    DIR           *d;
    int            err = 0;

    if (snprintf(path, sizeof(path), "%s%s", root, folder) >= (int)sizeof(path))
        return 0;
    d = opendir(path);
    if (d == NULL)
        return folder[0] == '\0' ? ERR_NOT_FOUND : 0;
    while (err == 0 && (e = readdir(d)) != NULL) {
        if (e->d_name[0] == '.')
            continue;
        if (snprintf(path, sizeof(path), "%s/%s", folder, e->d_name) < (int)sizeof(path))
            err = entry_load(p, todo, root, path);
    }
    closedir(d);
    return err;
}

int pages_load(struct pages *out, const char *root)
{
    struct folders todo = { 0 };
    int            err = 0;

    *out = (struct pages){ 0 };
    folders_add(&todo, "");
    while (err == 0 && todo.count > 0) {
        char *folder = todo.names[--todo.count];

        err = folder_load(out, &todo, root, folder);
        free(folder);
    }
    while (todo.count > 0)
        free(todo.names[--todo.count]);
    free(todo.names);
    if (err != 0)
        pages_deinit(out);
    return err;
}

void pages_deinit(struct pages *p)
{
    struct page *page, *next;

    HASH_ITER(hh, p->table, page, next) {
        HASH_DEL(p->table, page);
        rcbuf_unref(page->body);
        free(page->path);
        free(page);
    }
    *p = (struct pages){ 0 };
}

/* --- serving --- */

static const struct page *page_find(const struct pages *p, struct slice path)
{
    struct page *page = NULL;

    HASH_FIND(hh, p->table, path.data, path.len, page);
    return page;
}

static const struct page *page_for(const struct pages *p, struct http_request *r)
{
    struct slice       path = http_request_path(r);
    struct slice       accept = http_request_header(r, "Accept");
    const struct page *page = page_find(p, path);

    if (page != NULL)
        return page;
    if (slice_is(path, "/") ||
        (accept.len > 0 && memmem(accept.data, accept.len, "text/html", 9) != NULL &&
         !slice_starts(path, "/assets/")))
        return page_find(p, SLICE("/index.html"));
    return NULL;
}

static void page_answer(const struct page *page, struct http_request *r)
{
    bool         is_hashed = strncmp(page->path, "/assets/", 8) == 0;
    struct slice known = http_request_header(r, "If-None-Match");
    const struct http_header headers[] = {
        { SLICE("ETag"), slice_of(page->etag) },
        { SLICE("Cache-Control"),
          is_hashed ? SLICE("public, max-age=31536000, immutable") : SLICE("no-cache") },
        { SLICE("X-Content-Type-Options"), SLICE("nosniff") },
        { SLICE("Referrer-Policy"), SLICE("no-referrer") },
        { SLICE("Cross-Origin-Opener-Policy"), SLICE("same-origin") },
        { SLICE("Cross-Origin-Resource-Policy"), SLICE("same-origin") },
        { SLICE("Permissions-Policy"), SLICE("camera=(), geolocation=(), microphone=()") },
        { SLICE("X-Frame-Options"), SLICE("DENY") },
        { SLICE("Content-Security-Policy"),
          SLICE("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
                "font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; "
                "base-uri 'none'; form-action 'self'; frame-ancestors 'none'") },
    };
    struct http_answer a = {
        .status = 200, .content_type = page->type, .headers = headers,
        .header_count = sizeof(headers) / sizeof(headers[0]), .body = page->body,
    };

    if (known.len > 0 && memmem(known.data, known.len, page->etag, strlen(page->etag)) != NULL) {
        a.status = 304;
        a.body = NULL;
    }
    http_request_answer(r, &a);
}

void pages_handle(const struct pages *p, struct http_request *r)
{
    const struct page *page;

    if (http_request_method(r) != HTTP_GET && http_request_method(r) != HTTP_HEAD) {
        problem_answer_method(r, "GET, HEAD, OPTIONS");
        return;
    }
    page = page_for(p, r);
    if (page != NULL)
        page_answer(page, r);
    else
        problem_answer(r, ERROR_NOT_FOUND, NULL);
}
