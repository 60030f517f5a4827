#include "coracle/spec/stats.h"

#include "coracle/base/text.h"

#include <array>

namespace coracle::spec {

namespace {

std::vector<std::string_view> words_of(std::string_view line) {
    std::vector<std::string_view> words;
    for (const std::string_view word : split(line, ' ')) {
        if (!word.empty()) {
            words.push_back(word);
        }
    }
    return words;
}

/// "KEY=VALUE" of the words.
std::string_view value_of(const std::vector<std::string_view>& words, std::string_view key) {
    for (const std::string_view word : words) {
        if (word.size() > key.size() && word.starts_with(key) && word[key.size()] == '=') {
            return word.substr(key.size() + 1);
        }
    }
    return {};
}

/// A number with a point, and so fit for JSON as it is.
bool is_decimal(std::string_view text) {
    const std::size_t point = text.find('.');
    return point != std::string_view::npos && parse_unsigned(text.substr(0, point), 1000) &&
           parse_unsigned(text.substr(point + 1), 99);
}

} // namespace

PressureStats parse_pressure(const std::string& text) {
    PressureStats stats;
    for (const std::string_view line : split(text, '\n')) {
        const std::vector<std::string_view> words = words_of(line);
        if (words.empty() || (words[0] != "some" && words[0] != "full")) {
            continue;
        }
        Pressure pressure;
        pressure.avg10 = value_of(words, "avg10");
        pressure.avg60 = value_of(words, "avg60");
        pressure.avg300 = value_of(words, "avg300");
        pressure.total = parse_unsigned(value_of(words, "total"), UINT64_MAX).value_or(0);
        if (is_decimal(pressure.avg10) && is_decimal(pressure.avg60) &&
            is_decimal(pressure.avg300)) {
            (words[0] == "some" ? stats.some : stats.full) = pressure;
        }
    }
    return stats;
}

std::vector<BlockStats> parse_io_stat(const std::string& text) {
    std::vector<BlockStats> devices;
    for (const std::string_view line : split(text, '\n')) {
        const std::vector<std::string_view> words = words_of(line);
        const std::size_t colon = words.empty() ? std::string_view::npos : words[0].find(':');
        if (colon == std::string_view::npos) {
            continue;
        }
        const auto major = parse_unsigned(words[0].substr(0, colon), UINT32_MAX);
        const auto minor = parse_unsigned(words[0].substr(colon + 1), UINT32_MAX);
        if (!major || !minor) {
            continue;
        }
        BlockStats device{*major, *minor, {}};
        for (const char* key : {"rbytes", "wbytes", "rios", "wios", "dbytes", "dios"}) {
            if (const auto count = parse_unsigned(value_of(words, key), UINT64_MAX)) {
                device.counts[key] = *count;
            }
        }
        devices.push_back(std::move(device));
    }
    return devices;
}

std::vector<InterfaceStats> parse_interfaces(const std::string& text) {
    constexpr std::size_t columns = 16;
    std::vector<InterfaceStats> interfaces;
    for (const std::string_view line : split(text, '\n')) {
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos) {
            continue; // the two lines of headings
        }
        const std::vector<std::string_view> name = words_of(line.substr(0, colon));
        const std::vector<std::string_view> words = words_of(line.substr(colon + 1));
        if (name.size() != 1 || name[0] == "lo" || words.size() < columns) {
            continue;
        }
        std::array<std::uint64_t, columns> counts{};
        for (std::size_t i = 0; i < columns; ++i) {
            counts.at(i) = parse_unsigned(words[i], UINT64_MAX).value_or(0);
        }
        interfaces.push_back({std::string(name[0]), counts[0], counts[1], counts[2], counts[3],
                              counts[8], counts[9], counts[10], counts[11]});
    }
    return interfaces;
}

} // namespace coracle::spec
