#include "coracle/spec/mount_options.h"
#include "coracle/base/text.h"
#include "fuzz/fuzz.h"

#include <algorithm>

/// Mount options, one a line.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace coracle;
    const std::string text = test::to_text(data, size);
    std::vector<std::string> words;
    for (const std::string_view word : split(text, '\n')) {
        words.emplace_back(word);
    }
    const spec::MountOptions options = spec::parse_mount_options(words);
    // No attribute is both set and cleared, but for the access time, whose mask is cleared.
    constexpr std::uint64_t access_time = 0x70;
    test::require((options.set_attributes & options.clear_attributes & ~access_time) == 0);
    test::require((options.recursive_set & options.recursive_clear & ~access_time) == 0);
    test::require(!options.recursive_bind || options.bind);
    test::require((options.superblock_flags & options.superblock_clear) == 0);
    const auto commas = std::count(text.begin(), text.end(), ',');
    test::require(options.data.size() <= words.size() + static_cast<std::size_t>(commas));
    const std::vector<std::string_view> known = spec::known_mount_options();
    for (const std::string& word : options.data) {
        test::require(!std::binary_search(known.begin(), known.end(), std::string_view(word)));
    }
    return 0;
}
