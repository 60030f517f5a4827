#pragma once

#include "coracle/base/names.h"

#include <string>
#include <vector>

namespace coracle::host {

/// What the kernel refused: the namespaces and their id maps, or a step inside them.
enum class Refused { namespaces, later_step };

/// Which setting of this host forbids what has been answered with `errnum`, its value and the cure:
/// limits on namespaces (ENOSPC), user namespaces switched off, AppArmor, a seccomp filter (EPERM),
/// a chroot (EPERM, EINVAL). `kinds` are the namespaces that were to be new. "" if nothing is
/// found. `proc_fd` is an O_PATH fd of /proc.
/// Runs in: parent, on the failure path only. Never throws for what it finds.
/// Source: namespaces(7), user_namespaces(7), Linux kernel/ucount.c, kernel/user_namespace.c.
[[nodiscard]] std::string explain_refusal(int proc_fd, Refused what, int errnum,
                                          const std::vector<NamespaceKind>& kinds);

} // namespace coracle::host
