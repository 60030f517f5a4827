#include "coracle/host/detect.h"
#include "coracle/sys/procfs.h"
#include "support/forked.h"
#include "unit/sys/sys_support.h"

#include <sys/stat.h>

using namespace coracle;
using namespace coracle::test;
using host::Facts;

namespace {

struct Parsed {
    Facts facts;
    std::uint64_t effective = 0;
};

Parsed parse(const std::string& text) {
    Parsed parsed;
    host::parse_status(text, parsed.facts, parsed.effective);
    return parsed;
}

} // namespace

TEST_CASE("status: groups, sets and ignored signals", "[host]") {
    const Parsed parsed = parse("Name:\tcoracle\n"
                                "Umask:\t0022\n"
                                "State:\tR (running)\n"
                                "Uid:\t1000\t1000\t1000\t1000\n"
                                "Groups:\t4 24 27 1000 4294967294 \n"
                                "SigBlk:\t0000000000010000\n"
                                "SigIgn:\t0000000000001001\n"
                                "CapInh:\t0000000800000000\n"
                                "CapPrm:\t00000000000000ff\n"
                                "CapEff:\t00000000a80425fb\n"
                                "CapBnd:\t000001ffffffffff\n"
                                "CapAmb:\t0000000000000000\n");
    CHECK(parsed.facts.groups == std::vector<std::uint32_t>{4, 24, 27, 1000, 4294967294});
    CHECK(parsed.facts.ignored_signals == 0x1001);
    CHECK(parsed.effective == 0xa80425fb);
    CHECK(parsed.facts.bounding_capabilities == 0x1ffffffffff);
}

TEST_CASE("status: what is missing or odd stays at its default", "[host]") {
    for (const char* text : {"", "\n\n", "Groups", "Groups:", "Groups:\t\n", "CapEff:\n",
                             "CapEffX:\t1\nXCapEff:\t1\n", "capeff:\tff\n", ":\t1\n"}) {
        INFO(text);
        const Parsed parsed = parse(text);
        CHECK(parsed.facts.groups.empty());
        CHECK(parsed.effective == 0);
        CHECK(parsed.facts.bounding_capabilities == 0);
        CHECK(parsed.facts.ignored_signals == 0);
    }
    CHECK(parse("Groups:\t1 x 2 -3 4294967296 5\n").facts.groups ==
          std::vector<std::uint32_t>{1, 2, 5});
    CHECK(parse("CapEff:\t0000000000000003").effective == 3); // no newline at the end
    CHECK(parse("CapEff:\tffffffffffffffff\n").effective == UINT64_MAX);
}

TEST_CASE("facts: of a child that has made itself root of a user namespace", "[host]") {
    const sys::Fd proc = sys::open_proc();
    const auto describe = [&]() -> std::string {
        const Facts facts = host::detect_facts(proc.get());
        return std::to_string(facts.euid) + ":" + std::to_string(facts.egid) +
               (facts.privileged ? " privileged" : " plain") +
               (facts.initial_user_namespace ? " initial" : " inner") +
               (facts.setgroups_allowed ? " setgroups" : " denied") +
               (facts.may_raise_limits ? " raise" : " keep");
    };
    check_unless_skipped(run_in_user_namespace(0, describe), "0:0 privileged inner denied keep");
    // Every capability, but not the id 0.
    check_unless_skipped(run_in_user_namespace(1000, describe),
                         "1000:1000 plain inner denied keep");
}

TEST_CASE("facts: of this process", "[host]") {
    const sys::Fd proc = sys::open_proc();
    const Facts facts = host::detect_facts(proc.get());
    CHECK(facts.euid == ::geteuid());
    CHECK(facts.egid == ::getegid());
    CHECK(host::effective_uid() == ::geteuid());
    CHECK(host::effective_gid() == ::getegid());
    CHECK(facts.last_capability >= 37);
    CHECK(facts.last_capability < 64);
    CHECK(static_cast<int>(facts.groups.size()) == ::getgroups(0, nullptr));
    CHECK(facts.initial_user_namespace == host::in_initial_user_namespace());
    CHECK((facts.euid == 0 || !facts.privileged));
    CHECK(run_forked([&]() -> std::string {
              (void)::signal(SIGUSR1, SIG_IGN);
              std::ofstream("/proc/self/oom_score_adj") << "777" << std::flush;
              const Facts own = host::detect_facts(proc.get());
              const bool ignored = (own.ignored_signals >> (SIGUSR1 - 1) & 1U) != 0;
              return (ignored ? "ignored " : "- ") + std::to_string(own.oom_score_adj);
          }) == "ignored 777");
    CHECK_NOTHROW(host::require_not_privileged_by_file());
}

TEST_CASE("privilege by file: set-uid is refused with the cure", "[host]") {
    if (::geteuid() != 0) {
        WARN("skipped: changing the real uid needs root");
        return;
    }
    CHECK(run_forked([]() -> std::string {
              if (::setresuid(1000, 0, 0) != 0) {
                  return "setresuid";
              }
              host::require_not_privileged_by_file();
              return "allowed";
          }).find("error: coracle runs set-uid or set-gid: take the bits away with chmod") == 0);
    CHECK(run_forked([]() -> std::string {
              if (::setresgid(1000, 0, 0) != 0) {
                  return "setresgid";
              }
              host::require_not_privileged_by_file();
              return "allowed";
          }).find("error: coracle runs set-uid or set-gid") == 0);
}
