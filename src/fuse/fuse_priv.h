/* The one place that includes libfuse's headers. */
#ifndef RIAD_FUSE_PRIV_H
#define RIAD_FUSE_PRIV_H

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

/* The largest READ and WRITE: libfuse 3.14 stops at 256 pages. */
enum { RIAD_MESSAGE_MAX = 1 << 20 };

#endif
