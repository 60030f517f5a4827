#include "coracle/base/error.h"
#include "coracle/sandbox/seccomp_profiles.h"
#include "coracle/spec/config_writer.h"
#include "sandbox/nearest_private.h"
#include "support/catch.h"

#include <set>
#include <string>

using namespace coracle;

namespace {

std::string refusal_of(const std::string& text) {
    try {
        (void)sandbox::compose_seccomp(text);
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::usage);
        return error.text();
    }
    return "nothing";
}

std::string document_of(const std::string& text) {
    return spec::write_seccomp_document(sandbox::compose_seccomp(text));
}

/// FNV-1a.
std::uint64_t fingerprint_of(const std::string& text) {
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (char character : document_of(text)) {
        hash = (hash ^ static_cast<unsigned char>(character)) * 0x100000001b3U;
    }
    return hash;
}

} // namespace

TEST_CASE("seccomp words: a wrong one is named, with the nearest that there is", "[sandbox]") {
    CHECK(refusal_of("default,+mont") == "no system call 'mont', did you mean 'mount'?");
    CHECK(refusal_of("default,-@file-sytem") ==
          "no group '@file-sytem', did you mean '@file-system'?");
    CHECK(refusal_of("defualt") == "no profile 'defualt', did you mean 'default'?");
    CHECK(refusal_of("strict-9") == "no profile 'strict-9', did you mean 'strict-1'?");
    CHECK(refusal_of("+perf_event_oben,-x") ==
          "no system call 'perf_event_oben', did you mean 'perf_event_open'?");
    CHECK(refusal_of("default,+zzzzzzzzzzzz") == "no system call 'zzzzzzzzzzzz'");
    CHECK(refusal_of("default,ptrace") ==
          "'ptrace': + or - must stand before each word but the first");
    CHECK(refusal_of("ptrace") ==
          "'ptrace' is no profile: put + before it to allow it, - to refuse it");
    CHECK(refusal_of("default,") == "'': + or - must stand before each word but the first");
    CHECK(refusal_of("") == "no profile ''");
    CHECK(refusal_of("default,+") == "no system call ''");
    CHECK(refusal_of("default, +ptrace") ==
          "' +ptrace': + or - must stand before each word but the first");
    CHECK(refusal_of("default,+" + std::string(100000, 'x')).size() < 400);
}

TEST_CASE("seccomp words: near is what few letters lead to", "[sandbox]") {
    const std::set<std::string> words{"mount", "umount", "read"};
    CHECK(sandbox::find_nearest("mount", words) == "mount");
    CHECK(sandbox::find_nearest("mounts", words) == "mount");
    CHECK(sandbox::find_nearest("raed", words) == "read");
    CHECK(sandbox::find_nearest("write", words).empty());
}

TEST_CASE("seccomp words: the newest version is what its name alone gives", "[sandbox]") {
    CHECK(document_of("default") == document_of("default-1"));
    CHECK(document_of("strict") == document_of("strict-1"));
    CHECK(document_of("+@mount") == document_of("default,+@mount"));
    CHECK(document_of("default,+bpf,-bpf") == document_of("default"));
    CHECK(document_of("default,-clone") != document_of("default"));
    CHECK(sandbox::seccomp_profiles().front().name == "default-1");
}

TEST_CASE("seccomp words: a call is in one rule, or in several with conditions", "[sandbox]") {
    for (const char* text :
         {"default", "strict", "default,+@system-service,-@mount,+clone", "none"}) {
        std::set<std::string> seen;
        for (const spec::SeccompSyscall& rule : sandbox::compose_seccomp(text).syscalls) {
            for (const std::string& name : rule.names) {
                INFO(text << ": " << name);
                CHECK((!rule.args.empty() || seen.insert(name).second));
            }
        }
    }
}

#if defined(__x86_64__)
TEST_CASE("seccomp words: a version does not change", "[sandbox]") {
    // Only for a system call that is newer than the version these may become others.
    CHECK(fingerprint_of("default-1") == 0xf6ccb0dfe2a549a6U);
    CHECK(fingerprint_of("strict-1") == 0x9731219c72e0eed6U);
}
#endif
