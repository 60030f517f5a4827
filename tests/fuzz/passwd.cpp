#include "fuzz/fuzz.h"
#include "launch/process_setup_private.h"

#include <algorithm>
#include <cstring>

/// A container's /etc/passwd, after four bytes of the uid that is looked for.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace coracle;
    std::uint32_t uid = 0;
    std::memcpy(&uid, data, std::min(size, sizeof uid));
    const std::size_t start = std::min(size, sizeof uid);
    const std::string passwd = test::to_text(data + start, size - start);
    const std::string home = launch::find_home(passwd, uid);
    test::require(home.find_first_of(":\n") == std::string::npos);
    test::require(home.empty() || passwd.find(":" + home + ":") != std::string::npos);
    return 0;
}
