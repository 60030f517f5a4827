#pragma once

#include "coracle/plan/launch_plan.h"

#include <cstdint>

namespace coracle::security {

/// Makes every permitted capability survive an execve of a file without capabilities by a process
/// whose uid is not 0: raises all of them in the inheritable and ambient sets.
/// Runs in: intermediate, init. Throws: system. Source: capabilities(7); Linux >= 4.3.
void raise_all_ambient();

/// Leaves these capabilities and no other, to a program that is executed next too, whatever its uid
/// and its file. Needs them, and CAP_SETPCAP. Runs in: a child that becomes a program of the host
/// in a container's user namespace. Throws: system. Source: capabilities(7), SECBIT_NOROOT.
void leave_to_program(std::uint64_t mask);

/// Drops from the bounding set what `capabilities` leaves out, up to `last_capability`, and clears
/// the ambient set. Needs CAP_SETPCAP. Runs in: init, before its ids change. Throws: system.
void apply_bounding_set(const plan::CapabilityPlan& capabilities, int last_capability);

/// Sets permitted, effective and inheritable, then raises ambient. `keep` is a mask of capabilities
/// that stay permitted and effective until execve recomputes the sets, although the plan does not
/// name them (CAP_SYS_ADMIN, to load a filter without no_new_privs). With `keep` 0 the result is
/// exactly the plan's. Capabilities that are not in the permitted set now are left out.
/// Runs in: init, after its ids changed under PR_SET_KEEPCAPS. Throws: system.
void apply_capability_sets(const plan::CapabilityPlan& capabilities, std::uint64_t keep);

} // namespace coracle::security
