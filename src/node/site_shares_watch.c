/* Who is told when the limit of a user or group is nearly used up, or something was refused. */
#include <stdio.h>
#include <stdlib.h>

#include "riad/grants.h"
#include "riad/limit_marks.h"

#include "control_priv.h"
#include "event_queue_priv.h"
#include "site_amount_priv.h"
#include "site_host_priv.h"

enum { EVERY_MS = 5000, AGAIN_MS = 200 };

struct riad_told_subject {
    enum riad_catalog_subject_kind kind;
    uint32_t id;
    unsigned bytes, inodes; /* what was told of each (riad/limit_marks.h) */
};

/* One resource, as it is. */
struct measure {
    const char *name;
    bool is_bytes;
    uint64_t used, hard;
    bool refused;
};

static struct riad_told_subject *find_told(
        struct riad_site_host *site, const struct riad_catalog_subject *subject)
{
    struct riad_told_subject *told;

    for (size_t i = 0; i < site->told_count; i++) {
        if (site->told[i].kind == subject->kind && site->told[i].id == subject->id) {
            return &site->told[i];
        }
    }
    told = reallocarray(site->told, site->told_count + 1, sizeof *told);
    if (!told) {
        return NULL;
    }
    site->told = told;
    told[site->told_count] = (struct riad_told_subject){ .kind = subject->kind, .id = subject->id };
    return &told[site->told_count++];
}

/* (lock) What is there in workspaces that are open here, and what is granted to others. Of the one
 * that asks, or NULL: what it asks for, as far as it is granted. */
static struct riad_usage used_of(struct riad_site_host *site, const struct riad_mount *asking,
        const struct riad_catalog_subject *subject, const struct riad_usage *needed)
{
    struct riad_usage sum = { 0 };

    for (size_t i = 0; i < subject->grant_count; i++) {
        const struct riad_catalog_grant *grant = &subject->grants[i];
        struct riad_usage used = { .blocks = grant->bytes / RIAD_BLOCK_SIZE,
            .inodes = grant->inodes };
        struct riad_mount *mount = riad_site_hold(site, &grant->workspace);
        int r = 0;

        if (mount && mount == asking) {
            used.blocks = smaller(used.blocks, needed->blocks);
            used.inodes = smaller(used.inodes, needed->inodes);
        } else if (mount) {
            r = riad_workspace_owner_usage(
                    mount->workspace, (enum riad_subject)subject->kind, subject->id, &used);
        }
        if (mount) {
            riad_host_unhold(&site->host, mount);
        }
        sum.blocks += r < 0 ? 0 : used.blocks;
        sum.inodes += r < 0 ? 0 : used.inodes;
    }
    return sum;
}

struct telling {
    struct riad_site_host *site;
    const struct riad_catalog_subject *subject;
    const struct measure *measure;
};

/* Of no workspace: its members need not know. The number comes first: commands are told it. */
static void tell(void *context, enum riad_limit_mark mark, const char *what)
{
    static const struct riad_id none;
    const struct telling *telling = context;
    const struct measure *measure = telling->measure;
    char text[RIAD_EVENT_QUEUE_TEXT], used[32], hard[32];

    (void)mark; /* all are of the hard limit */
    riad_limit_show(measure->is_bytes, measure->used, used);
    riad_limit_show(measure->is_bytes, measure->hard, hard);
    snprintf(text, sizeof text, "%s %u: %s in all workspaces: %s: %s of %s",
            telling->subject->kind == RIAD_CATALOG_USER ? "uid" : "gid", telling->subject->id,
            measure->name, what, used, hard);
    riad_host_queue_event(&telling->site->host, &none, "limit", text);
}

static void watch(struct riad_site_host *site, const struct riad_catalog_subject *subject,
        const struct measure *measure, unsigned *told)
{
    struct telling telling = { site, subject, measure };
    const struct riad_limit_measure looked = { measure->used, 0, measure->hard, measure->refused };

    if (measure->hard > 0) {
        riad_limit_marks_look(&looked, told, tell, &telling);
    }
}

void riad_site_watch_subject(struct riad_site_host *site, const struct riad_mount *mount,
        const struct riad_catalog_subject *subject, const struct riad_usage *needed)
{
    static const struct riad_usage nothing;
    const struct riad_usage *wanted = needed ? needed : &nothing;
    const struct riad_catalog_grant *grant =
            mount ? riad_catalog_find_grant(subject, &mount->id) : NULL;
    struct riad_usage used = used_of(site, mount, subject, wanted);
    struct riad_told_subject *told = find_told(site, subject);
    const struct measure bytes = { "space", true, used.blocks * RIAD_BLOCK_SIZE,
        subject->limit.bytes_hard, wanted->blocks > (grant ? grant->bytes / RIAD_BLOCK_SIZE : 0) };
    const struct measure inodes = { "inodes", false, used.inodes, subject->limit.inodes_hard,
        wanted->inodes > (grant ? grant->inodes : 0) };

    if (told) { /* else memory is short, and nobody is told */
        watch(site, subject, &bytes, &told->bytes);
        watch(site, subject, &inodes, &told->inodes);
    }
}

/* Only where so much is granted can there be something to tell, or not any more. */
static bool is_near(const struct riad_catalog_subject *subject)
{
    uint64_t bytes = 0, inodes = 0;

    for (size_t i = 0; i < subject->grant_count; i++) {
        bytes += subject->grants[i].bytes;
        inodes += subject->grants[i].inodes;
    }
    return (subject->limit.bytes_hard > 0 && bytes >= subject->limit.bytes_hard / 4 * 3) ||
           (subject->limit.inodes_hard > 0 && inodes >= subject->limit.inodes_hard / 4 * 3);
}

int riad_site_watch_subjects(struct riad_site_host *site)
{
    int64_t left = site->subjects_watched + EVERY_MS - riad_control_now();

    if (left > 0) {
        return (int)left;
    }
    if (pthread_mutex_trylock(&site->lock) != 0) {
        return AGAIN_MS;
    }
    for (size_t i = 0; i < site->catalog.subject_count; i++) {
        if (is_near(&site->catalog.subjects[i])) {
            riad_site_watch_subject(site, NULL, &site->catalog.subjects[i], NULL);
        }
    }
    pthread_mutex_unlock(&site->lock);
    site->subjects_watched = riad_control_now();
    return EVERY_MS;
}
