/* js.h -- JSON as a JavaScript server would pass it on: what JSON.stringify makes of what
 * JSON.parse read, without building the values.
 *
 * White space goes, strings and numbers are spelled the JavaScript way, and every
 * placeholder of a binary event becomes the next number, with its attachment beside it. Not
 * imitated: the order of integer-like keys and the merging of keys that occur twice. */
#ifndef TASKWIRE_ECHO_JS_H
#define TASKWIRE_ECHO_JS_H

#include "common/buf.h"
#include "gateway/socketio/json_scan.h"
#include "gateway/socketio/socketio.h"

#define JS_ATTACHMENTS_MAX 64

struct js {
    struct buf          text;                  /* what has been written */
    const struct slice *from;                  /* the attachments that placeholders name */
    size_t              from_count;
    struct slice        attachments[JS_ATTACHMENTS_MAX];    /* those of the text, in order */
    size_t              count;
};

void js_init(struct js *js);
void js_deinit(struct js *js);

/* Append one JSON value (valid; else nothing more than a part of it is written). */
void js_value(struct js *js, struct slice json);

/* Append the elements of an event's array from the `first` on, a comma before each. */
void js_arguments(struct js *js, const struct sio_event *e, size_t first);

/* The n-th element of an array, as it stands; empty where there is none. */
struct slice js_element(struct slice array, size_t n);

/* Would `if (x)` be taken? An empty slice is undefined. */
bool js_is_true(struct slice json);

/* Is the value a placeholder, and for which attachment? */
bool js_is_placeholder(struct slice json, size_t *out_num);

/* Its meaning as a text, where it is a string. Returns whether it is. */
bool js_string(struct slice json, struct buf *out);

/* As String(number): 1e21, 0.1, -0 as 0. */
void js_append_number(struct buf *out, double n);

/* As new Date().toISOString() in quotes. */
void js_append_date(struct buf *out);

#endif
