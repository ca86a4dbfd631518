/* assembly.c -- keeps the parts of a binary packet until the last one has come.
 *
 * One allocation holds the struct, the table of attachments and the text's copy; each
 * attachment is one more. A client has at most one assembly, because between the text and
 * its last attachment nothing else may be said (Socket.IO protocol, "Binary events"). */
#include "gateway/socketio/assembly.h"

#include <assert.h>
#include <stdlib.h>

#include "common/mem.h"

struct assembly {
    struct sio_packet packet;
    size_t            got;
    struct slice      parts[];                 /* packet.attachments of them; then the text */
};

/* Copy `s` to `*at`, go on behind it; returns the copy. */
static struct slice put(char **at, struct slice s)
{
    char *to = *at;

    if (s.len != 0)
        memcpy(to, s.data, s.len);
    *at += s.len;
    return slice_make(to, s.len);
}

struct assembly *assembly_new(const struct sio_packet *p)
{
    size_t text = p->nsp.len + p->payload.len + p->name.len;
    struct assembly *a;
    char *at;

    a = mem_alloc(sizeof(*a) + p->attachments * sizeof(a->parts[0]) + text);
    at = (char *)&a->parts[p->attachments];
    a->packet = *p;
    a->packet.nsp = put(&at, p->nsp);
    a->packet.payload = put(&at, p->payload);
    a->packet.name = put(&at, p->name);
    return a;
}

void assembly_free(struct assembly *a)
{
    if (a == NULL)
        return;
    for (size_t i = 0; i < a->got; i++)
        free((char *)a->parts[i].data);
    free(a);
}

bool assembly_add(struct assembly *a, struct slice data)
{
    assert(a->got < a->packet.attachments);
    a->parts[a->got++] = slice_make(mem_dup(data.data, data.len), data.len);
    return a->got == a->packet.attachments;
}

const struct sio_packet *assembly_packet(const struct assembly *a)
{
    return &a->packet;
}

const struct slice *assembly_attachments(const struct assembly *a)
{
    return a->parts;
}
