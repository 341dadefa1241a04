#include "fsck_report.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

void fsck_report_begin(struct fsck_report *report, const struct options *options, const char *name)
{
    *report = (struct fsck_report){ .options = options,
        .name = name,
        .progress = !options->quiet && isatty(STDERR_FILENO),
        .findings = json_array() };
}

/* The terminal's line is gone where what comes next stands on it. */
static void end_line(struct fsck_report *report)
{
    if (report->line_open) {
        fputs("\r\033[K", stderr);
        report->line_open = false;
    }
}

void fsck_report_find(void *context, enum riad_checking_step step, const char *finding)
{
    struct fsck_report *report = context;

    (void)step; /* findings come before the end of theirs */
    end_line(report);
    if (!report->options->json) {
        printf("%s: ", report->name);
        print_calmly(stdout, finding, false);
        putchar('\n');
    }
    json_array_append_new(report->findings, json_path(finding));
}

void fsck_report_progress(void *context, const char *what, uint64_t done, uint64_t total)
{
    struct fsck_report *report = context;

    if (!report->progress) {
        return;
    }
    fprintf(stderr, "\r%s: ", report->name);
    print_calmly(stderr, what, false);
    fprintf(stderr, " %llu", (unsigned long long)done);
    if (total > 0) {
        fprintf(stderr, " of %llu", (unsigned long long)total);
    }
    fputs("\033[K", stderr);
    report->line_open = true;
}

static void print_check(const struct fsck_report *report, const json_t *numbers)
{
    char used[32], read[32];

    printf("%s: %s: %llu changes, %llu records (%s), %llu checkpoints; %llu inodes use %s\n",
            report->name, json_number(numbers, "damage") == 0 ? "clean" : "DAMAGED",
            (unsigned long long)json_number(numbers, "changes"),
            (unsigned long long)json_number(numbers, "records"),
            show_bytes(json_number(numbers, "bytes"), false, read),
            (unsigned long long)json_number(numbers, "checkpoints"),
            (unsigned long long)json_number(numbers, "inodes"),
            show_bytes(json_number(numbers, "bytes_used"), false, used));
}

static void print_repair(const struct fsck_report *report, const json_t *numbers)
{
    printf("%s: repaired: %llu changes salvaged, %llu lost; %llu names lost, %llu inodes put into "
           "/lost+found, %llu files torn, %llu maybe older\n",
            report->name, (unsigned long long)json_number(numbers, "changes_salvaged"),
            (unsigned long long)json_number(numbers, "changes_lost"),
            (unsigned long long)json_number(numbers, "names_lost"),
            (unsigned long long)json_number(numbers, "orphans"),
            (unsigned long long)json_number(numbers, "files_torn"),
            (unsigned long long)json_number(numbers, "files_stale"));
}

/* The step's numbers with what was found in it, new. */
static json_t *pack_step(
        struct fsck_report *report, enum riad_checking_step step, const json_t *numbers)
{
    json_t *object = json_object();

    if (step != RIAD_CHECKING_REPAIR) {
        json_object_set_new(object, "workspace", json_string(report->name));
    }
    json_object_update(object, (json_t *)numbers);
    json_object_set_new(object, "findings", report->findings);
    report->findings = json_array();
    return object;
}

void fsck_report_end(void *context, enum riad_checking_step step, const json_t *numbers)
{
    struct fsck_report *report = context;
    json_t *object = pack_step(report, step, numbers);

    end_line(report);
    if (!report->options->json && step == RIAD_CHECKING_REPAIR) {
        print_repair(report, numbers);
    } else if (!report->options->json) {
        print_check(report, numbers);
    }
    if (step == RIAD_CHECKING_FIRST) {
        json_decref(report->result);
        report->result = object;
    } else {
        json_object_set_new(
                report->result, step == RIAD_CHECKING_REPAIR ? "repair" : "after", object);
    }
}

void fsck_report_done(struct fsck_report *report, json_t *results)
{
    end_line(report);
    if (report->result) {
        json_array_append_new(results, report->result);
    }
    json_decref(report->findings);
}

int fsck_report_print(const struct options *options, int code, json_t *results)
{
    if (options->json) {
        int printed = print_json(json_pack("{s:O}", "workspaces", results));

        code = code == RIAD_EXIT_DONE ? printed : code;
    }
    json_decref(results);
    return code;
}
