#include "coracle/launch/network_program.h"

#include "coracle/base/error.h"
#include "coracle/security/capabilities.h"
#include "coracle/sys/fd.h"
#include "coracle/sys/namespace.h"
#include "coracle/sys/process.h"

#include <cstdint>
#include <linux/capability.h>
#include <sched.h>

namespace coracle::launch {

sys::ProgramResult run_in_network(sys::ProgramCall call, pid_t init) {
    sys::Fd pidfd;
    if (int errnum = sys::try_open_pidfd(init, pidfd); errnum != 0) {
        throw_system(errnum, "open init");
    }
    call.prepare = [&pidfd] {
        sys::join_namespaces(pidfd.get(), CLONE_NEWUSER | CLONE_NEWNET);
        security::leave_to_program(std::uint64_t{1} << CAP_NET_ADMIN);
    };
    return sys::run_program(call);
}

} // namespace coracle::launch
