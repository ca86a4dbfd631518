/* task.h -- a task, an event of its timeline, and an input that moves it.
 *
 * Plain values: every pointer in them is owned by the struct that holds it. No I/O. Any
 * thread, one at a time per value. */
#ifndef TASKWIRE_TASKD_TASK_H
#define TASKWIRE_TASKD_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/json.h"
#include "proto/tables.h"                      /* enum status, enum input, enum bucket */

#define TASK_ID_LEN       24                   /* hexadecimal digits of an ObjectId */
#define TASK_EVENTS_KEPT  32                   /* newest events kept inside the document */
#define TASK_STATE_EVENTS 200                  /* newest events shown in task:state */

struct task {
#define MEMBER_TEXT   char *
#define MEMBER_JSON   char *
#define MEMBER_INT    int64_t
#define MEMBER_TIME   int64_t
#define MEMBER_BOOL   bool
#define MEMBER_STATUS enum status
#define FIELD(member, wire, kind, where) MEMBER_##kind member;
#include "taskd/task.def"
#undef FIELD
    int64_t       published_seq;               /* 0: nothing yet */
    enum bucket   published_bucket;            /* meaningful where published_seq > 0 */
    bool          is_unpublished;              /* the outbox's mark */
    struct event *events;                      /* the newest TASK_EVENTS_KEPT, oldest first */
    size_t        event_count;
};

/* One entry of the timeline, with what its messages need so that they can be rebuilt at any
 * time exactly as they were (DESIGN 5). */
struct event {
    int64_t     seq;
    enum input  input;                         /* eventType is its name */
    char       *payload;                       /* JSON object */
    char       *actor;                         /* a sub, or a source such as "/analyser" */
    int64_t     created_at;                    /* wall ms */
    char       *key;                           /* source + '\n' + id; "" where it has none (REST) */
    char       *trace;                         /* the traceparent it came with (trace.h); NULL: none */
    bool        clarified;                     /* this input ended a re-analysis */
    char       *facts;                         /* JSON object: what its messages say that stands neither
                                                  in payload nor in row; NULL: nothing */
    bool        was_private;                   /* before */
    enum status was;                           /* before */
    char       *row;                           /* JSON object: the list row after it, without seq */
};

void task_init(struct task *t);
void task_deinit(struct task *t);              /* leaves an empty, valid task */
void task_copy(struct task *to, const struct task *from);   /* `to` is initialised here */
void event_init(struct event *e);
void event_deinit(struct event *e);
void event_copy(struct event *to, const struct event *from);

/* A JSON value as compact text (free()). */
char *task_json_text(const json_t *value);

/* Replace a text member (copied; NULL clears it). */
void task_set_text(char **member, const char *text);

/* Append a copy of `e` to the kept events, dropping the oldest past TASK_EVENTS_KEPT. */
void task_push_event(struct task *t, const struct event *e);

/* All fields that are present, as a JSON object (new reference): OPEN ones alone, or INNER
 * too. Without events. */
json_t *task_to_json(const struct task *t, bool with_inner);

/* From what task_to_json wrote. Returns 0, or ERR_CORRUPT. `out` is initialised here. */
int task_from_json(const json_t *object, struct task *out);

/* The timeline's entry as clients see it: {seq,eventType,payload,actor,createdAt}. New reference. */
json_t *event_to_json(const struct event *e);

/* The whole event, what is kept for rebuilding included, and back (0 or ERR_CORRUPT). */
json_t *event_to_record(const struct event *e);
int     event_from_record(const json_t *object, struct event *out);

/* The list row of dashboard:task_list_updated after `t`, without seq. New reference. */
json_t *task_row(const struct task *t);

/* Which of the six counts a task belongs to. */
enum bucket task_bucket(enum status status, bool is_private);

/* May this person see it (SPEC A2)? */
bool task_is_visible(const struct task *t, const char *sub, const char *org);

/* Is it 24 hexadecimal digits, small ones (so that an id has one spelling)? */
bool task_id_is_valid(struct slice id);

#endif
