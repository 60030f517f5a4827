#pragma once

#include "coracle/launch/launch.h"
#include "coracle/spec/documents.h"

namespace coracle::container {

/// Connects to who answers for SCMP_ACT_NOTIFY, if the record names one. What is returned sends it
/// the container process state of `pid`, init or a process of `exec`, with the listener, and closes
/// the connection. The record is borrowed.
/// Throws: system, naming the path. Runs in: parent of `start` and `run`.
/// Source: runtime-spec config-linux.md#containerprocessstate.
[[nodiscard]] launch::TakeListener connect_to_agent(const spec::Record& record, pid_t pid);

} // namespace coracle::container
