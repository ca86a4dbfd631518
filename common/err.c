/* err.c -- texts for codes. Foreign codes are libuv's and are answered by libuv. */
#include "common/err.h"

#include <uv.h>

const char *err_text(int code)
{
    switch (code) {
    case 0:
        return "success";
#define X(name, value, text) case ERR_##name: return text;
    ERR_MAP(X)
#undef X
    default:
        /* uv_strerror allocates for codes it does not know; only ask for those it does. */
        return uv_translate_sys_error(code) == code ? uv_strerror(code) : "unknown error";
    }
}

const char *err_name(int code)
{
    switch (code) {
    case 0:
        return "OK";
#define X(name, value, text) case ERR_##name: return #name;
    ERR_MAP(X)
#undef X
    default:
        return uv_translate_sys_error(code) == code ? uv_err_name(code) : "UNKNOWN";
    }
}
