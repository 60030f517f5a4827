#include "mount_sources_private.h"

#include "coracle/base/error.h"
#include "coracle/sys/process.h"

#include <unistd.h>

namespace coracle::launch {

void run_user_namespace_holder() noexcept {
    try {
        sys::set_parent_death_signal();
        sys::set_process_name("coracle:ids");
    } catch (const Error&) { // catch: a role's edge
        ::_exit(1);
    }
    for (;;) {
        (void)::pause();
    }
}

} // namespace coracle::launch
