#pragma once

#include <functional>
#include <optional>
#include <string>

namespace coracle::test {

/// Runs `work` in a forked child and gives what it returned, or what it wrote to standard output
/// if it executed another program. An exception gives "error: <what>".
[[nodiscard]] std::string run_forked(const std::function<std::string()>& work);

/// The same in a new user namespace in which the child has every capability and the uid and gid
/// `id`. Nothing where the host forbids user namespaces; with CORACLE_MUST_RUN=1 that throws.
[[nodiscard]] std::optional<std::string>
run_in_user_namespace(unsigned id, const std::function<std::string()>& work);

} // namespace coracle::test
