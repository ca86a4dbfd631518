/* scenario.c -- the script of a task's life.
 *
 * The whole life is drawn at once and kept as a list of inputs, so that "what comes next" is
 * an index and resuming is finding a place in the list. */
#include "taskd/ctl/scenario.h"

#include <assert.h>
#include <stdio.h>

#include "common/clock.h"

static const char *const REPOS[] = { "acme/shop", "acme/api", "acme/website", "acme/mobile" };

/* SplitMix64: good enough to choose endings, and the same everywhere. */
static uint64_t draw(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static bool chance(uint64_t *state, unsigned percent)
{
    return draw(state) % 100 < percent;
}

static void add(struct scenario *s, enum input step)
{
    assert(s->step_count < SCENARIO_STEPS_MAX);
    s->steps[s->step_count++] = step;
}

static void write_life(struct scenario *s, uint64_t *state)
{
    add(s, INPUT_ANALYZING);
    add(s, INPUT_LLM_RESPONSE);
    if (chance(state, 30)) {
        add(s, INPUT_CLARIFICATION_NEEDED);
        add(s, INPUT_LLM_RESPONSE);
    }
    if (chance(state, 5)) {
        add(s, INPUT_FAILED);
        return;
    }
    add(s, INPUT_DISPATCHED);
    add(s, INPUT_CODING);
    if (chance(state, 40))
        add(s, INPUT_NOTE);
    if (chance(state, 7)) {
        add(s, INPUT_FAILED);
        return;
    }
    add(s, INPUT_PR_OPENED);
    add(s, INPUT_PR_UPDATED);
    if (chance(state, 50))
        add(s, INPUT_PR_COMMENT);
    if (chance(state, 50))
        add(s, INPUT_PR_REVIEW);
    add(s, chance(state, 12) ? INPUT_PR_CLOSED : INPUT_PR_MERGED);
}

void scenario_init(struct scenario *s, struct slice task_id, uint64_t seed, uint64_t run)
{
    uint64_t state = seed;

    *s = (struct scenario){ .run = run };
    snprintf(s->task_id, sizeof(s->task_id), "%.*s", SLICE_ARG(task_id));
    for (size_t i = 0; i < task_id.len; i++)
        state = state * 31 + (unsigned char)task_id.data[i];
    s->number = 100 + (uint32_t)(draw(&state) % 9000);
    snprintf(s->repo, sizeof(s->repo), "%s", REPOS[draw(&state) % 4]);
    write_life(s, &state);
}

/* After which step of the list does a task stand that is in this status? */
static enum input last_step_of(enum status status)
{
    switch (status) {
    case STATUS_ANALYZING:           return INPUT_ANALYZING;
    case STATUS_NEEDS_CLARIFICATION: return INPUT_CLARIFICATION_NEEDED;
    case STATUS_DISPATCHED:          return INPUT_DISPATCHED;
    case STATUS_CODING:              return INPUT_CODING;
    case STATUS_PR_OPEN:             return INPUT_PR_OPENED;
    default:                         return INPUT_COUNT;
    }
}

void scenario_resume(struct scenario *s, enum status status)
{
    enum input last = last_step_of(status);

    if (status == STATUS_MERGED || status == STATUS_FAILED) {
        s->at = s->step_count;
        return;
    }
    for (uint8_t i = 0; i < s->step_count; i++) {
        if (s->steps[i] == last)
            s->at = (uint8_t)(i + 1);
    }
    s->is_waiting = status == STATUS_NEEDS_CLARIFICATION;
    if (last != INPUT_COUNT && s->at == 0) {
        /* This draw never passes through that status: say what is always legal, and fail. */
        s->step_count = 0;
        add(s, INPUT_NOTE);
        add(s, INPUT_FAILED);
    }
}

bool scenario_is_over(const struct scenario *s)
{
    return s->at >= s->step_count;
}

const char *scenario_next_name(const struct scenario *s)
{
    return scenario_is_over(s) ? NULL : input_wire(s->steps[s->at]);
}

void scenario_answered(struct scenario *s)
{
    s->is_waiting = false;
}

static const char *source_of(enum input step)
{
    switch (step) {
    case INPUT_ANALYZING:
    case INPUT_LLM_RESPONSE:
    case INPUT_CLARIFICATION_NEEDED:
        return "/analyser";
    case INPUT_DISPATCHED:
        return "/dispatcher";
    default:
        return "/agent";
    }
}

static void append_data(const struct scenario *s, enum input step, struct buf *out)
{
    unsigned issue = s->number, pr = s->number + 1;

    switch (step) {
    case INPUT_LLM_RESPONSE:
        buf_printf(out, "{\"taskType\":\"feature\",\"summary\":\"A small, well-bounded change.\"}");
        break;
    case INPUT_CLARIFICATION_NEEDED:
        buf_printf(out, "{\"questions\":[\"Which page should change first?\","
                        "\"Should old links keep working?\"]}");
        break;
    case INPUT_DISPATCHED:
        buf_printf(out, "{\"issueNumber\":%u,\"issueUrl\":\"https://github.com/%s/issues/%u\","
                        "\"githubBranch\":\"task/%u\"}", issue, s->repo, issue, issue);
        break;
    case INPUT_NOTE:
        buf_printf(out, "{\"text\":\"Tests are written first.\"}");
        break;
    case INPUT_PR_OPENED:
        buf_printf(out, "{\"prNumber\":%u,\"prUrl\":\"https://github.com/%s/pull/%u\","
                        "\"prTitle\":\"Resolve #%u\",\"prState\":\"draft\"}", pr, s->repo, pr, issue);
        break;
    case INPUT_PR_UPDATED:
        buf_printf(out, "{\"prState\":\"open\"}");
        break;
    case INPUT_PR_COMMENT:
    case INPUT_PR_REVIEW:
        buf_printf(out, "{\"author\":\"octo-reviewer\",\"body\":\"Looks right to me.\","
                        "\"url\":\"https://github.com/%s/pull/%u\"}", s->repo, pr);
        break;
    case INPUT_PR_MERGED:
        buf_printf(out, "{\"mergeCommitSha\":\"%08x%016llx%016llx\"}", issue,
                   (unsigned long long)issue * 0x9e3779b97f4a7c15u,
                   (unsigned long long)pr * 0xbf58476d1ce4e5b9u);
        break;
    case INPUT_PR_CLOSED:
        buf_printf(out, "{\"prNumber\":%u}", pr);
        break;
    case INPUT_FAILED:
        buf_printf(out, "{\"errorMessage\":\"The change does not build.\"}");
        break;
    default:
        buf_append_text(out, "{}");
    }
}

void scenario_take(struct scenario *s, struct buf *out)
{
    enum input step;
    char       now[CLOCK_TEXT_SIZE];

    assert(!scenario_is_over(s) && !s->is_waiting);
    step = s->steps[s->at];
    clock_format(clock_wall_ms(), now);
    buf_printf(out, "{\"specversion\":\"1.0\",\"id\":\"%llx-%s-%u\",\"source\":\"%s\","
                    "\"type\":\"task.%s\",\"subject\":\"%s\",\"time\":\"%s\",\"data\":",
               (unsigned long long)s->run, s->task_id, s->at, source_of(step),
               input_wire(step), s->task_id, now);
    append_data(s, step, out);
    buf_append_char(out, '}');
    s->at++;
    s->is_waiting = step == INPUT_CLARIFICATION_NEEDED;
}
