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

} // namespace

void require_supported(const Inputs& inputs) {
    require_supported_hooks(inputs.config.hooks);
    const spec::Linux& config = inputs.linux_;
    if (config.resources && !config.resources->limits.empty()) {
        refuse_if(true, ("/linux/resources/" + config.resources->limits.front()).c_str(),
                  "cgroup limits are");
    }
}

} // namespace coracle::plan
