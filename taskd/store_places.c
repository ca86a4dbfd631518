/* store_places.c -- where a task lives on GitHub, as short texts that a store can index.
 *
 * A webhook names a repository and a branch, an issue or a pull request. Each of the three is
 * one text, "acme/site pr 43", and a task has up to three of them: one index instead of three,
 * alike in both backends, and no collation is needed (not every MongoDB-wire server has one)
 * for repositories, whose small and capital letters mean the same. A text has a ceiling, as
 * index keys have theirs: a branch longer than any that Git can hold is not looked for. */
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "taskd/store_backend.h"

#define BRANCH_BYTES_MAX 255                   /* a component of a path, which a ref is on GitHub */

static bool is_branch(const char *branch)
{
    return branch != NULL && branch[0] != '\0' && strlen(branch) <= BRANCH_BYTES_MAX;
}

/* "<repo> <kind> <what>", the repo in small letters. False where it is too long. */
static bool place_make(char out[STORE_PLACE_SIZE], const char *repo, const char *kind,
                       const char *what)
{
    int n = snprintf(out, STORE_PLACE_SIZE, "%s %s %s", repo, kind, what);

    if (n < 0 || n >= STORE_PLACE_SIZE)
        return false;
    for (char *c = out; *c != ' '; c++) {
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    }
    return true;
}

static bool place_of_number(char out[STORE_PLACE_SIZE], const char *repo, const char *kind,
                            int64_t number)
{
    char digits[24];

    snprintf(digits, sizeof(digits), "%lld", (long long)number);
    return place_make(out, repo, kind, digits);
}

size_t store_places(const struct task *t, char out[STORE_PLACES_MAX][STORE_PLACE_SIZE])
{
    size_t n = 0;

    if (t->repo == NULL || t->repo[0] == '\0' || strchr(t->repo, ' ') != NULL)
        return 0;
    if (is_branch(t->branch) && place_make(out[n], t->repo, "branch", t->branch))
        n++;
    if (t->issue_number > 0 && place_of_number(out[n], t->repo, "issue", t->issue_number))
        n++;
    if (t->pr_number > 0 && place_of_number(out[n], t->repo, "pr", t->pr_number))
        n++;
    return n;
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool store_places_differ(const struct task *a, const struct task *b)
{
    return !same_text(a->repo, b->repo) || !same_text(a->branch, b->branch) ||
           a->issue_number != b->issue_number || a->pr_number != b->pr_number;
}

int store_place(const struct store_find_query *q, char out[STORE_PLACE_SIZE])
{
    int given = (q->branch != NULL) + (q->issue_number > 0) + (q->pr_number > 0);
    bool is_made = false;

    if (given != 1 || q->repo == NULL || q->repo[0] == '\0' || strchr(q->repo, ' ') != NULL)
        return ERR_INVALID;
    if (q->pr_number > 0)
        is_made = place_of_number(out, q->repo, "pr", q->pr_number);
    else if (q->issue_number > 0)
        is_made = place_of_number(out, q->repo, "issue", q->issue_number);
    else if (is_branch(q->branch))
        is_made = place_make(out, q->repo, "branch", q->branch);
    return is_made ? 0 : ERR_INVALID;
}
