#include "plan_private.h"

#include "coracle/base/error.h"

namespace coracle::plan {

namespace {

void refuse_if(bool present, const char* pointer, const char* what) {
    if (present) {
        throw_error(ErrorKind::unsupported,
                    std::string(pointer) + ": " + what + " not supported yet");
    }
}

void require_supported_hooks(const spec::Hooks& hooks) {
    refuse_if(!hooks.prestart.empty(), "/hooks/prestart", "hooks are");
    refuse_if(!hooks.create_runtime.empty(), "/hooks/createRuntime", "hooks are");
    refuse_if(!hooks.create_container.empty(), "/hooks/createContainer", "hooks are");
    refuse_if(!hooks.start_container.empty(), "/hooks/startContainer", "hooks are");
    refuse_if(!hooks.poststart.empty(), "/hooks/poststart", "hooks are");
    refuse_if(!hooks.poststop.empty(), "/hooks/poststop", "hooks are");
}

void require_supported_process(const spec::Process& process) {
    refuse_if(!process.apparmor_profile.empty(), "/process/apparmorProfile", "profiles are");
    refuse_if(!process.selinux_label.empty(), "/process/selinuxLabel", "labels are");
    refuse_if(process.scheduler.has_value(), "/process/scheduler", "scheduler attributes are");
    refuse_if(process.io_priority.has_value(), "/process/ioPriority", "an I/O priority is");
}

} // namespace

void require_supported(const Inputs& inputs) {
    require_supported_hooks(inputs.config.hooks);
    if (inputs.config.process) {
        require_supported_process(*inputs.config.process);
    }
    const spec::Linux& config = inputs.linux_;
    refuse_if(!config.mount_label.empty(), "/linux/mountLabel", "labels are");
    refuse_if(config.personality.has_value(), "/linux/personality", "a personality is");
    refuse_if(config.has_intel_rdt, "/linux/intelRdt", "Intel RDT is");
    refuse_if(config.has_memory_policy, "/linux/memoryPolicy", "a memory policy is");
    refuse_if(config.has_net_devices, "/linux/netDevices", "moving network devices is");
    if (config.resources && !config.resources->limits.empty()) {
        refuse_if(true, ("/linux/resources/" + config.resources->limits.front()).c_str(),
                  "cgroup limits are");
    }
}

} // namespace coracle::plan
