#include "support/catch.h"

#include "unit/plan/plan_support.h"

#include <cerrno>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <string>
#include <sys/resource.h>
#include <vector>

using namespace coracle;
using namespace coracle::test;

namespace {

constexpr std::uint64_t bit(unsigned number) {
    return std::uint64_t{1} << number;
}

std::string degradations_of(const plan::LaunchPlan& plan) {
    std::string text;
    for (const plan::Degradation& entry : plan.degradations) {
        text += entry.what + ": " + entry.why + "\n";
    }
    return text;
}

} // namespace

TEST_CASE("plan process: what the config says is what the plan says", "[plan]") {
    Case c = small_case();
    spec::Process& process = c.process();
    process.terminal = true;
    process.console_size = spec::Box{24, 80};
    process.args = {"sh", "-c", ""};
    process.env = {"A=1", "HOMES=x"};
    process.cwd = "/w";
    process.user.uid = 1;
    process.user.gid = 2;
    process.user.umask = 077;
    process.no_new_privileges = true;
    process.rlimits = {{"RLIMIT_NOFILE", 1024, 512}, {"RLIMIT_CORE", UINT64_MAX, 0}};
    process.oom_score_adj = -500;
    c.facts.ignored_signals = 0x1000;
    c.options.preserve_fds = 2;
    const plan::ProcessPlan plan = c.plan().init.process;
    CHECK(plan.terminal);
    CHECK(plan.terminal_height == 24);
    CHECK(plan.terminal_width == 80);
    CHECK(plan.args == process.args);
    CHECK(plan.env == process.env);
    CHECK(plan.set_home);
    CHECK(plan.cwd == "/w");
    CHECK(plan.uid == 1);
    CHECK(plan.gid == 2);
    CHECK(plan.umask == 077);
    CHECK(plan.no_new_privileges);
    CHECK(plan.last_capability == 40);
    REQUIRE(plan.rlimits.size() == 2);
    CHECK(plan.rlimits[0].resource == RLIMIT_NOFILE);
    CHECK(plan.rlimits[0].soft == 512);
    CHECK(plan.rlimits[0].hard == 1024);
    CHECK(plan.rlimits[1].hard == RLIM_INFINITY);
    CHECK(plan.oom_score_adj == -500);
    CHECK(plan.ignored_signals == 0x1000);
    CHECK(plan.preserve_fds == 2);
    CHECK(small_case().plan().init.process.umask == 022);
    CHECK_FALSE(small_case().plan().init.process.oom_score_adj);
}

TEST_CASE("plan process: HOME is looked up only if env does not have it", "[plan]") {
    Case c = small_case();
    c.process().env = {"PATH=/bin", "HOME=/h"};
    CHECK_FALSE(c.plan().init.process.set_home);
    c.process().env = {"HOME="};
    CHECK_FALSE(c.plan().init.process.set_home);
    c.process().env = {"HOMEX=/h", "XHOME=/h"};
    CHECK(c.plan().init.process.set_home);
}

TEST_CASE("plan process: sockets passed on are announced as sd_listen_fds wants", "[plan]") {
    Case c = small_case();
    c.process().env = {"A=1"};
    c.options.preserve_fds = 1;
    c.options.listen_fds = 2;
    CHECK(c.plan().init.process.env ==
          std::vector<std::string>{"A=1", "LISTEN_FDS=2", "LISTEN_PID=1"});
    CHECK(c.plan().init.process.preserve_fds == 3);
    c.options.listen_fd_names = "a:b";
    CHECK(c.plan().init.process.env.back() == "LISTEN_FDNAMES=a:b");
}

TEST_CASE("plan groups: exactly those of the config where setgroups is allowed", "[plan]") {
    Case c = small_case();
    c.facts.groups = {4, 20};
    CHECK(c.plan().init.process.groups_method == plan::GroupsMethod::set);
    CHECK(c.plan().init.process.groups.empty());
    c.process().user.additional_gids = {5, 6};
    CHECK(c.plan().init.process.groups == std::vector<std::uint32_t>{5, 6});
    c.process().user.additional_gids = {6, 5, 6}; // each once, as the kernel keeps what it is given
    CHECK(c.plan().init.process.groups == std::vector<std::uint32_t>{6, 5});
    c.config.annotations["run.oci.keep_original_groups"] = "1";
    CHECK(c.plan().init.process.groups_method == plan::GroupsMethod::keep);
    c.config.annotations["run.oci.keep_original_groups"] = "true"; // only "1" is yes
    CHECK(c.plan().init.process.groups_method == plan::GroupsMethod::set);
    CHECK(c.plan().degradations.empty());
}

