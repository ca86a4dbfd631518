/* store_sqlite_list.c -- pages of tasks, newest first.
 *
 * A page walks an index that begins with the scope and the filter and goes on with time and
 * id, one walk per scope, merged by SQLite row by row; it stops when the page is full. The
 * index is named in the statement (INDEXED BY): a planner without statistics guesses, and a
 * page that is fast today must not become a sort of a million rows tomorrow.
 *
 * A question for words walks the same way at first and looks at each task's words. Where many
 * tasks match, the page is full soon; after WALK_MAX rows it is not, the words are rare (or all
 * old), and the index over words knows their few tasks, which are then sorted. Either way
 * alone has a bad case: the walk for rare words, the index for common ones.
 *
 * An operator's list of anybody's tasks is sorted, too, out of all rows: an index for the little
 * that it is asked would cost every transition a write. */
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/mem.h"
#include "taskd/store_sqlite.h"

#define WALK_MAX 2000                          /* rows looked at for words: some 10 ms */

struct walk {
    struct store_session     *s;
    const struct store_query *q;
    char         scopes[2][STORE_SCOPE_SIZE];
    size_t       scope_count;
    struct words words;
    int64_t     *found;                        /* rows of the page, and one more */
    size_t       found_count;
};

/* --- the statement of a page --- */

static const char *time_column(const struct store_query *q)
{
    return q->sort == STORE_BY_UPDATED ? "updated_at" : "created_at";
}

static const char *index_name(const struct store_query *q)
{
    return q->creator != NULL ? "creator" : q->status >= 0 ? "status"
        : q->active >= 0 ? "active" : "scope";
}

/* ?1 and ?2 scopes (or ?1 an org), ?3 status, ?4 creator, ?5 active, ?6 time, ?7 id, ?8 words */
static void append_filters(struct buf *sql, const struct store_query *q)
{
    if (q->status >= 0)
        buf_append_text(sql, " AND status = ?3");
    if (q->creator != NULL)
        buf_append_text(sql, " AND created_by = ?4");
    if (q->active >= 0)
        buf_append_text(sql, " AND active = ?5");
    if (q->after_id != NULL)
        buf_printf(sql, " AND (%s, id) < (?6, ?7)", time_column(q));
}

static void page_sql(struct buf *sql, const struct walk *w)
{
    const char *time = time_column(w->q);

    for (size_t i = 0; i < w->scope_count; i++) {
        buf_printf(sql, "%sSELECT n, %s AS at, id FROM tasks INDEXED BY tasks_%s_%.7s "
                        "WHERE scope = ?%zu", i == 0 ? "" : " UNION ALL ", time,
                   index_name(w->q), time, i + 1);
        append_filters(sql, w->q);
    }
    buf_append_text(sql, " ORDER BY at DESC, id DESC");
}

/* Which of the session's kept statements this shape of question has. */
static size_t page_slot(const struct walk *w)
{
    const struct store_query *q = w->q;

    return (size_t)(q->sort == STORE_BY_UPDATED) | (size_t)(q->status >= 0) << 1
        | (size_t)(q->creator != NULL) << 2 | (size_t)(q->active >= 0) << 3
        | (size_t)(q->after_id != NULL) << 4 | (w->scope_count - 1) << 5;
}

static bool is_for_all(const struct walk *w)
{
    return w->q->scope == STORE_SCOPE_ALL;
}

/* Find first, then sort. */
static void sorted_sql(struct buf *sql, const struct walk *w)
{
    const char *time = time_column(w->q);

    buf_printf(sql, "SELECT t.n, t.%s AS at, t.id FROM %s WHERE %s", time,
               w->words.count == 0 ? "tasks t"
                                   : "search CROSS JOIN tasks t ON t.n = search.rowid",
               w->words.count == 0 ? "true" : "search MATCH ?8");
    if (!is_for_all(w))
        buf_append_text(sql, " AND scope IN (?1, ?2)");
    else if (w->q->org != NULL)
        buf_append_text(sql, " AND org = ?1");
    append_filters(sql, w->q);
    buf_append_text(sql, " ORDER BY at DESC, t.id DESC LIMIT ?9");
}

/* Only what the statement mentions can be bound. */
static void bind_named(sqlite3_stmt *stmt, const char *name, const char *text, int64_t n)
{
    int at = sqlite3_bind_parameter_index(stmt, name);

    if (at != 0 && text != NULL)
        sq_bind_text(stmt, at, text);
    else if (at != 0)
        sq_bind_int(stmt, at, n);
}

static void bind_query(sqlite3_stmt *stmt, const struct walk *w)
{
    const struct store_query *q = w->q;

    bind_named(stmt, "?1", is_for_all(w) ? q->org : w->scopes[0], 0);
    bind_named(stmt, "?2", is_for_all(w) ? NULL : w->scopes[w->scope_count - 1], 0);
    bind_named(stmt, "?3", q->status >= 0 ? status_wire((enum status)q->status) : NULL, 0);
    bind_named(stmt, "?4", q->creator, 0);
    bind_named(stmt, "?5", NULL, q->active);
    bind_named(stmt, "?6", NULL, q->after_time);
    bind_named(stmt, "?7", q->after_id, 0);
}

