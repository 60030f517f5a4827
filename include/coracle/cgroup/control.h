#pragma once

#include "coracle/cgroup/directory.h"

/// What is done to the processes of a container by its cgroup. Runs in: parent of any verb.
namespace coracle::cgroup {

/// Every process in it and below it is stopped; what was frozen in part is thawed again when it
/// fails. Throws: system, also if a process does not stop within 10 seconds.
void freeze(const Directory& cgroup);
/// They run again. Throws: system.
void thaw(const Directory& cgroup);

/// SIGKILL to every process, frozen ones too, in one go where the kernel can (5.14), and the
/// cgroup is empty. Throws: system, if it is not within 10 seconds.
void kill_all(const Directory& cgroup);
/// `signal` to every process that is there now. Nobody escapes by forking meanwhile. Whether there
/// was one. Throws: system.
bool signal_all(const Directory& cgroup, int signal);

/// The empty cgroup and those below it are gone; what is gone already is no error.
/// Throws: system, if a process came in meanwhile, or the caller may not.
void remove(const std::string& mount_point, const std::string& path);

} // namespace coracle::cgroup
