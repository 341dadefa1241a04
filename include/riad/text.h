/* Layer base. Names of files, which are any bytes, in messages for people and in JSON. */
#ifndef RIAD_TEXT_H
#define RIAD_TEXT_H

#include "riad/types.h"

/* Appends to the zero-terminated text in ret, which has room for `room` bytes in all, what a
 * terminal and JSON can take: UTF-8 as it is, control characters, backslashes and all that is not
 * UTF-8 as \xNN. What does not fit is cut, not within a character. */
void riad_text_append(char *ret, size_t room, const char *bytes, size_t size);

/* Bytes of the control character that zero-terminated text begins with: 1 for those of ASCII (C0
 * and DEL), 2 for those that UTF-8 writes as 0xc2 0x80..0x9f (C1), which terminals obey too; 0:
 * none. */
size_t riad_text_control(const char *text);

#endif
