/* pages.c -- see pages.h.
 *
 * Vite names everything under /assets/ by a hash of its contents: kept for ever by browsers.
 * All else (index.html above all) is asked for again each time and answered 304 where the
 * ETag still fits. A path that no file has, asked for by a person (Accept names text/html),
 * is the page's own business: it gets index.html and routes by itself; what programs ask for
 * (/api, /socket.io) is never that.
 *
 * A file that has its brotli or gzip form beside it (`x.js.br`) is sent in that to whoever
 * takes it: compressed once, where the page is built, with as much effort as it is worth.
 * These forms have no address of their own.
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
#include "common/gzip.h"
#include "common/mem.h"
#include "gateway/problem.h"

#define PATH_BYTES_MAX 1024
#define ETAG_SIZE      40
#define HEADERS_ALWAYS 9

static const struct coding { const char *name, *ending; } CODINGS[] = {    /* the best first */
    { "br", ".br" },
    { "gzip", ".gz" },
};
#define CODING_COUNT (sizeof(CODINGS) / sizeof(CODINGS[0]))

struct page {
    char          *path;                       /* "/assets/index-abc.js" */
    const char    *type;
    char           etag[ETAG_SIZE];            /* with its quotes */
    struct rcbuf  *body;
    struct page   *coded[CODING_COUNT];        /* the same in that coding, or NULL */
    bool           is_varied;                  /* any of them is there */
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

static const struct page *page_find(const struct pages *p, struct slice path)
{
    struct page *page = NULL;

    HASH_FIND(hh, p->table, path.data, path.len, page);
    return page;
}

/* Hang a coded form on the page whose it is. */
static bool page_join(struct pages *p, struct page *page)
{
    struct slice path = slice_of(page->path);

    for (size_t i = 0; i < CODING_COUNT; i++) {
        size_t       tail = strlen(CODINGS[i].ending);
        struct page *whole;

        if (path.len <= tail || strcmp(page->path + path.len - tail, CODINGS[i].ending) != 0)
            continue;
        HASH_FIND(hh, p->table, path.data, path.len - tail, whole);
        if (whole == NULL)
            continue;
        whole->coded[i] = page;
        whole->is_varied = true;
        return true;
    }
    return false;
}

static void pages_join(struct pages *p)
{
    struct page *page, *next;

    HASH_ITER(hh, p->table, page, next) {
        if (page_join(p, page))
            HASH_DEL(p->table, page);
    }
}

static void page_free(struct page *page)
{
    if (page == NULL)
        return;
    for (size_t i = 0; i < CODING_COUNT; i++)
        page_free(page->coded[i]);
    rcbuf_unref(page->body);
    free(page->path);
    free(page);
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
    else
        pages_join(out);
    return err;
}

void pages_deinit(struct pages *p)
{
    struct page *page, *next;

    HASH_ITER(hh, p->table, page, next) {
        HASH_DEL(p->table, page);
        page_free(page);
    }
    *p = (struct pages){ 0 };
}

/* --- serving --- */

static bool is_for_programs(struct slice path)
{
    static const char *const PLACES[] = { "/api/", "/assets/", "/socket.io/", "/dev/" };

    for (size_t i = 0; i < sizeof(PLACES) / sizeof(PLACES[0]); i++) {
        if (slice_starts(path, PLACES[i]))
            return true;
    }
    return slice_is(path, "/api") || slice_is(path, "/socket.io");
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
         !is_for_programs(path)))
        return page_find(p, SLICE("/index.html"));
    return NULL;
}

/* In which form, and what its name is (NULL: as it is). */
static const struct page *page_in_coding(const struct page *page, struct http_request *r,
                                         const char **coding)
{
    struct slice accepted = http_request_header(r, "Accept-Encoding");

    for (size_t i = 0; page->is_varied && i < CODING_COUNT; i++) {
        if (page->coded[i] != NULL && coding_is_accepted(accepted, CODINGS[i].name)) {
            *coding = CODINGS[i].name;
            return page->coded[i];
        }
    }
    *coding = NULL;
    return page;
}

static void page_answer(const struct page *page, struct http_request *r)
{
    const char        *coding;
    const struct page *form = page_in_coding(page, r, &coding);
    bool               is_hashed = strncmp(page->path, "/assets/", 8) == 0;
    struct slice       known = http_request_header(r, "If-None-Match");
    struct http_header headers[HEADERS_ALWAYS + 2] = {
        { SLICE("ETag"), slice_of(form->etag) },
        { SLICE("Cache-Control"),
          is_hashed ? SLICE("public, max-age=31536000, immutable") : SLICE("no-cache") },
        { SLICE("X-Content-Type-Options"), SLICE("nosniff") },
        { SLICE("Referrer-Policy"), SLICE("no-referrer") },
        { SLICE("Cross-Origin-Opener-Policy"), SLICE("same-origin") },
        { SLICE("Cross-Origin-Resource-Policy"), SLICE("same-origin") },
        { SLICE("Permissions-Policy"), SLICE("camera=(), geolocation=(), microphone=()") },
        { SLICE("X-Frame-Options"), SLICE("DENY") },
        /* 'self' in connect-src is this origin's websocket, too (CSP 3, §6.7.2.8). */
        { SLICE("Content-Security-Policy"),
          SLICE("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
                "font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; "
                "base-uri 'none'; form-action 'self'; frame-ancestors 'none'") },
    };
    struct http_answer a = {
        .status = 200, .content_type = page->type, .headers = headers,
        .header_count = HEADERS_ALWAYS, .body = form->body,
    };

    if (page->is_varied)
        headers[a.header_count++] = (struct http_header){ SLICE("Vary"), SLICE("Accept-Encoding") };
    if (known.len > 0 && memmem(known.data, known.len, form->etag, strlen(form->etag)) != NULL) {
        a.status = 304;
        a.body = NULL;
    } else if (coding != NULL) {
        headers[a.header_count++] =
            (struct http_header){ SLICE("Content-Encoding"), slice_of(coding) };
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
