#include "fuzz/fuzz.h"
#include "sandbox/profile_private.h"

/// A profile of a sandbox. One that is taken is written so that it is read as the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace coracle;
    test::run_expecting_errors([&] {
        std::vector<std::string> problems;
        sandbox::Profile profile;
        sandbox::ProfileText read =
            sandbox::parse_profile(test::to_text(data, size), "f.yaml", "/d", problems);
        for (const std::string& problem : problems) {
            test::require(problem.starts_with("f.yaml:"));
            test::require(problem.find('\n') == std::string::npos);
        }
        if (!problems.empty()) {
            return;
        }
        profile.description = read.description;
        profile.statements = read.statements;
        const std::string text = sandbox::write_profile(profile);
        read = sandbox::parse_profile(text, "f.yaml", "/d", problems);
        test::require(problems.empty());
        profile.description = read.description;
        profile.statements = read.statements;
        test::require(sandbox::write_profile(profile) == text);
    });
    return 0;
}