TEST_CASE("plan groups: kept and said where setgroups is denied", "[plan]") {
    Case c = small_case(rootless_bare());
    CHECK(c.plan().init.process.groups_method == plan::GroupsMethod::keep);
    CHECK(degradations_of(c.plan()).find("/process/user/additionalGids: the caller's") == 0);
    c.facts.groups = {1000}; // the own group is no surprise
    CHECK(c.plan().degradations.empty());
    c.facts.groups = {};
    CHECK(c.plan().degradations.empty());
    c.facts.groups = {27};
    c.config.annotations["run.oci.keep_original_groups"] = "1"; // asked for
    CHECK(c.plan().degradations.empty());
    CHECK(small_case(root_in_userns()).plan().init.process.groups_method ==
          plan::GroupsMethod::keep);
    // A privileged caller in a user namespace that allows setgroups.
    c = small_case(root_in_userns());
    c.facts.setgroups_allowed = true;
    c.process().user.additional_gids = {5};
    CHECK(c.plan().init.process.groups_method == plan::GroupsMethod::set);
}

TEST_CASE("plan oom score: lowered only with CAP_SYS_RESOURCE of the host", "[plan]") {
    struct Row {
        bool may_raise;
        std::int32_t own;
        std::int32_t wanted;
        std::int32_t planned;
    };
    for (const Row& row : std::vector<Row>{{true, 0, -1000, -1000},
                                           {false, 0, -1, 0},
                                           {false, 100, 100, 100},
                                           {false, 100, 99, 100},
                                           {false, 100, 1000, 1000},
                                           {false, -500, -501, -500}}) {
        INFO(row.wanted << " from " << row.own);
        Case c = small_case();
        c.facts.may_raise_limits = row.may_raise;
        c.facts.oom_score_adj = row.own;
        c.process().oom_score_adj = row.wanted;
        CHECK(c.plan().init.process.oom_score_adj == row.planned);
        CHECK(c.plan().degradations.size() == (row.planned == row.wanted ? 0U : 1U));
    }
}

TEST_CASE("plan capabilities: masks of the names, none without the member", "[plan]") {
    Case c = small_case();
    const plan::CapabilityPlan none = c.plan().init.process.capabilities.value();
    CHECK((none.bounding | none.effective | none.inheritable | none.permitted | none.ambient) == 0);
    spec::Capabilities& sets = c.process().capabilities.emplace();
    sets.bounding = {"CAP_CHOWN", "CAP_KILL", "CAP_SYS_ADMIN"};
    sets.permitted = {"CAP_CHOWN", "CAP_KILL"};
    sets.effective = {"CAP_CHOWN"};
    sets.inheritable = {"CAP_KILL"};
    sets.ambient = {"CAP_KILL"};
    const plan::CapabilityPlan plan = c.plan().init.process.capabilities.value();
    CHECK(plan.bounding == (bit(CAP_CHOWN) | bit(CAP_KILL) | bit(CAP_SYS_ADMIN)));
    CHECK(plan.permitted == (bit(CAP_CHOWN) | bit(CAP_KILL)));
    CHECK(plan.effective == bit(CAP_CHOWN));
    CHECK(plan.inheritable == bit(CAP_KILL));
    CHECK(plan.ambient == bit(CAP_KILL));
    CHECK(c.plan().degradations.empty());
}

TEST_CASE("plan capabilities: what cannot be had is left out and said", "[plan]") {
    Case c = small_case();
    spec::Capabilities& sets = c.process().capabilities.emplace();
    sets.bounding = {"CAP_CHOWN", "CAP_NEW_ONE", "CAP_CHECKPOINT_RESTORE"};
    c.facts.last_capability = 39; // a kernel before CAP_CHECKPOINT_RESTORE
    CHECK(c.plan().init.process.capabilities->bounding == bit(CAP_CHOWN));
    CHECK(degradations_of(c.plan()) ==
          "/process/capabilities/bounding: CAP_NEW_ONE is not a known capability\n"
          "/process/capabilities/bounding: CAP_CHECKPOINT_RESTORE is not in the caller's "
          "bounding set or not known to the kernel\n");
    c.facts.last_capability = 40;
    c.facts.bounding_capabilities = bit(CAP_KILL);
    CHECK(c.plan().init.process.capabilities->bounding == 0);

    // A new user namespace has them all, whatever the caller's bounding set.
    c = small_case(rootless_bare());
    c.facts.bounding_capabilities = 0;
    c.facts.groups.clear();
    c.process().capabilities.emplace().bounding = {"CAP_CHOWN"};
    CHECK(c.plan().init.process.capabilities->bounding == bit(CAP_CHOWN));
    CHECK(c.plan().degradations.empty());
}

