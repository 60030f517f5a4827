#pragma once

#include "coracle/sys/fd.h"

#include <string>

/// What the caller is given of a process: its terminal, its pidfd. Runs in: parent.
namespace coracle::container {

/// Who holds the terminal of a process that has one.
enum class ConsoleHolder { socket, foreground };
/// The rules between process.terminal, --console-socket (`socket`, empty: none) and --detach.
/// Throws: usage.
void require_console(bool terminal, const std::string& socket, ConsoleHolder holder);

/// Connects to the stream socket `path`; empty for "". Throws: system, naming the option.
[[nodiscard]] sys::Fd connect_if_named(const std::string& path, const char* option);

/// One message with the fd beside it, as conmon, containerd and go-runc read it. Throws: system.
void send_console(const sys::Fd& socket, const sys::Fd& console);
/// The same; `option` is for messages. Throws: unsupported, if pidfd_open(2) was refused.
void send_pidfd(const sys::Fd& socket, int pidfd, const std::string& option);

} // namespace coracle::container
