/* When a limit is told of. */
#include "riad/limit_marks.h"

#include <stddef.h>
#include <stdio.h>
#include <time.h>

enum { MARKS = 4 };

struct mark {
    enum riad_limit_mark bit;
    bool there;
    uint64_t again; /* told anew when usage was below this in between */
    const char *what;
};

static void list_marks(const struct riad_limit_measure *measure, struct mark ret[static MARKS])
{
    uint64_t soft = measure->soft, hard = measure->hard, used = measure->used;

    ret[0] = (struct mark){ RIAD_MARK_SOFT, soft > 0 && used > soft, soft - soft / 20,
        "the soft limit is passed" };
    ret[1] = (struct mark){ RIAD_MARK_80, hard > 0 && used >= hard / 5 * 4 + hard % 5 * 4 / 5,
        hard / 4 * 3, "80 % of the hard limit are used" };
    ret[2] = (struct mark){ RIAD_MARK_95, hard > 0 && used >= hard - hard / 20, hard / 10 * 9,
        "95 % of the hard limit are used" };
    ret[3] = (struct mark){ RIAD_MARK_HARD, measure->refused, measure->most - measure->most / 20,
        "the limit is reached, and something was refused" };
}

void riad_limit_marks_look(const struct riad_limit_measure *measure, unsigned *told,
        riad_limit_tell_function tell, void *context)
{
    struct mark marks[MARKS];

    list_marks(measure, marks);
    for (size_t i = 0; i < MARKS; i++) {
        const struct mark *mark = &marks[i];

        if (mark->there && !(*told & mark->bit)) {
            *told |= mark->bit;
            if (tell) {
                tell(context, mark->bit, mark->what);
            }
        } else if (!mark->there && measure->used < mark->again) {
            *told &= ~(unsigned)mark->bit;
        }
    }
}

void riad_limit_show_grace(uint64_t since, uint32_t grace, char ret[static 64])
{
    time_t ends = (time_t)(since + grace);
    struct tm when;

    if (since == 0 || !gmtime_r(&ends, &when) ||
            strftime(ret, 64, "; from %Y-%m-%dT%H:%M:%SZ on it holds", &when) == 0) {
        ret[0] = '\0';
    }
}

void riad_limit_show(bool is_bytes, uint64_t count, char ret[static 32])
{
    if (is_bytes) {
        snprintf(ret, 32, "%.1f MiB", (double)count / (1 << 20));
    } else {
        snprintf(ret, 32, "%llu", (unsigned long long)count);
    }
}
