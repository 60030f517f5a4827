#pragma once

#include "coracle/sandbox/seccomp_profiles.h"

#include <optional>
#include <string_view>
#include <vector>

namespace coracle::sandbox {

/// Names of system calls in order, each once. They are borrowed: from the tables, which live on,
/// or from the words of who asks.
class CallSet {
  public:
    CallSet() = default;
    /// In any order, any number of times.
    explicit CallSet(std::vector<std::string_view> names);

    [[nodiscard]] bool empty() const noexcept { return names_.empty(); }
    [[nodiscard]] bool has(std::string_view name) const noexcept;
    void add(const CallSet& others);
    void remove(const CallSet& others);
    [[nodiscard]] auto begin() const noexcept { return names_.begin(); }
    [[nodiscard]] auto end() const noexcept { return names_.end(); }

  private:
    std::vector<std::string_view> names_;
};

/// The system calls of "@mount", those of the groups in it included; nothing if there is no such
/// group.
[[nodiscard]] std::optional<CallSet> find_seccomp_group(std::string_view name);

/// Every system call that a word may name.
[[nodiscard]] CallSet known_calls();

} // namespace coracle::sandbox
