#include "coracle/base/exception.h"

#include <new>

namespace coracle {

std::string describe_exception(const std::exception& exception) {
    if (dynamic_cast<const std::bad_alloc*>(&exception) != nullptr) {
        return "out of memory: cannot allocate memory (raise RLIMIT_AS with ulimit -v, or the "
               "memory limit of the cgroup)";
    }
    return exception.what();
}

} // namespace coracle
