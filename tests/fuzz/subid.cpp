#include "coracle/host/id_ranges.h"
#include "fuzz/fuzz.h"

/// /etc/subuid, the answer of getsubids and nsswitch.conf.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace coracle;
    const std::string text = test::to_text(data, size);
    for (const std::vector<host::IdRange>& ranges :
         {host::parse_subid(text, "alice", 1000), host::parse_getsubids(text)}) {
        for (const host::IdRange& range : ranges) {
            test::require(range.count > 0);
            test::require(std::uint64_t{range.first} + range.count <= UINT32_MAX);
        }
    }
    (void)host::names_other_subid_source(text);
    return 0;
}
