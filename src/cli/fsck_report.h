/* What `riad fsck` tells of one workspace, whoever checks it: lines for a person as they come, or
 * all as JSON. */
#ifndef RIAD_FSCK_REPORT_H
#define RIAD_FSCK_REPORT_H

#include "riad/checking.h"

#include "cli.h"

struct fsck_report {
    const struct options *options;
    const char *name; /* of the workspace */
    bool progress;    /* stderr is a terminal, and is to show how far it is */
    bool line_open;   /* a progress line stands unfinished on it */
    json_t *findings; /* of the step that runs */
    json_t *result;   /* of those that are done; NULL: none is */
};

void fsck_report_begin(struct fsck_report *report, const struct options *options, const char *name);
/* As struct riad_checking and riad_workspace_config have them; context: the report. */
void fsck_report_find(void *report, enum riad_checking_step step, const char *finding);
void fsck_report_end(void *report, enum riad_checking_step step, const json_t *numbers);
void fsck_report_progress(void *report, const char *what, uint64_t done, uint64_t total);
/* Nothing more comes: its line on the terminal goes, and its result is added to the array. */
void fsck_report_done(struct fsck_report *report, json_t *results);
/* {"workspaces": results}, if that is wanted; code, or that of printing. Takes results over. */
int fsck_report_print(const struct options *options, int code, json_t *results);

/* riad fsck without a store: of this site. Exit code; reported. */
int fsck_site(const struct options *options);

#endif
