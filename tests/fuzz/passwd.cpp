#include "coracle/base/passwd.h"
#include "fuzz/fuzz.h"

#include <algorithm>
#include <cstring>

/// A passwd file, of the host or a container, after four bytes of the uid that is looked for.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace coracle;
    std::uint32_t uid = 0;
    std::memcpy(&uid, data, std::min(size, sizeof uid));
    const std::size_t start = std::min(size, sizeof uid);
    const std::string passwd = test::to_text(data + start, size - start);
    const std::optional<PasswdEntry> entry = find_passwd_entry(passwd, uid);
    if (entry) {
        test::require(entry->name.find_first_of(":\n") == std::string::npos);
        test::require(entry->home.find_first_of(":\n") == std::string::npos);
        test::require(passwd.find(":" + std::string(entry->home) + ":") != std::string::npos);
    }
    return 0;
}
