/* Mount options: a closed list, read from the user's text and written as libfuse wants them. */
#ifndef RIAD_OPTIONS_PRIV_H
#define RIAD_OPTIONS_PRIV_H

#include "riad/session.h"

enum { RIAD_THREADS_MAX = 64 };

struct riad_options {
    bool read_only;
    bool no_exec;
    bool no_atime;
    bool synchronous;
    bool directory_synchronous;
    bool allow_other;
    bool no_xattr; /* not the kernel's: it stops asking for security.capability at each new file */
    bool no_uring; /* requests by /dev/fuse even where the kernel offers its ring */
    unsigned threads; /* 0 = default */
};

/* Reads comma-separated options into `options`, the later of two that contradict each other wins;
 * text NULL or empty changes nothing. -EINVAL with the option at fault in the reason: `options` is
 * unchanged. */
int riad_options_parse(const char *text, struct riad_options *options,
        struct riad_reason *ret_reason) RIAD_MUST_CHECK;
/* The value of libfuse's -o for a mount from `source`; heap. -EINVAL if source is empty or has
 * control bytes; -ENOMEM. */
int riad_options_format(
        const struct riad_options *options, const char *source, char **ret) RIAD_MUST_CHECK;

#endif
