/* What kernels lack. */
#include <stdio.h>
#include <sys/utsname.h>

#include "calls.h"

static bool kernel_is_at_least(int major, int minor)
{
    struct utsname name;
    int its_major = 0, its_minor = 0;

    return uname(&name) == 0 && sscanf(name.release, "%d.%d", &its_major, &its_minor) == 2 &&
           (its_major > major || (its_major == major && its_minor >= minor));
}

bool lacks(enum feature feature)
{
    switch (feature) {
    case FEATURE_TMPFILE:
        return !kernel_is_at_least(6, 2);
    case FEATURE_BIRTH_TIME:
        return !kernel_is_at_least(6, 6);
    default:
        return false;
    }
}
