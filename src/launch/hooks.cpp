#include "hooks_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/process.h"
#include "coracle/sys/program.h"

#include <sys/wait.h>

namespace coracle::launch {

namespace {

/// The last line that is not empty, in parentheses.
std::string quote_last_line(const std::string& output) {
    constexpr std::size_t longest = 200;
    std::size_t end = output.find_last_not_of(" \t\r\n");
    if (end == std::string::npos) {
        return {};
    }
    std::size_t begin = output.rfind('\n', end);
    begin = begin == std::string::npos ? 0 : begin + 1;
    std::string line = output.substr(begin, end + 1 - begin);
    return " (its last words: " + printable(line.substr(0, longest)) + ")";
}

void run_hook(const plan::Hook& hook, const HookSurroundings& surroundings,
              const std::string& state) {
    sys::ProgramCall call;
    call.path = hook.path;
    call.argv = hook.args;
    call.environment = hook.env;
    call.input = state;
    call.directory = surroundings.directory;
    call.output = surroundings.output;
    call.errors = surroundings.errors;
    if (hook.timeout_seconds) {
        call.limit = std::chrono::seconds(*hook.timeout_seconds);
    }
    std::string name = hook.name + " " + printable(hook.path) + ": ";
    sys::ProgramResult result = sys::run_program(call);
    if (result.exec_errnum != 0) {
        throw_system(result.exec_errnum, name + "execute the hook");
    }
    if (result.timed_out) {
        throw_error(ErrorKind::system, name + "the hook did not end within its timeout of " +
                                           std::to_string(*hook.timeout_seconds) +
                                           " seconds, and was killed" +
                                           quote_last_line(result.output));
    }
    if (result.status != 0) {
        throw_error(ErrorKind::system, name + "the hook " +
                                           sys::describe_wait_status(result.status) +
                                           quote_last_line(result.output));
    }
}

} // namespace

void run_hooks(const std::vector<plan::Hook>& hooks, const HookSurroundings& surroundings,
               const std::string& state) {
    for (const plan::Hook& hook : hooks) {
        run_hook(hook, surroundings, state);
    }
}

std::chrono::milliseconds patience_with(const std::vector<plan::Hook>& hooks,
                                        std::chrono::milliseconds otherwise) {
    constexpr std::chrono::milliseconds weeks =
        std::chrono::hours(3 * 7 * 24); // an int for poll(2)
    std::chrono::milliseconds sum = otherwise;
    for (const plan::Hook& hook : hooks) {
        if (!hook.timeout_seconds || sum >= weeks) {
            return weeks;
        }
        sum += std::chrono::seconds(*hook.timeout_seconds);
    }
    return std::min(sum, weeks);
}

} // namespace coracle::launch
