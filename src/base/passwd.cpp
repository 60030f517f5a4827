#include "coracle/base/passwd.h"

#include "coracle/base/text.h"

#include <vector>

namespace coracle {

std::optional<PasswdEntry> find_passwd_entry(std::string_view passwd, std::uint32_t uid) {
    constexpr std::size_t field_count = 7;
    for (std::string_view line : split(passwd, '\n')) {
        std::vector<std::string_view> fields = split(line, ':');
        if (fields.size() == field_count && parse_unsigned(fields[2], UINT32_MAX) == uid) {
            return PasswdEntry{fields[0], fields[5]};
        }
    }
    return std::nullopt;
}

} // namespace coracle
