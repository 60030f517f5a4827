#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace coracle {

/// What coracle asks a passwd(5) file for. The views are into its text.
struct PasswdEntry {
    std::string_view name;
    std::string_view home;
};
/// The first user with that uid in the text of a passwd file, which may be hostile; lines that do
/// not have seven fields are left out. Source: passwd(5).
[[nodiscard]] std::optional<PasswdEntry> find_passwd_entry(std::string_view passwd,
                                                           std::uint32_t uid);

} // namespace coracle
