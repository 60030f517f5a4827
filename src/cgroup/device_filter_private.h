#pragma once

#include "coracle/cgroup/directory.h"
#include "coracle/plan/cgroup_plan.h"

#include <linux/bpf.h>
#include <vector>

/// Device rules as an eBPF program: BPF_PROG_TYPE_CGROUP_DEVICE.
/// Source: Linux Documentation/admin-guide/cgroup-v2.rst, "Device controller"; bpf(2).
namespace coracle::cgroup {

/// The program: of the rules that match a request, the last one decides for each kind of access;
/// what no rule is about is denied. Pure.
[[nodiscard]] std::vector<bpf_insn>
compile_device_rules(const std::vector<plan::DeviceRule>& rules);

/// The program decides for the processes of the cgroup, beside those that others attach.
/// Runs in: parent, with CAP_BPF or CAP_SYS_ADMIN of the host. Throws: system, unsupported.
void attach_device_filter(const Directory& cgroup, const std::vector<plan::DeviceRule>& rules);

} // namespace coracle::cgroup
