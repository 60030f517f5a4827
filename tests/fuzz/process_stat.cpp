#include "coracle/sys/procfs.h"
#include "fuzz/fuzz.h"

/// The text of /proc/PID/stat, in which the process has chosen its own name.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace coracle;
    const std::string text = test::to_text(data, size);
    const std::optional<sys::ProcessStat> stat = sys::parse_process_stat(text);
    if (stat) {
        // Whatever stands in the name, what comes after it decides.
        const std::string renamed = "1 (x) R 1 (" + text.substr(text.rfind(')'));
        const std::optional<sys::ProcessStat> again = sys::parse_process_stat(renamed);
        test::require(again && again->state == stat->state &&
                      again->start_time == stat->start_time);
    }
    return 0;
}
