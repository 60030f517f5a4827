#pragma once

#include "coracle/sys/program.h"

#include <sys/types.h>

namespace coracle::launch {

/// Runs a program of the host to its end in the user and the network namespace of a container, with
/// CAP_NET_ADMIN over them and no other capability, and as the caller's user.
/// `init`: its first process, not reaped. Runs in: parent, with one thread; the program in a child
/// that has joined them. Throws: system. Source: setns(2), user_namespaces(7), Linux >= 5.8.
[[nodiscard]] sys::ProgramResult run_in_network(sys::ProgramCall call, pid_t init);

} // namespace coracle::launch
