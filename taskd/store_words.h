/* store_words.h -- what a text can be found by: its words, folded.
 *
 * A word is a run of letters and digits of any script, lower case by Unicode's simple
 * mapping. Both backends index these, and a question is cut the same way, so that they find the
 * same tasks. Pure; any thread. */
#ifndef TASKWIRE_TASKD_STORE_WORDS_H
#define TASKWIRE_TASKD_STORE_WORDS_H

#include "common/buf.h"
#include "taskd/task.h"

#define STORE_WORD_BYTES  48                   /* longer words are cut, and found by what is left */
#define STORE_QUERY_WORDS 16                   /* words of a question that count */

struct words {
    char **items;                              /* sorted by bytes, each once */
    size_t count;
};

/* The words of a task's title and description. Give back with words_deinit. */
void words_of_task(struct words *w, const struct task *t);

/* The words of a question, at most STORE_QUERY_WORDS; a word that begins another is left out. */
void words_of_query(struct words *w, const char *text);
void words_deinit(struct words *w);

/* Does `b` read differently, so that its words must be indexed again? */
bool words_differ(const struct task *a, const struct task *b);

#endif
