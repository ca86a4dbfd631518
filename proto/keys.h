/* keys.h -- every Redis name that the services share, in one place. `%s` is an org, a task,
 * a gateway or a session, as the comment says. Each has a bound or a TTL (SPEC I5). Of several
 * Redis servers the first has all that is no org's (internal.md). */
#ifndef TASKWIRE_PROTO_KEYS_H
#define TASKWIRE_PROTO_KEYS_H

/* Stream and pub/sub channel: CloudEvents from internal services, field "event". No bound:
 * it holds what is not handled yet; what was handled is deleted. */
#define KEY_INGEST              "tasks:ingest"
#define KEY_INGEST_FIELD        "event"
#define KEY_INGEST_GROUP        "taskd"
#define KEY_INGEST_CONSUMER     "holder"       /* one fixed name: a successor inherits what is pending */

/* Stream: inputs that were refused, with fields event, reason, code, at. The newest 100,000. */
#define KEY_INGEST_DEAD         "tasks:ingest:dead"
#define KEY_INGEST_DEAD_MAX     100000

/* String with TTL: which taskd holds the ingest lease. */
#define KEY_INGEST_LEASE        "tasks:ingest:lease"
#define INGEST_LEASE_MS         3000

/* Pub/sub channel of an org's live feed; a message is a position line and an envelope. */
#define KEY_LIVE_FORMAT         "tasks:live:%s"

/* Stream: the org's log, the same messages in field "m" under id <number>-0. */
#define KEY_LOG_FORMAT          "tasks:log:%s"
#define KEY_LOG_FIELD           "m"
#define LOG_ENTRIES_MAX         10000

/* Hash: the org's sequencer: epoch, number, run, and the org's counts active, completed,
 * failed, rev; private counts of a creator as p:<sub> = "active completed failed rev".
 * TTL: a week after the last publication. */
#define KEY_ORG_FORMAT          "tasks:org:%s"
#define ORG_TTL_S               604800

/* String: the last seq published of a task in an epoch: tasks:seq:<epoch>:<task>. */
#define KEY_SEQ_FORMAT          "tasks:seq:%s:%s"
#define SEQ_TTL_S               3600

/* String with TTL: an org's publications are held while its counts are taken. */
#define KEY_HOLD_FORMAT         "tasks:hold:%s"
#define HOLD_MS                 5000

/* Pub/sub channel: revocations, flags and other news for every replica (internal.md). */
#define KEY_CONTROL             "tasks:control"

/* Pub/sub channel: a gateway's or a taskd's canary to itself. */
#define KEY_CANARY_FORMAT       "tasks:canary:%s"

/* Hash with TTL: a gateway's heartbeat: url, started, positions ... (internal.md) */
#define KEY_REPLICA_FORMAT      "tasks:replica:%s"
#define REPLICA_TTL_S           10

/* Hash with TTL: how many connections of a person each gateway holds, as <gateway> -> count and
 * time, where there is a limit to them (internal.md, "Connections"). `%s` is <org>/<sub>. */
#define KEY_CONNECTIONS_FORMAT  "tasks:connections:%s"
#define CONNECTIONS_TTL_S       90

/* Sorted set with TTL: the ids of all gateways, by when Redis last heard of them (milliseconds). */
#define KEY_REPLICAS            "tasks:replicas"

/* Hash with TTL: a recoverable session by its pid (internal.md, "Sessions"). While its socket
 * lives the owner renews it; from its end, or from its owner's, two minutes are left at least. */
#define KEY_SESSION_FORMAT      "tasks:session:%s"
#define SESSION_TTL_S           120
#define SESSION_RENEW_S         30

/* Pub/sub channel: what concerns one gateway; `drop <owner>` ends a socket whose session was
 * taken over elsewhere. */
#define KEY_GATEWAY_FORMAT      "tasks:gateway:%s"

/* Who looks at a task (internal.md, "Presence"). Hash with TTL, of a task: gateway -> its report.
 * Renewed when a gateway reports, every half minute at least. */
#define KEY_PRESENCE_FORMAT     "tasks:presence:%s"
#define PRESENCE_TTL_S          90

/* Sorted set with TTL: gateway -> when it was last heard of, in ms. Younger than so many ms means
 * that its reports hold; older entries are taken out. */
#define KEY_PRESENCE            "tasks:presence"
#define PRESENCE_LIVE_MS        6000

/* Pub/sub channel: reports for one gateway. */
#define KEY_PRESENCE_NEWS_FORMAT "tasks:presence-news:%s"

#endif
