#pragma once

#include <exception>
#include <string>
#include <utility>

namespace coracle {

/// What sort of failure it is; decides the exit code and is what tests ask for.
enum class ErrorKind {
    usage,          ///< the command line is wrong
    invalid_config, ///< config.json, the bundle or a state file breaks the rules
    not_found,      ///< the named container does not exist
    wrong_state,    ///< the container exists but is not in a state that allows the verb
    unsupported,    ///< valid, but not available in this build, on this host or with this privilege
    denied,         ///< refused for the sake of safety
    system,         ///< a system call failed
    not_executable, ///< the program of the container cannot be executed: the errno tells why
    internal,       ///< a broken promise between our own processes
};

/// The only exception type of coracle: one sentence, outermost context first, lower case, no full
/// stop, the object named.
class Error : public std::exception {
  public:
    Error(ErrorKind kind, std::string text, int errnum = 0)
        : kind_(kind), errnum_(errnum), text_(std::move(text)) {}

    [[nodiscard]] ErrorKind kind() const noexcept { return kind_; }
    /// The errno behind a `system` or `not_executable` error, else 0.
    [[nodiscard]] int errnum() const noexcept { return errnum_; }
    [[nodiscard]] const std::string& text() const noexcept { return text_; }
    [[nodiscard]] const char* what() const noexcept override { return text_.c_str(); }

    /// Puts `context` and ": " before the text.
    void prepend(const std::string& context) { text_ = context + ": " + text_; }
    /// Puts `why` in brackets behind the text; nothing if it is empty.
    void explain(const std::string& why) { text_ += why.empty() ? why : " (" + why + ")"; }

  private:
    ErrorKind kind_;
    int errnum_;
    std::string text_;
};

/// The kernel's own English words for `errnum`, never localised, with a small first letter: docker
/// takes "no such file or directory" for exit code 127 and "permission denied" for 126, not others.
/// Source: strerrordesc_np(3); docker/cli cli/command/container/run.go, runStartContainerErr.
[[nodiscard]] std::string describe_errno(int errnum);

/// Throws a `system` error "what: <words for errnum>", and " (why)" behind it if there is a `why`.
/// Pass errno saved on the line after the call.
[[noreturn]] void throw_system(int errnum, const std::string& what, const std::string& why = {});

/// Throws an error of `kind` with `text`.
[[noreturn]] void throw_error(ErrorKind kind, const std::string& text);

/// Runs `work`; an Error that leaves it carries `describe()` in front. Costs nothing on success.
template <class Describe, class Work>
decltype(auto) in_context(Describe&& describe, Work&& work) {
    try {
        return std::forward<Work>(work)();
    } catch (Error& error) { // catch: adds context, rethrows
        error.prepend(std::forward<Describe>(describe)());
        throw;
    }
}

} // namespace coracle
