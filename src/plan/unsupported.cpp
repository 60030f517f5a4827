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

} // namespace

void require_supported(const Inputs& inputs) {
    const spec::Linux& config = inputs.linux_;
    if (config.resources && !config.resources->limits.empty()) {
        refuse_if(true, ("/linux/resources/" + config.resources->limits.front()).c_str(),
                  "cgroup limits are");
    }
}

} // namespace coracle::plan
