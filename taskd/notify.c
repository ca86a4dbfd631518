/* notify.c -- see notify.h.
 *
 * A row for each input that may concern the creator: what kind of news it is, on which fact of
 * the event it depends, and its sentence. A notification is told as a line of the transition's
 * own envelope, and what is stored is read from that line: so what a page fetches later is,
 * byte for byte, what it would have heard.
 *
 * One's own act is one whose actor is the creator. Inputs from the bus carry their source,
 * which is no sub, unless a service names the person for whom it acts. */
#include "taskd/notify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/utf8.h"
#include "proto/envelope.h"

#define ADDRESS       "user:"
#define SENTENCE_MAX  8192                     /* bytes of a message; a question and some words fit */
#define QUOTED_MAX    1000                     /* bytes of a text that a message quotes */

/* --- sentences --- */

static const json_t *value_of(const struct notify_event *e, const char *name)
{
    const json_t *value = json_object_get(e->row, name);

    if (value == NULL)
        value = json_object_get(e->facts, name);
    return value != NULL ? value : json_object_get(e->payload, name);
}

static void quote(struct buf *out, const char *text)
{
    struct slice cut = utf8_cut(slice_of(text), QUOTED_MAX);

    buf_append_slice(out, cut);
    if (cut.len < strlen(text))
        buf_append_text(out, "\xe2\x80\xa6");  /* … */
}

static void say_pull_request(const struct notify_event *e, struct buf *out, const char *what)
{
    json_int_t number = json_integer_value(value_of(e, "prNumber"));

    if (number > 0)
        buf_printf(out, "Pull request #%lld %s", (long long)number, what);
    else
        buf_printf(out, "The pull request %s", what);
}

static void say_question(const struct notify_event *e, struct buf *out)
{
    const json_t *questions = json_object_get(e->payload, "questions");
    const char   *first = json_string_value(json_array_get(questions, 0));
    size_t        count = json_array_size(questions);

    quote(out, first != NULL ? first : "There is a question");
    if (count > 1)
        buf_printf(out, " (and %zu more)", count - 1);
}

static void say_ready(const struct notify_event *e, struct buf *out)
{
    const char *title = json_string_value(value_of(e, "prTitle"));

    say_pull_request(e, out, "is ready for review");
    if (title != NULL) {
        buf_append_text(out, ": ");
        quote(out, title);
    }
}

static void say_merged(const struct notify_event *e, struct buf *out)
{
    say_pull_request(e, out, "was merged");
}

static void say_closed(const struct notify_event *e, struct buf *out)
{
    say_pull_request(e, out, "was closed without being merged");
}

static void say_failed(const struct notify_event *e, struct buf *out)
{
    const char *error = json_string_value(value_of(e, "errorMessage"));

    quote(out, error != NULL ? error : "The task has failed");
}

/* --- what is news --- */

static const struct kind {
    enum input  input;
    const char *name;                          /* a choice of USER_NOTIFICATION in proto/events.def */
    const char *fact;                          /* it must be true of the event; NULL: always */
    void      (*say)(const struct notify_event *e, struct buf *out);
} KINDS[] = {
    { INPUT_CLARIFICATION_NEEDED, "needs_answer", NULL,      say_question },
    { INPUT_PR_OPENED,            "pr_ready",     "prReady", say_ready },
    { INPUT_PR_UPDATED,           "pr_ready",     "prReady", say_ready },
    { INPUT_PR_MERGED,            "merged",       NULL,      say_merged },
    { INPUT_PR_CLOSED,            "failed",       NULL,      say_closed },
    { INPUT_FAILED,               "failed",       NULL,      say_failed },
};

static const struct kind *kind_of(const struct notify_event *e)
{
    const char *actor = e->event->actor;

    if (actor != NULL && strcmp(actor, e->task->created_by) == 0)
        return NULL;
    for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++) {
        if (KINDS[i].input == e->event->input)
            return KINDS[i].fact == NULL || json_bool(e->facts, KINDS[i].fact, false) ? &KINDS[i]
                                                                                      : NULL;
    }
    return NULL;
}

json_t *notify_of(const struct notify_event *e)
{
    const struct kind *kind = kind_of(e);
    const char        *url = json_text(e->row, "prUrl");
    json_t            *news;
    struct buf         sentence;
    char               id[128];

    if (kind == NULL)
        return NULL;
    news = json_object();
    if (news == NULL)
        abort();                               /* memory is out: see common/mem.h */
    buf_init(&sentence, SENTENCE_MAX);
    kind->say(e, &sentence);
    snprintf(id, sizeof(id), "%s:%lld:%s", e->task->id, (long long)e->event->seq, kind->name);
    json_put_text(news, "id", id);
    json_put_text(news, "kind", kind->name);
    json_put_text(news, "taskId", e->task->id);
    json_put_text(news, "title", json_text(e->row, "title"));
    json_put_text(news, "message", sentence.data);
    json_put_text(news, "url", url != NULL ? url : json_text(e->row, "issueUrl"));
    json_put_time(news, "createdAt", e->event->created_at);
    buf_deinit(&sentence);
    return news;
}

void notify_address(const struct task *t, char out[NOTIFY_ADDRESS_SIZE])
{
    snprintf(out, NOTIFY_ADDRESS_SIZE, ADDRESS "%s/%s", t->org, t->created_by);
}

/* --- reading it back --- */

/* The line's JSON is ["user:notification",{…}]. */
static bool read_line(struct slice person, struct slice json, struct notification *out)
{
    json_t      *event = json_parse(json, NULL);
    json_t      *news = json_array_get(event, 1);
    const char  *id = json_text(news, "id");
    const char  *at = json_text(news, "createdAt");
    struct slice org = slice_cut(&person, '/');
    bool         is_one = id != NULL && at != NULL && org.len > 0 && person.len > 0 &&
                          clock_parse(slice_of(at), &out->created_at) == 0;

    if (is_one) {
        out->id = mem_strdup(id);
        out->org = mem_strndup(org.data, org.len);
        out->sub = mem_strndup(person.data, person.len);
        out->json = task_json_text(news);
    }
    json_decref(event);
    return is_one;
}

bool notify_read(struct slice message, struct notification *out)
{
    struct slice address, json;

    slice_cut(&message, '\n');                 /* routing */
    while (envelope_next(&message, &address, &json)) {
        if (slice_starts(address, ADDRESS))
            return read_line(slice_from(address, strlen(ADDRESS)), json, out);
    }
    return false;
}

void notify_deinit(struct notification *n)
{
    free(n->id);
    free(n->org);
    free(n->sub);
    free(n->json);
}
