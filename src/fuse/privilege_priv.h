/* What the kernel would ask of a caller and does not tell: looked up in /proc. */
#ifndef RIAD_PRIVILEGE_PRIV_H
#define RIAD_PRIVILEGE_PRIV_H

#include <sys/types.h>

#include "riad/types.h"

/* Whether the thread has CAP_SYS_ADMIN, the machine's and not that of a user namespace: who has not
 * does not see names in trusted. listed. pid and uid are those of the request. False if the caller
 * is out of sight (another pid namespace) or gone. */
bool riad_privilege_is_admin(pid_t pid, uid_t uid);
/* Whether the thread has the group among its supplementary ones, or CAP_FSETID: struct riad_caller.
 */
bool riad_privilege_is_member(int32_t pid, uint32_t group);

#endif
