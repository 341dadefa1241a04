/* Epochs of open workspaces: a later root key is taken up while they are used, and where the one
 * before ended is registered in the catalog, so that nothing sealed under it counts beyond (K2). */
#include <stdio.h>
#include <string.h>

#include "riad/cleanup.h"
#include "riad/error.h"
#include "riad/events.h"

#include "site_host_priv.h"

static int register_end(struct riad_site_host *site, const struct riad_id *workspace,
        const struct riad_epoch_end *at)
{
    const struct riad_catalog_epoch_end end = { .epoch = at->epoch,
        .term = at->end.sequence.term,
        .number = at->end.sequence.number,
        .segment = at->segment,
        .chain = at->end.chain };
    struct riad_reason reason;
    int r = -EIO;

    pthread_mutex_lock(&site->lock);
    if (riad_site_host_refresh(site, &reason) == RIAD_EXIT_DONE) {
        r = riad_catalog_end_epoch(&site->node.store, &site->keys, &site->catalog, workspace, &end);
        r = r == -ESTALE ? 0 : r; /* it was registered meanwhile */
        r = r < 0 ? r : riad_mark_catalog(&site->node.store, &site->node.state, &site->catalog);
    }
    pthread_mutex_unlock(&site->lock);
    return r;
}

/* All is sealed under the grant's last epoch from here on. */
static int rotate(struct riad_site_host *site, struct riad_mount *mount,
        const struct riad_key_grant *grant, uint32_t epoch)
{
    _cleanup_secret_ struct riad_secret *subkeys = NULL;
    const struct riad_epoch_key *key = &grant->keys[epoch - 1];
    struct riad_epoch_end end;
    int r = riad_secret_new_copy(key->subkeys, sizeof key->subkeys, &subkeys);

    if (r == 0) {
        r = riad_workspace_rotate(mount->workspace, epoch, subkeys, &end);
    }
    if (r < 0) {
        return r == -EALREADY ? 0 : r;
    }
    riad_events_record(&site->node.state, "epoch-begun", &site->node.store.binding.store,
            &grant->workspace, "epoch %u from change %llu on, by uid %u", epoch,
            (unsigned long long)end.end.sequence.number + 1, grant->uid);
    return register_end(site, &grant->workspace, &end);
}

static int take_up(struct riad_site_host *site, struct riad_mount *mount,
        const struct riad_key_grant *grant, uint32_t from)
{
    int r = 0;

    for (uint32_t epoch = from + 1; r == 0 && epoch <= grant->epoch; epoch++) {
        r = rotate(site, mount, grant, epoch);
    }
    return r < 0 ? r : riad_workspace_checkpoint(mount->workspace);
}

/* A worker that is started again is to get these keys. */
static int keep_keys(struct riad_site_host *site, struct riad_site_mount *own,
        const struct riad_key_grant *grant)
{
    const struct riad_service_request request = { .operation = RIAD_SERVICE_ROTATED,
        .workspace = grant->workspace,
        .identity = grant->identity };
    struct riad_service_reply reply;
    int r;

    if (riad_hash_equal(&own->identity, &grant->identity)) {
        return 0;
    }
    r = riad_service_call(site->service, &request, NULL, &reply, NULL);
    if (r == 0) {
        own->identity = grant->identity;
    }
    return r;
}

/* Epochs whose end was not registered, as a change of the key was cut short, ended here at the
 * latest: what is written since the opening is sealed under the last one. The place must be durable
 * before it is registered: from then on the log has to reach it. */
static int close_epochs(struct riad_site_host *site, const struct riad_mount *mount,
        const struct riad_key_grant *grant, const struct riad_site_target *target)
{
    struct riad_workspace_status status;
    uint32_t known = target->end_count > 0 ? target->ends[target->end_count - 1].epoch : 0;
    int r;

    if (known + 1 >= grant->epoch) {
        return 0;
    }
    r = riad_workspace_sync(mount->workspace);
    r = r < 0 ? r : riad_workspace_status(mount->workspace, &status);
    for (uint32_t epoch = known + 1; r == 0 && epoch < grant->epoch; epoch++) {
        const struct riad_epoch_end end = { epoch, status.synced, status.last_segment_before };

        r = register_end(site, &grant->workspace, &end);
    }
    return r;
}

/* (changing) */
static int follow(struct riad_site_host *site, struct riad_mount *mount,
        const struct riad_key_grant *grant, const struct riad_site_target *target)
{
    struct riad_workspace_status status;
    int r = riad_workspace_status(mount->workspace, &status);

    if (r < 0 || status.epoch > grant->epoch) {
        return r;
    }
    r = status.epoch < grant->epoch ? take_up(site, mount, grant, status.epoch)
                                    : close_epochs(site, mount, grant, target);
    return r < 0 ? r : keep_keys(site, mount->site, grant);
}

int riad_site_follow_epochs(struct riad_site_host *site, struct riad_mount *mount,
        const struct riad_key_grant *grant, const struct riad_site_target *target,
        struct riad_reason *ret_reason)
{
    struct riad_site_mount *own;
    int r;

    if (grant->epoch == 1) {
        return RIAD_EXIT_DONE;
    }
    if (!riad_host_hold(&site->host, mount)) {
        return riad_reason_set(ret_reason, RIAD_EXIT_NOT_MOUNTED, "it was locked meanwhile");
    }
    own = mount->site;
    pthread_mutex_lock(&own->changing);
    r = follow(site, mount, grant, target);
    pthread_mutex_unlock(&own->changing);
    riad_host_unhold(&site->host, mount);
    return r < 0 ? riad_reason_set(ret_reason, riad_exit_of(r),
                           "it is open, but not with its newest key: %s", strerror(-r))
                 : RIAD_EXIT_DONE;
}
