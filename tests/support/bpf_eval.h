#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <array>
#include <cstdint>
#include <vector>

namespace coracle::test {

/// The program in the bytes that compile_seccomp gives.
[[nodiscard]] std::vector<sock_filter> to_program(const std::vector<std::uint8_t>& bytes);

/// Throws std::runtime_error unless the kernel would load `program` for seccomp: known instructions
/// only, every jump, load and memory slot in bounds, a return at the end. All instructions are
/// looked at, not only those that some call leads to.
/// Source: bpf_check_classic, net/core/filter.c; seccomp_check_filter, kernel/seccomp.c.
void require_loadable(const std::vector<sock_filter>& program);

/// Runs a classic BPF program as the kernel does for seccomp and gives its SECCOMP_RET_* value.
/// `arch` is an AUDIT_ARCH_*. Throws std::runtime_error for what the kernel would refuse to load:
/// an instruction seccomp does not allow, a jump or a load out of bounds, no return at the end.
[[nodiscard]] std::uint32_t evaluate_bpf(const std::vector<sock_filter>& program,
                                         std::uint32_t arch, std::uint32_t nr,
                                         const std::array<std::uint64_t, 6>& args = {});

} // namespace coracle::test
