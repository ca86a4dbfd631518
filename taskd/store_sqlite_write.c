/* store_sqlite_write.c -- create, apply and mark, inside the transaction of the one writer.
 *
 * Nobody else writes, so a look and the write after it are one step; the guards (seq, key)
 * are plain reads. A refusal writes nothing; a failure half-way undoes the whole group. */
#include <stdlib.h>

#include "common/err.h"
#include "common/mem.h"
#include "taskd/store_sqlite.h"

#define TEXT_MAX ((size_t)16 << 20)

static const char *scope_of(const struct task *t, char out[STORE_SCOPE_SIZE])
{
    store_scope(out, t->org, t->is_private ? t->created_by : NULL);
    return out;
}

/* Insert or update the narrow row. */
static int write_row(struct store_session *s, enum sq_stmt which, const struct task *t,
                     const char *id, int64_t n)
{
    sqlite3_stmt *q = sq_stmt(s, which);
    char scope[STORE_SCOPE_SIZE];

    if (q == NULL)
        return ERR_STORE;
    sq_bind_int(q, 1, t->seq);
    sq_bind_text(q, 2, t->org);
    sq_bind_text(q, 3, t->created_by);
    sq_bind_text(q, 4, scope_of(t, scope));
    sq_bind_text(q, 5, status_wire(t->status));
    sq_bind_int(q, 6, status_is_active(t->status));
    sq_bind_int(q, 7, t->created_at);
    sq_bind_int(q, 8, t->updated_at);
    if (id != NULL)
        sq_bind_text(q, 9, id);
    else
        sq_bind_int(q, 9, n);
    return sq_run(q);
}

static int write_text(struct store_session *s, enum sq_stmt which, const char *text, int64_t n)
{
    sqlite3_stmt *q = sq_stmt(s, which);

    if (q == NULL)
        return ERR_STORE;
    sq_bind_text(q, 1, text);
    sq_bind_int(q, 2, n);
    return sq_run(q);
}

static int write_document(struct store_session *s, enum sq_stmt which, const struct task *t,
                          int64_t n)
{
    json_t *object = task_to_json(t, true);
    char   *text = task_json_text(object);
    int     err = write_text(s, which, text, n);

    free(text);
    json_decref(object);
    return err;
}

static int write_event(struct store_session *s, const struct event *e, int64_t n)
{
    sqlite3_stmt *q = sq_stmt(s, SQ_INSERT_EVENT);
    json_t *object;
    char   *text;
    int     err;

    if (q == NULL)
        return ERR_STORE;
    object = event_to_record(e);
    text = task_json_text(object);
    sq_bind_int(q, 1, n);
    sq_bind_int(q, 2, e->seq);
    sq_bind_text(q, 3, e->key);
    sq_bind_text(q, 4, text);
    err = sq_run(q);
    free(text);
    json_decref(object);
    return err;
}

/* " 0s<scope> word word …": one text for the index and for a look with strstr(). */
static char *words_text(const struct task *t)
{
    char scope[STORE_SCOPE_SIZE], word[SQ_SCOPE_WORD_SIZE];
    struct words words;
    struct buf   text;

    words_of_task(&words, t);
    sq_scope_word(word, scope_of(t, scope));
    buf_init(&text, TEXT_MAX);
    buf_printf(&text, " %s", word);
    for (size_t i = 0; i < words.count; i++) {
        buf_append_char(&text, ' ');
        buf_append_text(&text, words.items[i]);
    }
    words_deinit(&words);
    return buf_take(&text);
}

static int insert_words(struct store_session *s, const struct task *t, int64_t n)
{
    char *text = words_text(t);
    int   err = write_text(s, SQ_INSERT_WORDS, text, n);

    if (err == 0)
        err = write_text(s, SQ_INDEX_WORDS, text, n);
    free(text);
    return err;
}

/* The words that are indexed now (free()); NULL where they cannot be read. */
static char *stored_words(struct store_session *s, int64_t n)
{
    sqlite3_stmt *q = sq_stmt(s, SQ_WORDS);
    char *text = NULL;

    if (q == NULL)
        return NULL;
    sq_bind_int(q, 1, n);
    if (sq_step(q) == 1)
        text = mem_strdup(sq_text(q, 0));
    sq_done(q);
    return text;
}

/* The index forgets a row only by the very words it was given. */
static int replace_words(struct store_session *s, const struct store_change *c, int64_t n)
{
    char *old, *text;
    int   err;

    if (!words_differ(c->before, c->after) && c->before->is_private == c->after->is_private)
        return 0;
    old = stored_words(s, n);
    if (old == NULL)
        return ERR_STORE;
    text = words_text(c->after);
    err = write_text(s, SQ_UNINDEX_WORDS, old, n);
    if (err == 0)
        err = write_text(s, SQ_UPDATE_WORDS, text, n);
    if (err == 0)
        err = write_text(s, SQ_INDEX_WORDS, text, n);
    free(old);
    free(text);
    return err;
}

static int write_places(struct store_session *s, enum sq_stmt which, const struct task *t,
                        int64_t n)
{
    char   places[STORE_PLACES_MAX][STORE_PLACE_SIZE];
    size_t count = store_places(t, places);
    int    err = 0;

    for (size_t i = 0; i < count && err == 0; i++)
        err = write_text(s, which, places[i], n);
    return err;
}

