#include "coracle/spec/documents.h"
#include "fuzz/fuzz.h"

/// record.json. One that is read is written so that it is read as the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace coracle;
    test::run_expecting_errors([&] {
        const spec::Record record = spec::parse_record(test::to_text(data, size));
        const std::string text = spec::write_record(record);
        test::require(spec::write_record(spec::parse_record(text)) == text);
    });
    return 0;
}
