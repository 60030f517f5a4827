#include "refusals.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#else
#error "add the AUDIT_ARCH_* of this machine"
#endif

enum { max_instructions = 1024, longest_refusal = 10 };

struct refusal refuse_call(unsigned number, int error) {
    struct refusal refusal = {number, number, error, {{-1, 0, 0}, {-1, 0, 0}}};
    return refusal;
}

struct refusal refuse_flags(unsigned number, int argument, unsigned mask, int error) {
    struct refusal refusal = {number, number, error, {{argument, mask, 0}, {-1, 0, 0}}};
    return refusal;
}

struct program {
    struct sock_filter code[max_instructions];
    unsigned short length;
};

static void add(struct program* program, unsigned short code, uint32_t k, uint8_t yes, uint8_t no) {
    struct sock_filter instruction = {code, yes, no, k};
    program->code[program->length++] = instruction;
}

static void load(struct program* program, size_t offset) {
    add(program, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

/* Jumps are as far as the instructions that the conditions still to come need. */
static void add_refusal(struct program* program, const struct refusal* refusal) {
    uint8_t rest = 1;
    for (int i = 0; i < 2; ++i)
        if (refusal->where[i].argument >= 0)
            rest = (uint8_t)(rest + (refusal->where[i].value != 0 ? 3 : 2));
    load(program, offsetof(struct seccomp_data, nr));
    add(program, BPF_JMP | BPF_JGE | BPF_K, refusal->first, 0, (uint8_t)(rest + 1));
    add(program, BPF_JMP | BPF_JGT | BPF_K, refusal->last, rest, 0);
    for (int i = 0; i < 2; ++i) {
        if (refusal->where[i].argument < 0)
            continue;
        /* The lower half: both machines are little-endian. */
        load(program, offsetof(struct seccomp_data, args) +
                          (size_t)refusal->where[i].argument * sizeof(uint64_t));
        if (refusal->where[i].value != 0) {
            rest = (uint8_t)(rest - 3);
            add(program, BPF_ALU | BPF_AND | BPF_K, refusal->where[i].mask, 0, 0);
            add(program, BPF_JMP | BPF_JEQ | BPF_K, refusal->where[i].value, 0, rest);
        } else {
            rest = (uint8_t)(rest - 2);
            add(program, BPF_JMP | BPF_JSET | BPF_K, refusal->where[i].mask, 0, rest);
        }
    }
    add(program, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)refusal->error, 0, 0);
}

int install_refusals(const struct refusal* refusals, size_t count) {
    struct program program = {.length = 0};
    if (count > (max_instructions - 8) / longest_refusal)
        return E2BIG;
    load(&program, offsetof(struct seccomp_data, arch));
    add(&program, BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCH, 1, 0);
    add(&program, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
    for (size_t i = 0; i < count; ++i)
        add_refusal(&program, &refusals[i]);
    add(&program, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
    struct sock_fprog filter = {program.length, program.code};
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0)
        return 0;
    if (errno != EACCES || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) != 0)
        return errno;
    return 0;
}
