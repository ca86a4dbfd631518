/* store_sqlite.h -- what the files of the SQLite backend share. Nobody else includes it.
 *
 * A session is one connection; its statements are prepared once and kept. A helper that
 * returns int gives 0 or ERR_STORE (SQLite failed; it was logged). */
#ifndef TASKWIRE_TASKD_STORE_SQLITE_H
#define TASKWIRE_TASKD_STORE_SQLITE_H

#include <sqlite3.h>

#include "taskd/store_backend.h"
#include "taskd/store_words.h"

enum sq_stmt {
#define SQL(name, text) SQ_##name,
#include "taskd/store_sqlite.def"
#undef SQL
    SQ_COUNT
};

/* A page's statement depends on: sort, two filters or none, one scope or two, a cursor. */
#define SQ_LISTS 64

struct store_session {
    sqlite3      *db;
    sqlite3_stmt *stmts[SQ_COUNT];
    sqlite3_stmt *lists[SQ_LISTS];
};

/* A narrow row of `tasks`: all of a task but its document. */
struct sq_row {
    int64_t n, seq, published_seq;
    enum bucket published_bucket;
};

/* The statement, ready to bind; NULL where it cannot be prepared (logged). sq_done() gives it
 * back. */
sqlite3_stmt *sq_stmt(struct store_session *s, enum sq_stmt which);
sqlite3_stmt *sq_prepare(struct store_session *s, sqlite3_stmt **slot, const char *sql);
void          sq_done(sqlite3_stmt *q);

/* Bind by position; texts are lent until sq_done(). NULL text is SQL's NULL. */
void sq_bind_text(sqlite3_stmt *q, int at, const char *text);
void sq_bind_int(sqlite3_stmt *q, int at, int64_t n);

/* 1 a row, 0 no more, ERR_STORE. */
int sq_step(sqlite3_stmt *q);

/* Run to the end and give back. */
int sq_run(sqlite3_stmt *q);
const char *sq_text(sqlite3_stmt *q, int column);

/* One moment's state for several looks; on the writer, its group's transaction. */
int  sq_begin_read(struct store_session *s, bool *out_is_ours);
void sq_end_read(struct store_session *s, bool is_ours);

/* The row that a FIND or ROW stands at. */
void sq_read_row(sqlite3_stmt *q, struct sq_row *out);

/* The row of a task: 0, ERR_NOT_FOUND, ERR_STORE. */
int sq_find(struct store_session *s, const char *id, struct sq_row *out);

/* Its document, and its newest events. 0, ERR_STORE, ERR_CORRUPT. */
int sq_load(struct store_session *s, const struct sq_row *row, struct task *out);
int sq_load_document(struct store_session *s, const struct sq_row *row, struct task *out);

/* The scope as one word that no text holds by chance, for the word index. */
#define SQ_SCOPE_WORD_SIZE 20
void sq_scope_word(char out[SQ_SCOPE_WORD_SIZE], const char *scope);

int sq_create(struct store_session *s, const struct task *t, const struct event *first,
              struct task *out);
int sq_apply(struct store_session *s, const struct store_change *c, struct task *out);
int sq_mark(struct store_session *s, const char *id, int64_t seq, enum bucket bucket);

int sq_get(struct store_session *s, const char *id, struct task *out);
int sq_settle(struct store_session *s, const char *id);
int sq_unpublished(struct store_session *s, int64_t from_wall_ms, int64_t before_wall_ms,
                   size_t limit, struct store_outbox *out);
int sq_unpublished_count(struct store_session *s, int64_t *out);
int sq_counts(struct store_session *s, const char *org, struct store_counts *out);
int sq_events(struct store_session *s, const struct store_events_query *q,
              struct store_timeline *out);
int sq_find_place(struct store_session *s, const char *place, struct task *out);
int sq_has_key(struct store_session *s, const char *id, const char *key);
int sq_list(struct store_session *s, const struct store_query *q, struct store_page *out);

int sq_seqs(struct store_session *s, const struct store_ids *ids, struct store_seqs *out);

int sq_notify(struct store_session *s, const struct store_notice *n);
int sq_notifications(struct store_session *s, const struct store_notices_query *q,
                     struct store_ids *out);
int sq_notifications_read(struct store_session *s, const char *person,
                          const struct store_ids *ids);

int sq_record_add(struct store_session *s, const struct store_record *r, struct buf *out);
int sq_record_put(struct store_session *s, const struct store_record *r);
int sq_record_get(struct store_session *s, const char *kind, const char *key, struct buf *out);
int sq_record_drop(struct store_session *s, const char *kind, const char *key);
int sq_record_all(struct store_session *s, const char *kind, struct buf *out);

#endif
