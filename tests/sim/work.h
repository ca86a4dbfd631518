/* work.h -- what happens to the tasks of a history: people who write and edit them, and
 * services that move them. */
#ifndef TASKWIRE_SIM_WORK_H
#define TASKWIRE_SIM_WORK_H

#include <stdbool.h>
#include <stddef.h>

/* `is_busy`: much happens, to a few tasks. */
void work_begin(size_t tasks, bool is_busy);
void work_end(void);

/* One note more for every task. */
void work_last_words(void);

#endif
