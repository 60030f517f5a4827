#pragma once

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A system call that the kernel answers with an error, as a seccomp filter sees it: all calls
   numbered `first` to `last` whose arguments meet the conditions. */
struct refusal {
    unsigned first;
    unsigned last;
    int error;
    struct {
        int argument;   /* 0 to 5; -1: no condition */
        unsigned mask;  /* of its lower 32 bits */
        unsigned value; /* what they must be under the mask; 0: any bit of the mask is set */
    } where[2];
};

/* Every call; `error` is the errno. */
struct refusal refuse_call(unsigned number, int error);
/* Those with a bit of `mask` set in the argument. */
struct refusal refuse_flags(unsigned number, int argument, unsigned mask, int error);

/* Refuses them in this process and in all that come of it. Needs CAP_SYS_ADMIN, or sets
   no_new_privs, so that with it programs gain their privileges as without. 0, or the errno. */
int install_refusals(const struct refusal* refusals, size_t count);

#ifdef __cplusplus
}
#endif
