/* heartbeat.c -- see heartbeat.h.
 *
 * A session waits for one thing at a time: the moment of its next ping, or the pong. The end of
 * a pong's time is counted from when its ping was due, not from when the loop got round to it,
 * so lateness does not add up: a client that asks interval + timeout after its handshake finds
 * the session gone. Two cases want mercy instead. Where a ping went out very late because the
 * loop stood still, the pong's time counts from now; and where the loop stood still over the end of
 * a pong's time (a suspended machine), the pong may be waiting in the socket, so the loop gets
 * one more moment to read it. */
#include "gateway/engineio/heartbeat.h"

#include "gateway/engineio/session.h"

#define STOOD_STILL_MS 1000                    /* a timer that much late: we were not running */
#define MERCY_MS       100

static void set(struct eio_session *s, enum timer_kind kind, uint64_t at_ms)
{
    timers_set(&s->server->timers, kind, &s->deadline, at_ms);
}

void heartbeat_start(struct eio_session *s)
{
    s->awaits_pong = false;
    set(s, TIMER_PING, session_now_ms(s) + s->server->options.ping_interval_ms);
}

static void ping(struct eio_session *s, uint64_t due_ms)
{
    uint64_t now = session_now_ms(s), timeout = s->server->options.ping_timeout_ms;

    s->awaits_pong = true;
    s->has_more_time = false;
    /* A ping that is late leaves the client less time; less than half would be unfair. */
    set(s, TIMER_PONG, (now - due_ms > timeout / 2 ? now : due_ms) + timeout);
    session_send_ping(s);
}

void heartbeat_heard(struct eio_session *s, enum packet_type type)
{
    if (!s->awaits_pong)
        return;                                /* a pong that nobody asked for is harmless */
    if (type == PACKET_PONG) {
        heartbeat_start(s);
    } else if (!s->has_more_time) {
        /* As engine.io 6.6: a busy client's pong may queue behind what it is sending; the
         * first other packet restarts the time, once. */
        s->has_more_time = true;
        set(s, TIMER_PONG, session_now_ms(s) + s->server->options.ping_timeout_ms);
    }
}

void heartbeat_on_upgrade(struct eio_session *s)
{
    if (s->awaits_pong)
        set(s, TIMER_PONG, session_now_ms(s) + s->server->options.ping_timeout_ms);
}

void heartbeat_on_due(struct deadline *d)
{
    struct eio_session *s = container_of(d, struct eio_session, deadline);
    uint64_t            late_ms = session_now_ms(s) - d->at_ms;

    if (!s->awaits_pong)
        ping(s, d->at_ms);
    else if (late_ms > STOOD_STILL_MS)
        set(s, TIMER_PONG, session_now_ms(s) + MERCY_MS);
    else
        session_end(s, EIO_PING_TIMEOUT, END_PLAIN);
}

void heartbeat_check(struct eio_session *s)
{
    while (s->is_open && deadline_is_set(&s->deadline) &&
           s->deadline.at_ms <= session_now_ms(s)) {
        deadline_clear(&s->deadline);
        heartbeat_on_due(&s->deadline);
    }
}
