/* api_idempotency.c -- the same request sent twice has one effect and one answer (SPEC R).
 *
 * A key belongs to a person. The first request with it leaves a record that says "under way",
 * and in its place, when it was done, the answer, before anybody sees it. A second one finds
 * either. The fingerprint (method, path, body) tells a repeat from a key used again for
 * something else.
 *
 * Only what succeeded is kept: a refusal had no effect, and whoever mends the request may
 * send it again under the same key. If taskd dies between effect and record, the repeat is
 * recognised further down: a created task by its id, which is made from the key, and an act by
 * its own key in the task's timeline. Such requests need not be kept apart: a second one that
 * comes while the first is under way runs, too; where it comes to nothing, the record is not
 * its own to drop. Others are asked to come back, until the "under way" expires within a
 * minute. */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/crypto.h"
#include "common/err.h"
#include "common/mem.h"
#include "taskd/api_call.h"

#define KIND            "idempotency"
#define KEY_CHARS_MAX   255
#define UNDER_WAY_MS    60000
#define DAY_MS          86400000

static void hash_hex(const struct buf *text, char out[65])
{
    uint8_t    hash[SHA256_BYTES];
    struct buf hex;

    crypto_sha256(buf_peek(text), hash);
    buf_init(&hex, 2 * SHA256_BYTES);
    crypto_append_hex(&hex, hash, sizeof(hash));
    memcpy(out, hex.data, 2 * SHA256_BYTES);
    out[2 * SHA256_BYTES] = '\0';
    buf_deinit(&hex);
}

static bool key_is_sound(struct slice key)
{
    if (key.len == 0 || key.len > KEY_CHARS_MAX)
        return false;
    for (size_t i = 0; i < key.len; i++) {
        if (key.data[i] < 0x20 || key.data[i] > 0x7e)
            return false;
    }
    return true;
}

/* Line feeds are in neither of the parts. */
static void name_call(struct call *c, struct slice key)
{
    struct buf b;

    buf_init(&b, CALL_BODY_MAX + 65536);
    buf_printf(&b, "%s\n%s\n%.*s", c->claims.org, c->claims.sub, SLICE_ARG(key));
    hash_hex(&b, c->record);
    buf_reset(&b);
    buf_append_slice(&b, http_request_method_text(c->request));
    buf_append_char(&b, '\n');
    buf_append_slice(&b, http_request_path(c->request));
    buf_append_char(&b, '\n');
    buf_append_slice(&b, http_request_body(c->request));
    hash_hex(&b, c->fingerprint);
    buf_reset(&b);
    buf_printf(&b, "~%s\n%.*s", c->claims.sub, SLICE_ARG(key));
    free(c->act_key);
    c->act_key = buf_take(&b);
}

/* Somebody was here before: done, under way, or with another body? */
static void answer_again(struct call *c, const char *json)
{
    json_t     *kept = json_parse(slice_of(json), NULL);
    const char *fingerprint = kept != NULL ? json_text(kept, "fingerprint") : NULL;
    const char *body;
    int         status = kept != NULL ? (int)json_int(kept, "status", 0) : 0;

    if (status == 0 && (c->route->flags & ROUTE_SAFE_TWICE) && fingerprint != NULL &&
        strcmp(fingerprint, c->fingerprint) == 0) {
        json_decref(kept);
        c->is_repeat = true;
        c->route->handle(c);
        return;
    }
    c->record[0] = '\0';                       /* nothing is to be kept of this one */
    if (fingerprint == NULL || strcmp(fingerprint, c->fingerprint) != 0) {
        json_decref(kept);
        call_problem(c, ERROR_KEY_REUSED, NULL);
        return;
    }
    if (status == 0) {
        json_decref(kept);
        call_problem(c, ERROR_KEY_BUSY, NULL);
        return;
    }
    body = json_text(kept, "body");
    if (json_text(kept, "etag") != NULL)
        strncpy(c->etag, json_text(kept, "etag"), sizeof(c->etag) - 1);
    if (json_text(kept, "location") != NULL)
        strncpy(c->location, json_text(kept, "location"), sizeof(c->location) - 1);
    buf_reset(&c->text);
    buf_append_text(&c->text, body != NULL ? body : "");
    json_decref(kept);
    call_send(c, status, "application/json");
}

static void on_added(int err, const char *json, void *arg)
{
    struct call *c = arg;

    if (err == 0) {
        c->route->handle(c);
    } else if (err == ERR_EXISTS) {
        answer_again(c, json);
    } else {
        c->record[0] = '\0';
        call_failed(c, err);
    }
}

void call_run_keyed(struct call *c)
{
    struct slice key = http_request_header(c->request, "Idempotency-Key");
    struct buf   json;
    int          err;

    if (!key_is_sound(key)) {
        call_problem(c, ERROR_BAD_REQUEST, "Idempotency-Key must be 1 to 255 printable characters");
        return;
    }
    name_call(c, key);
    buf_init(&json, 1024);
    buf_printf(&json, "{\"fingerprint\":\"%s\"}", c->fingerprint);
    err = store_record_add(c->parts->store, KIND, c->record, json.data,
                           clock_wall_ms() + UNDER_WAY_MS, on_added, c);
    buf_deinit(&json);
    if (err != 0) {
        c->record[0] = '\0';
        call_failed(c, err);
    }
}

/* --- keeping --- */

struct keep {
    struct call *call;
    int          status;
    const char  *content_type;
};

static void on_kept(int err, void *arg)
{
    struct keep k = *(struct keep *)arg;

    (void)err;                                 /* the effect is there: a repeat is known by it */
    free(arg);
    call_send(k.call, k.status, k.content_type);
}

static char *kept_json(const struct call *c, int status)
{
    json_t    *kept = json_object();
    struct buf out;

    json_put_text(kept, "fingerprint", c->fingerprint);
    json_put_int(kept, "status", status);
    json_put_text(kept, "etag", c->etag[0] != '\0' ? c->etag : NULL);
    json_put_text(kept, "location", c->location[0] != '\0' ? c->location : NULL);
    json_put_text(kept, "body", c->text.len > 0 ? c->text.data : NULL);
    buf_init(&out, CALL_ANSWER_MAX);
    (void)json_append(&out, kept);
    json_decref(kept);
    return buf_take(&out);
}

void call_keep(struct call *c, int status, const char *content_type)
{
    bool         is_done = status >= 200 && status < 300;
    bool         for_ever = (c->route->flags & ROUTE_KEYED_FOR_EVER) != 0;
    struct keep *k;
    char        *json;
    int          err;

    if (!is_done && c->is_repeat) {
        call_send(c, status, content_type);
        return;
    }
    k = mem_new(struct keep);
    *k = (struct keep){ .call = c, .status = status, .content_type = content_type };
    if (is_done) {
        json = kept_json(c, status);
        err = store_record_put(c->parts->store, KIND, c->record, json,
                               for_ever ? 0 : clock_wall_ms() + DAY_MS, on_kept, k);
        free(json);
    } else {
        err = store_record_drop(c->parts->store, KIND, c->record, on_kept, k);
    }
    if (err != 0)
        on_kept(err, k);
}