TEST_CASE("plan capabilities: ambient only within permitted and inheritable", "[plan]") {
    Case c = small_case();
    spec::Capabilities& sets = c.process().capabilities.emplace();
    sets.bounding = {"CAP_CHOWN", "CAP_KILL", "CAP_FOWNER"};
    sets.permitted = {"CAP_CHOWN", "CAP_KILL"};
    sets.inheritable = {"CAP_KILL", "CAP_FOWNER"};
    sets.ambient = {"CAP_CHOWN", "CAP_KILL", "CAP_FOWNER"};
    CHECK(c.plan().init.process.capabilities->ambient == bit(CAP_KILL));
    CHECK(c.plan().degradations.size() == 1);
}

TEST_CASE("plan capabilities: effective within permitted, inheritable within bounding", "[plan]") {
    Case c = small_case();
    spec::Capabilities& sets = c.process().capabilities.emplace();
    sets.bounding = {"CAP_CHOWN"};
    sets.permitted = {"CAP_CHOWN"};
    sets.effective = {"CAP_CHOWN", "CAP_KILL"};
    sets.inheritable = {"CAP_CHOWN", "CAP_FOWNER"};
    CHECK(c.plan().init.process.capabilities->effective == bit(CAP_CHOWN));
    CHECK(c.plan().init.process.capabilities->inheritable == bit(CAP_CHOWN));
    REQUIRE(c.plan().degradations.size() == 2);
    CHECK(c.plan().degradations[0].what == "/process/capabilities/effective");
    CHECK(c.plan().degradations[1].what == "/process/capabilities/inheritable");
}

TEST_CASE("plan seccomp: actions with their errno, flags, rules in order", "[plan]") {
    Case c = small_case();
    CHECK_FALSE(c.plan().init.process.has_filter);
    spec::Seccomp& seccomp = c.linux_().seccomp.emplace();
    seccomp.default_action = "SCMP_ACT_ERRNO";
    seccomp.architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86"};
    seccomp.flags = {"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
                     "SECCOMP_FILTER_FLAG_TSYNC"};
    seccomp.syscalls.resize(4);
    seccomp.syscalls[0] = {{"read", "write"}, "SCMP_ACT_ALLOW", 7, {{1, 2, 3, "SCMP_CMP_EQ"}}};
    seccomp.syscalls[1] = {{"clone3"}, "SCMP_ACT_ERRNO", ENOSYS, {}};
    seccomp.syscalls[2] = {{"x"}, "SCMP_ACT_TRACE", std::nullopt, {}};
    seccomp.syscalls[3] = {{"y"}, "SCMP_ACT_KILL_PROCESS", 5, {}};
    const plan::LaunchPlan whole = c.plan();
    const plan::SeccompPlan& plan = whole.seccomp.value();
    CHECK(whole.init.process.has_filter);
    CHECK(whole.init.process.filter_flags == 7);
    CHECK(plan.default_action == (SECCOMP_RET_ERRNO | EPERM));
    CHECK(plan.architectures == seccomp.architectures);
    CHECK(plan.filter_flags == 7);
    REQUIRE(plan.rules.size() == 4);
    CHECK(plan.rules[0].names == std::vector<std::string>{"read", "write"});
    CHECK(plan.rules[0].action == SECCOMP_RET_ALLOW); // errnoRet means nothing to it
    REQUIRE(plan.rules[0].args.size() == 1);
    CHECK(plan.rules[0].args[0].index == 1);
    CHECK(plan.rules[0].args[0].value == 2);
    CHECK(plan.rules[0].args[0].value_two == 3);
    CHECK(plan.rules[0].args[0].op == "SCMP_CMP_EQ");
    CHECK(plan.rules[1].action == (SECCOMP_RET_ERRNO | ENOSYS));
    CHECK(plan.rules[2].action == (SECCOMP_RET_TRACE | EPERM));
    CHECK(plan.rules[3].action == SECCOMP_RET_KILL_PROCESS);
    seccomp.default_errno_ret = 0; // errno 0 is one
    CHECK(c.plan().seccomp->default_action == SECCOMP_RET_ERRNO);
}

TEST_CASE("plan describe: values of the environment stay out", "[plan]") {
    Case c = small_case();
    c.process().env = {"PASSWORD=hunter2", "A\nB=x"};
    const std::string text = plan::describe(c.plan());
    CHECK(text.find("PASSWORD") != std::string::npos);
    CHECK(text.find("hunter2") == std::string::npos);
    CHECK(text.find("A\nB") == std::string::npos);
}

TEST_CASE("plan process: without one, init waits with an id that is mapped", "[plan]") {
    Case c = small_case(rootless_bare());
    c.config.process.reset();
    c.linux_().uid_mappings = {{7, c.facts.euid, 1}};
    c.linux_().gid_mappings = {{8, c.facts.egid, 1}};
    const plan::ProcessPlan process = c.plan().init.process;
    CHECK(process.args.empty());
    CHECK(process.uid == 7);
    CHECK(process.gid == 8);
    CHECK(process.cwd == "/");
    CHECK(process.capabilities.value().bounding == 0);
}
