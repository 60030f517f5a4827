#include "nearest_private.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace coracle::sandbox {

namespace {

/// Letters to add, remove or replace (Levenshtein).
std::size_t distance_of(std::string_view left, std::string_view right) {
    std::vector<std::size_t> row(right.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < left.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i + 1;
        for (std::size_t j = 0; j < right.size(); ++j) {
            const std::size_t replaced = diagonal + (left[i] == right[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
        }
    }
    return row.back();
}

} // namespace

std::string find_nearest(std::string_view word, const std::set<std::string>& candidates) {
    constexpr std::size_t longest = 64; // no name is; more would only take time
    std::size_t best = 1 + std::min(word.size(), longest) / 3;
    std::string nearest;
    if (word.size() > longest) {
        return nearest;
    }
    for (const std::string& candidate : candidates) {
        const std::size_t distance = distance_of(word, candidate);
        if (distance < best || (distance == best && nearest.empty())) {
            best = distance;
            nearest = candidate;
        }
    }
    return nearest;
}

} // namespace coracle::sandbox
