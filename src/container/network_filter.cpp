#include "network_filter_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/launch/network_program.h"
#include "coracle/sys/process.h"

#include <chrono>

namespace coracle::container {

namespace {

/// nft(8) quotes the script below its words, and marks the place.
std::string first_line_of(const std::string& output) {
    for (std::string_view line : split(output, '\n')) {
        if (!line.empty()) {
            constexpr std::size_t longest = 500;
            return printable(line.substr(0, longest));
        }
    }
    return {};
}

} // namespace

void apply_network_filter(const sandbox::NetworkFilter& filter, pid_t init) {
    constexpr std::chrono::seconds limit{20};
    sys::ProgramCall call;
    call.path = filter.program;
    call.argv = {"nft", "-f", "-"};
    call.environment = {"LC_ALL=C"};
    call.input = filter.script;
    call.limit = limit;
    sys::ProgramResult result = launch::run_in_network(std::move(call), init);
    std::string cause;
    if (result.exec_errnum != 0) {
        cause = describe_errno(result.exec_errnum);
    } else if (result.timed_out) {
        cause = "it was not ready after 20 seconds";
    } else if (result.status != 0) {
        cause = first_line_of(result.output);
        bool is_ours = cause.find("syntax error") != std::string::npos;
        cause = cause.empty() ? "it " + sys::describe_wait_status(result.status)
                : is_ours     ? cause
                              : cause + " (the kernel needs nf_tables with inet, ct and reject: "
                                        "modprobe nf_tables nft_ct nft_reject_inet)";
    }
    if (!cause.empty()) {
        throw_error(ErrorKind::unsupported, "egress: " + printable(filter.program) + ": " + cause);
    }
}

} // namespace coracle::container
