/* What riad and the kernel agree on in INIT. */
#ifndef RIAD_INIT_PRIV_H
#define RIAD_INIT_PRIV_H

#include <sys/uio.h>

#include "riad/types.h"

struct fuse_conn_info;

/* libfuse's `init`: sizes and the flags that libfuse 3.14 knows. session: the struct riad_session.
 */
void riad_init_configure(void *session, struct fuse_conn_info *connection);
/* The flags that a kernel's INIT request of `size` bytes (header included) offers; 0 if it is not
 * one of protocol 7. */
uint64_t riad_init_offered(const void *request, size_t size);
/* ORs the flags that libfuse 3.14 never sends, as far as they are offered, into its reply (header
 * and body in two pieces), and the ring's if that is wanted. False if this is no successful INIT
 * reply; then nothing is changed. */
bool riad_init_amend(const struct iovec *reply, int count, uint64_t offered, bool ring);

#endif
