#pragma once

#include "coracle/plan/launch_plan.h"
#include "coracle/spec/config.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

/// What a filter says, its rules read one by one. Pure.
namespace coracle::plan {

/// The filter of a configuration, which must have one. Throws: invalid_config, unsupported.
[[nodiscard]] SeccompPlan make_seccomp_plan(const spec::Config& config);

/// Whether an action keeps a call from happening: an error, or the end of its thread or process.
[[nodiscard]] bool is_refusal(std::uint32_t action) noexcept;

/// Whether some rule for `call` has conditions, so that the arguments decide.
[[nodiscard]] bool asks_for_arguments(const SeccompPlan& seccomp, std::string_view call);

/// The place in `rules` of the one that decides; nothing if the default action does. Comparisons of
/// one argument in one rule are alternatives, as runc reads them.
[[nodiscard]] std::optional<std::size_t> find_rule(const SeccompPlan& seccomp,
                                                   std::string_view call,
                                                   const std::array<std::uint64_t, 6>& arguments);

/// The same filter for one who wants to see what it refuses: what would fail or kill asks the
/// listener instead. As they are stay traps, whose siginfo_t no listener can give, and the calls
/// that init makes under the filter, since the listener is not heard yet.
/// Throws: unsupported, if the filter has an agent of its own.
[[nodiscard]] SeccompPlan make_explained(SeccompPlan seccomp);

} // namespace coracle::plan
