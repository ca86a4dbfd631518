/* err.h -- one vocabulary of failures for both services.
 *
 * Zero is success, negative an error. Our own codes stand beside libuv's in one `int`
 * (libuv's are small negative errno values, ours begin at -9000), so a code may travel
 * unchanged from the system call to the answer. Texts are for people and logs; what goes
 * to a client on the wire is a row of proto/errors.def. */
#ifndef TASKWIRE_COMMON_ERR_H
#define TASKWIRE_COMMON_ERR_H

#define ERR_MAP(X)                                                                \
    X(BUSY,        -9001, "a queue is full; try again later")                     \
    X(FRAME,       -9002, "malformed frame")                                      \
    X(TOO_BIG,     -9003, "larger than its limit")                                \
    X(STALE,       -9004, "the task has moved since it was read")                 \
    X(NOT_FOUND,   -9005, "not found")                                            \
    X(EXISTS,      -9006, "exists already")                                       \
    X(REPEAT,      -9007, "this input has been handled before")                   \
    X(STORE,       -9008, "the store does not answer")                            \
    X(REDIS,       -9009, "Redis does not answer")                                \
    X(TOKEN,       -9010, "the token is not valid")                               \
    X(EXPIRED,     -9011, "the token has expired")                                \
    X(INVALID,     -9012, "invalid input")                                        \
    X(CLOSED,      -9013, "closed")                                               \
    X(TIMEOUT,     -9014, "no answer in time")                                    \
    X(REPLY,       -9015, "the peer answered with an error")                      \
    X(FORBIDDEN,   -9016, "not allowed")                                          \
    X(CORRUPT,     -9017, "stored data does not make sense")

enum err {
#define X(name, code, text) ERR_##name = (code),
    ERR_MAP(X)
#undef X
};

/* The text of any code, ours or libuv's. Static storage for ours; for an unknown code of
 * libuv's a static "unknown error". Any thread. */
const char *err_text(int code);

/* The short name of a code for logs: "STALE", "ECONNREFUSED". Static storage. Any thread. */
const char *err_name(int code);

#endif