static int replace_places(struct store_session *s, const struct store_change *c, int64_t n)
{
    int err;

    if (!store_places_differ(c->before, c->after))
        return 0;
    err = write_places(s, SQ_DROP_PLACE, c->before, n);
    return err != 0 ? err : write_places(s, SQ_INSERT_PLACE, c->after, n);
}

int sq_create(struct store_session *s, const struct task *t, const struct event *first,
              struct task *out)
{
    struct sq_row row;
    int64_t n;
    int err = sq_find(s, t->id, &row);

    if (err == 0) {
        err = sq_load(s, &row, out);
        return err == 0 ? ERR_EXISTS : err;
    }
    if (err != ERR_NOT_FOUND)
        return err;
    err = write_row(s, SQ_INSERT_TASK, t, t->id, 0);
    n = sqlite3_last_insert_rowid(s->db);
    if (err == 0)
        err = write_document(s, SQ_INSERT_DOC, t, n);
    if (err == 0)
        err = write_event(s, first, n);
    if (err == 0)
        err = insert_words(s, t, n);
    if (err == 0)
        err = write_places(s, SQ_INSERT_PLACE, t, n);
    if (err != 0)
        return err;
    task_copy(out, t);
    for (size_t i = 0; i < out->event_count; i++)
        event_deinit(&out->events[i]);
    out->event_count = 0;
    task_push_event(out, first);
    out->is_unpublished = true;
    out->published_seq = 0;
    out->published_bucket = BUCKET_NONE;
    return 0;
}

/* The guards: 0 where the change may be written. */
static int may_apply(struct store_session *s, const struct store_change *c,
                     const struct sq_row *row)
{
    if (c->event->key[0] != '\0') {
        sqlite3_stmt *q = sq_stmt(s, SQ_KEY);
        int is_there;

        if (q == NULL)
            return ERR_STORE;
        sq_bind_int(q, 1, row->n);
        sq_bind_text(q, 2, c->event->key);
        is_there = sq_step(q);
        sq_done(q);
        if (is_there != 0)
            return is_there < 0 ? is_there : ERR_REPEAT;
    }
    return row->seq == c->before->seq ? 0 : ERR_STALE;
}

static int write_change(struct store_session *s, const struct store_change *c, int64_t n)
{
    int err = write_row(s, SQ_UPDATE_TASK, c->after, NULL, n);

    if (err == 0)
        err = write_document(s, SQ_UPDATE_DOC, c->after, n);
    if (err == 0)
        err = write_event(s, c->event, n);
    if (err == 0)
        err = replace_places(s, c, n);
    return err != 0 ? err : replace_words(s, c, n);
}

int sq_apply(struct store_session *s, const struct store_change *c, struct task *out)
{
    struct sq_row row;
    int err = sq_find(s, c->before->id, &row);

    if (err != 0)
        return err;
    err = may_apply(s, c, &row);
    if (err == ERR_REPEAT || err == ERR_STALE) {
        int why_not = sq_load(s, &row, out);

        return why_not != 0 ? why_not : err;
    }
    if (err == 0)
        err = write_change(s, c, row.n);
    if (err != 0)
        return err;
    row.seq = c->after->seq;
    if (!store_task_after(out, c))
        return sq_load(s, &row, out);
    out->published_seq = row.published_seq;
    out->published_bucket = row.published_bucket;
    return 0;
}

/* --- the outbox's mark, and the counts that go with it --- */

/* Add `by` to the count of one bucket of the task's org, or of its creator there. */
static int count(struct store_session *s, int64_t n, enum bucket bucket, int by)
{
    bool is_private = bucket >= BUCKETS_PER_SCOPE;
    sqlite3_stmt *owner = sq_stmt(s, SQ_OWNER), *q = sq_stmt(s, SQ_ADD_COUNT);
    int err;

    if (owner == NULL || q == NULL)
        return ERR_STORE;
    sq_bind_int(owner, 1, n);
    err = sq_step(owner);
    if (err == 1) {
        sq_bind_text(q, 1, sq_text(owner, 0));
        sq_bind_text(q, 2, is_private ? sq_text(owner, 1) : "");
        for (int i = 0; i < BUCKETS_PER_SCOPE; i++)
            sq_bind_int(q, 3 + i, (int)bucket % BUCKETS_PER_SCOPE == i ? by : 0);
        err = sq_run(q);
    }
    sq_done(owner);
    return err;
}

int sq_mark(struct store_session *s, const char *id, int64_t seq, enum bucket bucket)
{
    struct sq_row row;
    sqlite3_stmt *q;
    int err = sq_find(s, id, &row);

    if (err == ERR_NOT_FOUND || (err == 0 && row.published_seq >= seq))
        return 0;                              /* never back */
    q = err == 0 ? sq_stmt(s, SQ_MARK) : NULL;
    if (q == NULL)
        return ERR_STORE;
    sq_bind_int(q, 1, seq);
    sq_bind_text(q, 2, bucket_wire(bucket));
    sq_bind_int(q, 3, row.n);
    err = sq_run(q);
    if (err == 0 && row.published_seq > 0 && row.published_bucket != bucket)
        err = count(s, row.n, row.published_bucket, -1);
    if (err == 0 && (row.published_seq == 0 || row.published_bucket != bucket))
        err = count(s, row.n, bucket, 1);
    return err;
}
