#include "coracle/base/text.h"
#include "init_private.h"

#include <climits>
#include <optional>
#include <string_view>

/// The private copy's entry: argv[0] names the role, argv[1] is the number of the channel to the
/// parent. Runs in: init; joiner.
int main(int argc, char** argv) {
    std::optional<std::uint64_t> channel =
        argc == 2 ? coracle::parse_unsigned(argv[1], INT_MAX) : std::nullopt;
    if (!channel) {
        return 2; // not started by coracle
    }
    if (std::string_view(argv[0]) == "coracle-exec") {
        coracle::launch::run_joiner(static_cast<int>(*channel));
    }
    coracle::launch::run_init(static_cast<int>(*channel));
}
