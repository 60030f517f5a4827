#include "cgroup_private.h"
#include "coracle/base/error.h"
#include "coracle/base/log.h"
#include "coracle/base/text.h"
#include "coracle/plan/make_launch_plan.h"
#include "coracle/spec/validate.h"

namespace coracle::container {

namespace {

/// Quota and period are one value of the kernel: what is not given stays.
void complete_cpu(const cgroup::Directory& cgroup, spec::CpuResources& cpu) {
    bool quota = cpu.quota.value_or(0) != 0;
    bool period = cpu.period.value_or(0) != 0;
    if (quota == period) {
        return;
    }
    std::string text = cgroup.find_text("cpu.max").value_or("");
    std::string_view line = std::string_view(text).substr(0, text.find('\n'));
    std::size_t blank = line.find(' ');
    if (blank == std::string_view::npos) {
        return;
    }
    if (quota) {
        cpu.period = parse_unsigned(line.substr(blank + 1), INT64_MAX);
    } else if (std::optional<std::uint64_t> old =
                   parse_unsigned(line.substr(0, blank), INT64_MAX)) {
        cpu.quota = static_cast<std::int64_t>(*old);
    }
}

/// The config's swap is memory and swap together, the kernel's is swap alone.
void complete_memory(const cgroup::Directory& cgroup, spec::MemoryResources& memory) {
    std::optional<std::uint64_t> old_limit = cgroup.find_number("memory.max");
    std::optional<std::uint64_t> old_swap = cgroup.find_number("memory.swap.max");
    bool limit = memory.limit.value_or(0) != 0;
    bool swap = memory.swap.value_or(0) != 0;
    if (swap && !limit && *memory.swap > 0 && old_limit) {
        memory.limit = static_cast<std::int64_t>(*old_limit);
    }
    if (limit && !swap && *memory.limit > 0 && old_limit && old_swap) {
        memory.swap = static_cast<std::int64_t>(*old_limit + *old_swap);
        if (*memory.swap < *memory.limit) {
            throw_error(ErrorKind::invalid_config,
                        "update: Memory limit should be smaller than already set memoryswap "
                        "limit, update the memoryswap at the same time: memory and swap together "
                        "are limited to " +
                            std::to_string(*memory.swap));
        }
    }
}

} // namespace

void update(const Context& context, const std::string& id, spec::Resources resources) {
    Found found = require_container(context, id);
    LivingCgroup cgroup = require_cgroup(found, "update");
    if (resources.cpu) {
        complete_cpu(cgroup.directory, *resources.cpu);
    }
    if (resources.memory) {
        complete_memory(cgroup.directory, *resources.memory);
    }
    spec::validate_resources(resources);
    plan::CgroupMethod method =
        cgroup.location.scope.empty() ? plan::CgroupMethod::cgroupfs : plan::CgroupMethod::systemd;
    std::vector<plan::Degradation> degraded = in_context(
        [&] { return "update '" + id + "'"; },
        [&] {
            return cgroup::update(cgroup.location, plan::make_cgroup_update(resources, method));
        });
    for (const plan::Degradation& entry : degraded) {
        if (context.strict) {
            throw_error(ErrorKind::unsupported, entry.what + ": " + entry.why + " (--strict)");
        }
        log::warning(entry.what + ": " + entry.why);
    }
}

} // namespace coracle::container
