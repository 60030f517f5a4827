#include "coracle/base/number_list.h"

#include "coracle/base/text.h"

#include <algorithm>

namespace coracle {

namespace {

constexpr std::uint32_t word_bits = 64;

std::string_view without_blanks(std::string_view text) noexcept {
    std::size_t first = std::min(text.find_first_not_of(' '), text.size());
    text.remove_prefix(first);
    return text.substr(0, text.find_last_not_of(' ') + 1);
}

struct Range {
    std::uint32_t first = 0;
    std::uint32_t last = 0;
};

std::optional<Range> parse_range(std::string_view text, std::uint32_t highest) {
    std::size_t dash = std::min(text.find('-'), text.size());
    std::optional<std::uint64_t> first =
        parse_unsigned(without_blanks(text.substr(0, dash)), highest);
    std::optional<std::uint64_t> last =
        dash == text.size() ? first
                            : parse_unsigned(without_blanks(text.substr(dash + 1)), highest);
    if (!first || !last || *last < *first) {
        return std::nullopt;
    }
    return Range{static_cast<std::uint32_t>(*first), static_cast<std::uint32_t>(*last)};
}

bool has(const std::vector<std::uint64_t>& mask, std::uint64_t number) noexcept {
    std::uint64_t word = number / word_bits;
    return word < mask.size() && (mask[word] >> (number % word_bits) & 1U) != 0;
}

} // namespace

std::optional<std::vector<std::uint64_t>> parse_number_list(std::string_view text,
                                                            std::uint32_t highest) {
    std::vector<std::uint64_t> mask;
    if (without_blanks(text).empty()) {
        return mask;
    }
    for (std::string_view part : split(text, ',')) {
        std::optional<Range> range = parse_range(part, highest);
        if (!range) {
            return std::nullopt;
        }
        mask.resize(std::max<std::size_t>(mask.size(), range->last / word_bits + 1));
        for (std::uint32_t number = range->first; number <= range->last; ++number) {
            mask[number / word_bits] |= std::uint64_t{1} << (number % word_bits);
        }
    }
    return mask;
}

std::string write_number_list(const std::vector<std::uint64_t>& mask) {
    std::string text;
    std::uint64_t end = mask.size() * word_bits;
    for (std::uint64_t number = 0; number < end; ++number) {
        if (!has(mask, number)) {
            continue;
        }
        std::uint64_t last = number;
        while (has(mask, last + 1)) {
            ++last;
        }
        text += (text.empty() ? "" : ",") + std::to_string(number);
        text += last == number ? "" : "-" + std::to_string(last);
        number = last;
    }
    return text;
}

} // namespace coracle
