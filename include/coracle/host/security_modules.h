#pragma once

#include "coracle/host/facts.h"

#include <string>

namespace coracle::host {

/// Which security modules of labels the kernel runs with, and the caller's AppArmor label.
/// `proc_fd` is an O_PATH fd of /proc.
/// Runs in: parent, before any clone. Throws: system.
/// Source: proc_pid_attr(5); Linux Documentation/admin-guide/LSM; selinuxfs is a known filesystem
/// exactly where SELinux is enabled.
[[nodiscard]] SecurityModules detect_security_modules(int proc_fd);

/// The label in the text of /proc/PID/attr/apparmor/current: without the mode in brackets.
[[nodiscard]] std::string parse_apparmor_label(const std::string& text);

/// Whether the text of /proc/filesystems has the filesystem `name`.
[[nodiscard]] bool has_filesystem(const std::string& text, const std::string& name);

} // namespace coracle::host
