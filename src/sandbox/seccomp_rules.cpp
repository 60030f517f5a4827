#include "seccomp_rules_private.h"

#include <cerrno>
#include <sys/socket.h>

namespace coracle::sandbox {

namespace {

spec::SeccompArg make_equal(std::uint32_t index, std::uint64_t value) {
    return {index, value, 0, "SCMP_CMP_EQ"};
}

spec::SeccompArg make_masked(std::uint32_t index, std::uint64_t mask, std::uint64_t value) {
    return {index, mask, value, "SCMP_CMP_MASKED_EQ"};
}

spec::SeccompSyscall make_allow(const char* call, std::vector<spec::SeccompArg> args) {
    return {{call}, "SCMP_ACT_ALLOW", std::nullopt, std::move(args)};
}

spec::SeccompSyscall make_not_implemented(const char* call) {
    return {{call}, "SCMP_ACT_ERRNO", ENOSYS, {}};
}

constexpr const char* netlink_call = "socket";

/// The kernel takes an int, so a value is compared whole: one with high bits set is none of these.
/// Source: net/socket.c, __sys_socket.
void add_netlink(std::vector<spec::SeccompSyscall>& rules) {
    // Protocols 0 to 31 without NETLINK_XFRM (6), as ranges that a mask can name.
    struct Range {
        std::uint64_t first;
        std::uint64_t size; ///< a power of two
    };
    for (Range range : {Range{0, 4}, Range{4, 2}, Range{7, 1}, Range{8, 8}, Range{16, 16}}) {
        rules.push_back(make_allow(netlink_call, {make_equal(0, AF_NETLINK),
                                                  make_masked(2, ~(range.size - 1), range.first)}));
    }
}

} // namespace

std::vector<spec::SeccompSyscall> make_clone_rules() {
    // CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET; NEWTIME is clone3's.
    // A filter cannot look into the struct of clone3, and with ENOSYS a C library takes clone.
    constexpr std::uint64_t new_namespaces = 0x7e020000;
#if defined(__s390__) || defined(__CRIS__)
    constexpr std::uint32_t flags = 1; // CONFIG_CLONE_BACKWARDS2: clone(2)
#else
    constexpr std::uint32_t flags = 0;
#endif
    return {make_allow("clone", {make_masked(flags, new_namespaces, 0)}),
            make_not_implemented("clone3")};
}

std::vector<spec::SeccompSyscall> make_personality_rules() {
    // PER_LINUX, PER_LINUX32, UNAME26, both; and the question. Without ADDR_NO_RANDOMIZE.
    std::vector<spec::SeccompSyscall> rules;
    for (std::uint64_t value : {0x0U, 0x8U, 0x20000U, 0x20008U, 0xffffffffU}) {
        rules.push_back(make_allow("personality", {make_equal(0, value)}));
    }
    return rules;
}

std::vector<spec::SeccompSyscall> make_socket_rules(const std::vector<int>& families) {
    std::vector<spec::SeccompSyscall> rules;
    bool netlink = false;
    for (int family : families) {
        if (family == AF_NETLINK) {
            netlink = true;
        } else {
            rules.push_back(
                make_allow(netlink_call, {make_equal(0, static_cast<std::uint64_t>(family))}));
        }
    }
    if (netlink) {
        add_netlink(rules);
    }
    // Its arguments lie in memory, where a filter cannot look; i386 has had socket(2) and the
    // others as calls of their own since Linux 4.3.
    rules.push_back(make_not_implemented("socketcall"));
    return rules;
}

std::vector<spec::SeccompSyscall> make_ioctl_rules() {
    // Everything but TIOCSTI (0x5412) and TIOCLINUX (0x541c) in the low 32 bits, which are all that
    // the kernel looks at (CVE-2019-10063). There is no comparison "masked and not equal", so: one
    // bit differs from what the two have in common, or the last four bits are others.
    constexpr std::uint64_t common = 0x5410;
    constexpr std::uint64_t all_but_last = 0xfffffff0;
    struct Last {
        std::uint64_t mask;
        std::uint64_t value;
    };
    std::vector<spec::SeccompSyscall> rules;
    for (unsigned bit = 4; bit < 32; ++bit) {
        const std::uint64_t mask = std::uint64_t{1} << bit;
        rules.push_back(make_allow("ioctl", {make_masked(1, mask, ~common & mask)}));
    }
    // Not 0010 and not 1100: ...1, 0.00, .000, .110, 10.0
    for (Last last : {Last{1, 1}, Last{0xb, 0}, Last{7, 0}, Last{7, 6}, Last{0xd, 8}}) {
        rules.push_back(
            make_allow("ioctl", {make_masked(1, all_but_last | last.mask, common | last.value)}));
    }
    return rules;
}

} // namespace coracle::sandbox
