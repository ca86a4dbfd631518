/* http_header.h -- one header field; apart from http.h because llhttp's header has names of
 * its own that http.h uses, and http_parser.c needs both kinds. */
#ifndef TASKWIRE_COMMON_HTTP_HEADER_H
#define TASKWIRE_COMMON_HTTP_HEADER_H

#include "common/slice.h"

struct http_header {
    struct slice name;
    struct slice value;
};

#endif
