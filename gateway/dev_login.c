/* dev_login.c -- see dev_login.h.
 *
 * Bound to loopback is not enough: a page anywhere can make a person's browser send requests
 * to 127.0.0.1. So the body must be declared as JSON (another origin's page would have to
 * ask first, by CORS, and gets no leave), and the Host must be a loopback name (against DNS
 * rebinding). */
#include "gateway/dev_login.h"

#include "common/clock.h"
#include "common/json.h"
#include "gateway/problem.h"

#define LIFE_S (8 * 3600)

static bool host_is_local(struct slice host)
{
    static const char *const NAMES[] = { "localhost", "127.0.0.1", "[::1]" };

    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        if (slice_is_nocase(host, NAMES[i]))
            return true;
        if (slice_starts(host, NAMES[i]) && host.data[strlen(NAMES[i])] == ':')
            return true;
    }
    return false;
}

/* Two who share an org, one who operates it, and a stranger. */
static const char PEOPLE[] =
    "{\"people\":["
    "{\"sub\":\"ann\",\"name\":\"Ann\",\"org\":\"demo\",\"roles\":[]},"
    "{\"sub\":\"bob\",\"name\":\"Bob\",\"org\":\"demo\",\"roles\":[]},"
    "{\"sub\":\"olga\",\"name\":\"Olga\",\"org\":\"demo\",\"roles\":[\"admin\"]},"
    "{\"sub\":\"eve\",\"name\":\"Eve\",\"org\":\"other\",\"roles\":[]}]}";

static bool wants_admin(const json_t *roles)
{
    const json_t *role;
    size_t        i;

    json_array_foreach(roles, i, role) {
        if (json_is_string(role) && strcmp(json_string_value(role), "admin") == 0)
            return true;
    }
    return false;
}

static void answer_token(const struct jwt_key *key, struct http_request *r, const json_t *body)
{
    const char *org = json_text(body, "org"), *name = json_text(body, "name");
    int64_t    now_s = clock_wall_ms() / 1000;
    json_t    *claims = json_object();
    struct buf text, token;
    char       expires[CLOCK_TEXT_SIZE];

    json_put_text(claims, "sub", json_text(body, "sub"));
    json_put_text(claims, "org", org);
    json_put_text(claims, "name", name);
    if (wants_admin(json_object_get(body, "roles")))
        json_object_set_new(claims, "roles", json_pack("[s]", "admin"));
    json_put_int(claims, "iat", now_s);
    json_put_int(claims, "exp", now_s + LIFE_S);
    clock_format((now_s + LIFE_S) * 1000, expires);
    buf_init(&text, 8192);
    buf_init(&token, JWT_TOKEN_MAX);
    if (json_append(&text, claims) != 0 || jwt_sign(key, buf_peek(&text), &token) != 0) {
        problem_answer(r, ERROR_INTERNAL, NULL);
    } else {
        buf_reset(&text);
        buf_printf(&text, "{\"token\":\"%s\",\"expiresAt\":\"%s\"}", token.data, expires);
        http_request_answer_text(r, 200, "application/json", buf_peek(&text));
    }
    buf_deinit(&token);
    buf_deinit(&text);
    json_decref(claims);
}

void dev_login_handle(const struct jwt_key *key, struct http_request *r)
{
    json_t     *body;
    const char *sub, *org, *name;

    if (http_request_method(r) != HTTP_POST && http_request_method(r) != HTTP_GET) {
        problem_answer_method(r, "GET, POST, OPTIONS");
        return;
    }
    if (!host_is_local(http_request_header(r, "Host"))) {
        problem_answer(r, ERROR_FORBIDDEN, NULL);
        return;
    }
    if (http_request_method(r) == HTTP_GET) {
        http_request_answer_text(r, 200, "application/json", slice_of(PEOPLE));
        return;
    }
    if (!slice_starts(http_request_header(r, "Content-Type"), "application/json")) {
        problem_answer(r, ERROR_MEDIA_TYPE, NULL);
        return;
    }
    body = json_parse(http_request_body(r), NULL);
    sub = json_text(body, "sub");
    org = json_text(body, "org");
    name = json_text(body, "name");
    if (sub == NULL || !jwt_id_is_valid(slice_of(sub)) ||
        (org != NULL && !jwt_id_is_valid(slice_of(org))) ||
        (name != NULL && strlen(name) > JWT_NAME_MAX))
        problem_answer(r, ERROR_INVALID, "sub, and org where it is given, must fit "
                                         "[A-Za-z0-9._:@|+-]{1,128}");
    else
        answer_token(key, r, body);
    json_decref(body);
}
