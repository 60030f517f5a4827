#include "fuzz/fuzz.h"
#include "launch/protocol_private.h"

#include <algorithm>
#include <memory>

/// A message between two processes of ours. One that is decoded is encoded so that it is decoded as
/// the same; anything else is an internal error.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace coracle;
    // Memory that ends where the data ends: what is read beyond it is seen.
    const std::unique_ptr<std::uint8_t[]> copy(new std::uint8_t[size]);
    std::copy(data, data + size, copy.get());
    test::run_expecting_errors([&] {
        const launch::Message message = launch::decode({copy.get(), size});
        const std::vector<std::uint8_t> bytes = launch::encode(message);
        test::require(bytes.size() == size);
        test::require(launch::encode(launch::decode(bytes)) == bytes);
        test::require(launch::name_of(message) != nullptr);
    });
    return 0;
}
