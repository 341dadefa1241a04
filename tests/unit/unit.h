/* cmocka with the headers that it wants before it, in the order that clang-format would change. */
#ifndef RIAD_TESTS_UNIT_H
#define RIAD_TESTS_UNIT_H

/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#endif
