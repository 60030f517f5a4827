#include "coracle/sys/mountinfo.h"
#include "fuzz/fuzz.h"

#include <algorithm>

/// The text of /proc/PID/mountinfo.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace coracle;
    const std::string text = test::to_text(data, size);
    const std::vector<sys::MountLine> lines = sys::parse_mountinfo(text);
    const auto ends = std::count(text.begin(), text.end(), '\n');
    test::require(lines.size() <= static_cast<std::size_t>(ends) + 1);
    std::size_t total = 0;
    for (const sys::MountLine& line : lines) {
        // The type is not decoded: a blank or a line's end would be another field's.
        test::require(line.type.find_first_of(" \n") == std::string::npos);
        total += line.point.size() + line.type.size();
    }
    test::require(total <= text.size()); // decoding only shortens
    return 0;
}
