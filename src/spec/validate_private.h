#pragma once

#include "coracle/spec/config.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

/// The parts of validate, one file per area of the runtime-spec.
namespace coracle::spec {

/// (uid_t)-1 and (gid_t)-1 mean "leave unchanged" to the kernel. Source: setresuid(2).
inline constexpr std::uint32_t no_id = std::numeric_limits<std::uint32_t>::max();

/// Throws invalid_config "config.json: POINTER: text".
[[noreturn]] void refuse(const std::string& pointer, const std::string& text);

/// "POINTER/index", for a JSON pointer.
[[nodiscard]] std::string element(const std::string& pointer, std::size_t index);

/// "\"word\"", fit to stand in a message.
[[nodiscard]] std::string quote(std::string_view word);

[[nodiscard]] bool contains(const std::vector<std::string_view>& words,
                            std::string_view word) noexcept;
[[nodiscard]] bool is_absolute(std::string_view path) noexcept;
[[nodiscard]] bool has_namespace(const Config& config, std::string_view type) noexcept;

/// Refuses unless `word` is one of `words`.
void require_word(const std::string& pointer, std::string_view word,
                  const std::vector<std::string_view>& words);
/// Refuses a path that does not start with '/'.
void require_absolute(const std::string& pointer, std::string_view path);
/// Refuses a text that would be more than one line for the kernel.
void require_one_line(const std::string& pointer, std::string_view text);
/// Refuses an entry that is not NAME=VALUE; the text never shows the value.
void require_environment(const std::string& pointer, const std::vector<std::string>& env);
/// Refuses a mapping that is empty, leaves 32 bits, or overlaps another on either side.
void require_id_mappings(const std::string& pointer, const std::vector<IdMapping>& mappings);

void validate_linux(const Linux& linux_section);
void validate_seccomp(const Seccomp& seccomp);

} // namespace coracle::spec
