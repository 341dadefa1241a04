/* What `riad bench` tells in the end. */
#include <stdio.h>

#include "bench.h"

static const char *show_seconds(double seconds, char ret[32])
{
    double scaled = seconds < 1e-3 ? seconds * 1e6 : seconds < 1 ? seconds * 1e3 : seconds;
    const char *unit = seconds < 1e-3 ? "us" : seconds < 1 ? "ms" : "s";

    snprintf(ret, 32, "%.*f %s", scaled < 10 ? 2 : scaled < 100 ? 1 : 0, scaled, unit);
    return ret;
}

/* Of large pieces bytes, else operations, in a second. */
static const char *show_rate(
        const struct bench_step *step, const struct bench_result *result, char ret[32])
{
    double seconds = result->seconds > 0 ? result->seconds : 1e-9;
    char some[28];

    if (step->size == BENCH_PIECE_SIZE) {
        show_bytes((uint64_t)((double)result->bytes / seconds), false, ret);
        snprintf(some, sizeof some, "%.25s", ret);
        snprintf(ret, 32, "%s/s", some);
    } else {
        snprintf(ret, 32, "%.0f/s", (double)result->operations / seconds);
    }
    return ret;
}

static double each(uint64_t count, const struct bench_result *result)
{
    return result->operations > 0 ? (double)count / (double)result->operations : 0;
}

static void print_row(const struct bench_step *step, const struct bench_result *result)
{
    char seconds[32], rate[32], median[32], slowest[32];

    printf("%-26s %6llu %9s %11s %9s %9s", step->title, (unsigned long long)result->operations,
            show_seconds(result->seconds, seconds), show_rate(step, result, rate),
            show_seconds(result->median, median), show_seconds(result->slowest99, slowest));
    if (result->counted) {
        printf(" %9.2f %7.3f", each(result->messages, result), each(result->store_calls, result));
    }
    putchar('\n');
}

int bench_print(const struct bench_where *where, const struct bench_result results[BENCH_STEPS])
{
    printf("%-26s %6s %9s %11s %9s %9s%s\n", "STEP", "TIMES", "IN ALL", "RATE", "MEDIAN", "99 %",
            where->mount ? "  MESSAGES   CALLS" : "");
    for (size_t i = 0; i < BENCH_STEPS; i++) {
        print_row(&bench_steps[i], &results[i]);
    }
    if (where->mount) {
        printf("Workspace %s, mounted on ", where->workspace);
        print_path(where->mount);
        printf(" (%s).\n", where->transport);
    } else {
        print_path(where->directory);
        puts(" is in no mount of yours.");
    }
    puts("Reads are warm: what was just written is still in the memory of this machine.");
    return RIAD_EXIT_DONE;
}

static json_t *pack_step(const struct bench_step *step, const struct bench_result *result)
{
    json_t *object = json_pack("{s:s, s:I, s:I, s:f, s:f, s:f}", "name", step->name, "operations",
            (json_int_t)result->operations, "bytes", (json_int_t)result->bytes, "seconds",
            result->seconds, "median_seconds", result->median, "percentile_99_seconds",
            result->slowest99);

    if (object && result->counted) {
        json_object_set_new(object, "messages", json_integer((json_int_t)result->messages));
        json_object_set_new(object, "store_calls", json_integer((json_int_t)result->store_calls));
        json_object_set(object, "requests", result->requests);
    }
    return object;
}

int bench_print_json(
        const struct bench_where *where, const struct bench_result results[BENCH_STEPS])
{
    json_t *steps = json_array();

    for (size_t i = 0; i < BENCH_STEPS; i++) {
        json_array_append_new(steps, pack_step(&bench_steps[i], &results[i]));
    }
    return print_json(json_pack("{s:o, s:o*, s:s*, s:s*, s:o}", "directory",
            json_path(where->directory), "mount", where->mount ? json_path(where->mount) : NULL,
            "workspace", where->workspace, "transport", where->transport, "steps", steps));
}
