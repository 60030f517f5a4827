#include "filter_store_private.h"

#include "coracle/base/error.h"
#include "coracle/base/log.h"
#include "coracle/host/detect.h"
#include "coracle/security/seccomp.h"
#include "coracle/sys/directory.h"
#include "coracle/sys/fd.h"
#include "coracle/sys/file.h"
#include "coracle/sys/program.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <utility>

namespace coracle::container {

namespace {

using sys::Fd;

constexpr const char* store_name = ".filters";
/// Of the files in the store: changed with the layout below.
constexpr std::string_view magic = "coracle filter 1";
/// The largest program has 32 KiB; a larger key is of no profile that anybody uses twice.
constexpr std::size_t max_file_bytes = std::size_t{256} << 10;
constexpr std::size_t max_files = 32;

/// Source: draft-eastlake-fnv, FNV-1a of 64 bits. It finds damage and a file, it proves nothing.
std::uint64_t hash_of(std::string_view bytes) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char byte : bytes) {
        hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
    }
    return hash;
}

/// Each value with its length, so that no two inputs give the same text.
class Key {
  public:
    void add(std::uint64_t number) {
        std::array<char, sizeof(number)> bytes{};
        std::memcpy(bytes.data(), &number, sizeof(number));
        text_.append(bytes.data(), bytes.size());
    }
    void add(std::string_view text) {
        add(text.size());
        text_ += text;
    }
    [[nodiscard]] std::string take() { return std::move(text_); }

  private:
    std::string text_;
};

/// All that security::compile_seccomp reads, this program and the kernel included, which says what
/// actions there are. Empty: this program cannot be told from another build of it.
std::string make_key(const plan::SeccompPlan& seccomp) {
    const std::string build = sys::own_build_id();
    struct utsname kernel {};
    if (build.empty() || ::uname(&kernel) != 0) {
        return "";
    }
    Key key;
    key.add(build);
    key.add(security::libseccomp_version());
    for (const char* text : {kernel.release, kernel.version, kernel.machine}) {
        key.add(std::string_view(text));
    }
    key.add(seccomp.default_action);
    key.add(seccomp.filter_flags);
    key.add(static_cast<std::uint64_t>(seccomp.fail_unknown_calls));
    key.add(static_cast<std::uint64_t>(seccomp.listener.has_value()));
    key.add(seccomp.architectures.size());
    for (const std::string& name : seccomp.architectures) {
        key.add(name);
    }
    key.add(seccomp.rules.size());
    for (const plan::SeccompRule& rule : seccomp.rules) {
        key.add(rule.action);
        key.add(rule.names.size());
        for (const std::string& name : rule.names) {
            key.add(name);
        }
        key.add(rule.args.size());
        for (const plan::SeccompArgument& argument : rule.args) {
            key.add(argument.index);
            key.add(argument.op);
            key.add(argument.value);
            key.add(argument.value_two);
        }
    }
    return key.take();
}

/// What stands in a file before the program: with the same key, the same bytes.
std::string make_head(const std::string& key) {
    Key head;
    head.add(magic);
    head.add(key);
    return head.take();
}

/// Nothing of another user's, and nothing that another could have changed.
bool is_own(int fd, mode_t kind) {
    const struct stat status = sys::stat_of(fd, store_name);
    return (status.st_mode & S_IFMT) == kind && status.st_uid == host::effective_uid() &&
           (status.st_mode & (S_IRWXG | S_IRWXO)) == 0;
}

enum class Missing { make, is_none };

/// Empty if there is none that may be used.
Fd open_store(int root_fd, Missing missing) {
    constexpr int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
    Fd store;
    int errnum = sys::try_open_at(root_fd, store_name, flags, 0, store);
    if (errnum == ENOENT && missing == Missing::make) {
        (void)sys::try_make_directory(root_fd, store_name, 0700); // another may be faster
        errnum = sys::try_open_at(root_fd, store_name, flags, 0, store);
    }
    if (errnum != 0 || !is_own(store.get(), S_IFDIR)) {
        store.reset();
    }
    return store;
}

std::optional<std::vector<std::uint8_t>> find_program(int store, const std::string& name,
                                                      const std::string& head) {
    Fd file;
    constexpr int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    if (sys::try_open_at(store, name, flags, 0, file) != 0 || !is_own(file.get(), S_IFREG)) {
        return std::nullopt;
    }
    const std::string text = sys::read_all(file.get(), max_file_bytes, name);
    std::uint64_t sum = 0;
    if (text.size() <= head.size() + sizeof(sum) || !text.starts_with(head)) {
        return std::nullopt;
    }
    const std::size_t end = text.size() - sizeof(sum);
    std::memcpy(&sum, text.data() + end, sizeof(sum));
    if (sum != hash_of(std::string_view(text).substr(0, end))) {
        return std::nullopt;
    }
    return std::vector<std::uint8_t>(text.begin() + static_cast<std::ptrdiff_t>(head.size()),
                                     text.begin() + static_cast<std::ptrdiff_t>(end));
}

/// The oldest go first. What cannot be removed stays, and then nothing is added.
bool make_room(int store) {
    std::vector<std::pair<std::int64_t, std::string>> files;
    for (std::string& name : sys::list_directory(store)) {
        if (const std::optional<struct stat> status = sys::find_stat(store, name)) {
            files.emplace_back(status->st_mtim.tv_sec, std::move(name));
        }
    }
    std::sort(files.begin(), files.end());
    std::size_t left = files.size();
    for (const auto& [time, name] : files) {
        if (left < max_files) {
            break;
        }
        const int errnum = sys::try_unlink(store, name, 0);
        left -= errnum == 0 || errnum == ENOENT ? 1 : 0;
    }
    return left < max_files;
}

void keep_program(int root_fd, const std::string& name, std::string head,
                  const std::vector<std::uint8_t>& program) {
    std::string text = std::move(head);
    text.append(program.begin(), program.end());
    const std::uint64_t sum = hash_of(text);
    std::array<char, sizeof(sum)> bytes{};
    std::memcpy(bytes.data(), &sum, sizeof(sum));
    text.append(bytes.data(), bytes.size());
    const Fd store = open_store(root_fd, Missing::make);
    const bool kept = store && text.size() <= max_file_bytes && make_room(store.get()) &&
                      sys::try_place_file(store.get(), name, text, 0600);
    if (!kept) {
        log::debug("the compiled seccomp filter is not kept: .filters of the state root does not "
                   "take it");
    }
}

} // namespace

std::vector<std::uint8_t> compile_filter(int root_fd, const plan::SeccompPlan& seccomp) {
    const std::string key = make_key(seccomp);
    if (key.empty()) {
        return security::compile_seccomp(seccomp);
    }
    const std::string name = std::to_string(hash_of(key));
    std::string head = make_head(key);
    try {
        if (const Fd store = open_store(root_fd, Missing::is_none)) {
            if (std::optional<std::vector<std::uint8_t>> program =
                    find_program(store.get(), name, head)) {
                return std::move(*program);
            }
        }
    } catch (const Error& error) { // catch: it is compiled instead
        log::debug("kept seccomp filter: " + error.text());
    }
    std::vector<std::uint8_t> program = security::compile_seccomp(seccomp);
    try {
        keep_program(root_fd, name, std::move(head), program);
    } catch (const Error& error) { // catch: the next one compiles again
        log::debug("keep the compiled seccomp filter: " + error.text());
    }
    return program;
}

} // namespace coracle::container