/* --- walking --- */

static void keep(struct walk *w, sqlite3_stmt *stmt)
{
    w->found[w->found_count++] = sqlite3_column_int64(stmt, 0);
}

static bool is_full(const struct walk *w)
{
    return w->found_count > w->q->limit;
}

/* 1 where the row holds all words, 0 where not, ERR_STORE. */
static int row_matches(struct walk *w, int64_t n)
{
    sqlite3_stmt *stmt;
    bool is_match = true;
    int  found;

    if (w->words.count == 0)
        return 1;
    stmt = sq_stmt(w->s, SQ_WORDS);
    if (stmt == NULL)
        return ERR_STORE;
    sq_bind_int(stmt, 1, n);
    found = sq_step(stmt);
    for (size_t i = 0; found == 1 && is_match && i < w->words.count; i++) {
        char wanted[STORE_WORD_BYTES + 2] = " ";

        memcpy(wanted + 1, w->words.items[i], strlen(w->words.items[i]) + 1);
        is_match = strstr(sq_text(stmt, 0), wanted) != NULL;
    }
    sq_done(stmt);
    return found < 0 ? found : found == 1 && is_match;
}

/* 0 where the page is full or the walk saw all; 1 where it gave up; ERR_STORE. */
static int walk_index(struct walk *w)
{
    sqlite3_stmt **slot = &w->s->lists[page_slot(w)], *stmt;
    size_t seen = 0;
    struct buf sql;
    int found = 0;

    buf_init(&sql, 4096);
    page_sql(&sql, w);
    stmt = sq_prepare(w->s, slot, sql.data);
    buf_deinit(&sql);
    if (stmt == NULL)
        return ERR_STORE;
    bind_query(stmt, w);
    while (!is_full(w) && (found = sq_step(stmt)) == 1) {
        if (w->words.count != 0 && ++seen > WALK_MAX)
            break;
        found = row_matches(w, sqlite3_column_int64(stmt, 0));
        if (found < 0)
            break;
        if (found == 1)
            keep(w, stmt);
    }
    sq_done(stmt);
    if (found < 0)
        return found;
    return seen > WALK_MAX ? 1 : 0;
}

/* ("0s…" OR "0s…") AND "word" * AND … */
static void match_text(struct buf *out, const struct walk *w)
{
    for (size_t i = 0; i < w->scope_count; i++) {
        char word[SQ_SCOPE_WORD_SIZE];

        sq_scope_word(word, w->scopes[i]);
        buf_printf(out, "%s\"%s\"", i == 0 ? "(" : " OR ", word);
    }
    if (w->scope_count > 0)
        buf_append_char(out, ')');
    for (size_t i = 0; i < w->words.count; i++)
        buf_printf(out, "%s\"%s\" *", out->len > 0 ? " AND " : "", w->words.items[i]);
}

static int find_and_sort(struct walk *w)
{
    sqlite3_stmt *stmt = NULL;
    struct buf sql, match;
    int found;

    w->found_count = 0;
    buf_init(&sql, 4096);
    buf_init(&match, 4096);
    sorted_sql(&sql, w);
    match_text(&match, w);
    if (sq_prepare(w->s, &stmt, sql.data) == NULL) {
        found = ERR_STORE;
    } else {
        bind_query(stmt, w);
        bind_named(stmt, "?8", match.data, 0);
        bind_named(stmt, "?9", NULL, (int64_t)w->q->limit + 1);
        while ((found = sq_step(stmt)) == 1)
            keep(w, stmt);
    }
    sqlite3_finalize(stmt);
    buf_deinit(&sql);
    buf_deinit(&match);
    return found;
}

static int load_page(struct walk *w, struct store_page *out)
{
    sqlite3_stmt *narrow = sq_stmt(w->s, SQ_ROW);
    int err = 0;

    if (narrow == NULL)
        return ERR_STORE;
    out->has_more = is_full(w);
    for (size_t i = 0; err == 0 && i < w->found_count && i < w->q->limit; i++) {
        struct sq_row row;

        sq_bind_int(narrow, 1, w->found[i]);
        err = sq_step(narrow) == 1 ? 0 : ERR_STORE;
        if (err == 0) {
            sq_read_row(narrow, &row);
            err = sq_load_document(w->s, &row, store_page_add(out));
        }
        sq_done(narrow);
    }
    return err;
}

int sq_list(struct store_session *s, const struct store_query *q, struct store_page *out)
{
    struct walk w = { .s = s, .q = q };
    bool is_ours = false;
    int  err;

    w.scope_count = store_query_scopes(q, w.scopes);
    if (w.scope_count == 0 && !is_for_all(&w))
        return 0;                              /* nobody asks for nobody's private tasks */
    words_of_query(&w.words, q->words != NULL ? q->words : "");
    w.found = mem_alloc((q->limit + 1) * sizeof(*w.found));
    err = sq_begin_read(s, &is_ours);
    if (err == 0)
        err = is_for_all(&w) ? 1 : walk_index(&w);
    if (err == 1)
        err = find_and_sort(&w);
    if (err == 0)
        err = load_page(&w, out);
    sq_end_read(s, is_ours);
    free(w.found);
    words_deinit(&w.words);
    return err;
}
