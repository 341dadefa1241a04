#include <stdarg.h>
#include <stdio.h>

#include "riad/diag.h"

#include "lifecycle_priv.h"

int riad_reason_set(struct riad_reason *reason, int result, const char *format, ...)
{
    va_list arguments;

    if (reason) {
        va_start(arguments, format);
        vsnprintf(reason->text, sizeof reason->text, format, arguments);
        va_end(arguments);
    }
    return result;
}

int riad_workspace_progress(
        const struct riad_workspace_config *config, const char *what, uint64_t done, uint64_t total)
{
    if (config->progress) {
        config->progress(config->progress_context, what, done, total);
    }
    return config->stop && *config->stop ? -ECANCELED : 0;
}

static void raise_event(struct riad_workspace *workspace, const char *format, va_list arguments)
        __attribute__((format(printf, 2, 0)));

static void raise_event(struct riad_workspace *workspace, const char *format, va_list arguments)
{
    vsnprintf(workspace->event, sizeof workspace->event, format, arguments);
    riad_diag(RIAD_WARNING, "%s: %s", workspace->name, workspace->event);
    if (workspace->hear) {
        workspace->hear(workspace->hear_context, workspace->event);
    }
}

void riad_workspace_tell_limit(struct riad_workspace *workspace, const char *format, ...)
{
    char text[2 * sizeof workspace->event];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    riad_diag(RIAD_WARNING, "%s: %s", workspace->name, text);
    if (workspace->hear_limit) {
        workspace->hear_limit(workspace->hear_context, text);
    }
}

void riad_workspace_event(struct riad_workspace *workspace, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    raise_event(workspace, format, arguments);
    va_end(arguments);
}

void riad_workspace_event_unlocked(struct riad_workspace *workspace, const char *format, ...)
{
    va_list arguments;

    pthread_mutex_lock(&workspace->mutation);
    va_start(arguments, format);
    raise_event(workspace, format, arguments);
    va_end(arguments);
    pthread_mutex_unlock(&workspace->mutation);
}

void riad_workspace_freeze(struct riad_workspace *workspace, const char *why, int error)
{
    if (workspace->state != RIAD_WORKSPACE_RUNNING) {
        return;
    }
    workspace->state = RIAD_WORKSPACE_READ_ONLY;
    riad_log_stop(workspace->log);
    riad_workspace_event(workspace, "read-only: %s: %s; unmount and mount again to recover", why,
            strerror(-error));
}

void riad_workspace_supersede(struct riad_workspace *workspace)
{
    if (workspace->state == RIAD_WORKSPACE_SUPERSEDED) {
        return;
    }
    workspace->state = RIAD_WORKSPACE_SUPERSEDED;
    riad_log_stop(workspace->log);
    riad_workspace_event(workspace,
            "another node took over after term %u; changes that were not synced are lost; unmount",
            workspace->term);
}

void riad_workspace_freeze_unlocked(struct riad_workspace *workspace, const char *why, int error)
{
    pthread_mutex_lock(&workspace->mutation);
    riad_workspace_freeze(workspace, why, error);
    pthread_mutex_unlock(&workspace->mutation);
}

void riad_workspace_supersede_unlocked(struct riad_workspace *workspace)
{
    pthread_mutex_lock(&workspace->mutation);
    riad_workspace_supersede(workspace);
    pthread_mutex_unlock(&workspace->mutation);
}

bool riad_workspace_running(struct riad_workspace *workspace)
{
    bool running;

    pthread_mutex_lock(&workspace->mutation);
    running = workspace->state == RIAD_WORKSPACE_RUNNING;
    pthread_mutex_unlock(&workspace->mutation);
    return running;
}
