/* Who is told when the limit of a user or group is nearly used up, or something was refused. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "riad/grants.h"

#include "control_priv.h"
#include "event_queue_priv.h"
#include "site_host_priv.h"

/* What was told of one resource of one subject; again when usage was well below since. */
enum { TOLD_80 = 1, TOLD_95 = 2, TOLD_HARD = 4 };
enum { EVERY_MS = 5000, AGAIN_MS = 200 };

struct riad_told_subject {
    enum riad_catalog_subject_kind kind;
    uint32_t id;
    unsigned bytes, inodes;
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

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
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

static void show(const struct measure *measure, uint64_t count, char ret[static 32])
{
    if (measure->is_bytes) {
        snprintf(ret, 32, "%.1f MiB", (double)count / (1 << 20));
    } else {
        snprintf(ret, 32, "%llu", (unsigned long long)count);
    }
}

/* Of no workspace: its members need not know. The number comes first: commands are told it. */
static void tell(struct riad_site_host *site, const struct riad_catalog_subject *subject,
        const struct measure *measure, const char *what)
{
    static const struct riad_id none;
    char text[RIAD_EVENT_QUEUE_TEXT], used[32], hard[32];
    struct timespec now = { 0 };

    show(measure, measure->used, used);
    show(measure, measure->hard, hard);
    snprintf(text, sizeof text, "%s %u: %s in all workspaces: %s: %s of %s",
            subject->kind == RIAD_CATALOG_USER ? "uid" : "gid", subject->id, measure->name, what,
            used, hard);
    clock_gettime(CLOCK_BOOTTIME, &now);
    riad_event_queue_put(site->host.events, &none, "limit", text, (uint64_t)now.tv_sec + 60);
}

static void watch(struct riad_site_host *site, const struct riad_catalog_subject *subject,
        const struct measure *measure, unsigned *told)
{
    uint64_t hard = measure->hard, used = measure->used;
    const struct {
        unsigned bit;
        bool there;
        uint64_t again;
        const char *what;
    } marks[] = {
        { TOLD_80, used >= hard - hard / 5, hard / 4 * 3, "80 % of the hard limit are used" },
        { TOLD_95, used >= hard - hard / 20, hard / 10 * 9, "95 % of the hard limit are used" },
        { TOLD_HARD, measure->refused, hard - hard / 20,
                "the limit is reached, and something was refused" },
    };

    for (size_t i = 0; hard > 0 && i < sizeof marks / sizeof *marks; i++) {
        if (marks[i].there && !(*told & marks[i].bit)) {
            *told |= marks[i].bit;
            tell(site, subject, measure, marks[i].what);
        } else if (!marks[i].there && used < marks[i].again) {
            *told &= ~marks[i].bit;
        }
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
