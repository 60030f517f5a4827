#include "inspect_private.h"

#include "coracle/base/text.h"
#include "coracle/sys/access.h"
#include "coracle/sys/file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <string_view>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace coracle::launch {

namespace {

constexpr int max_interpreters = 4;            // as many as the kernel follows, or one less
constexpr std::size_t script_head_bytes = 256; // BINPRM_BUF_SIZE
constexpr std::size_t max_program_headers = 128;

#if defined(__x86_64__)
constexpr unsigned native_machine = EM_X86_64;
#elif defined(__aarch64__)
constexpr unsigned native_machine = EM_AARCH64;
#elif defined(__riscv)
constexpr unsigned native_machine = EM_RISCV;
#elif defined(__powerpc64__)
constexpr unsigned native_machine = EM_PPC64;
#elif defined(__s390x__)
constexpr unsigned native_machine = EM_S390;
#elif defined(__i386__)
constexpr unsigned native_machine = EM_386;
#elif defined(__arm__)
constexpr unsigned native_machine = EM_ARM;
#else
constexpr unsigned native_machine = EM_NONE;
#endif

std::string read_at(int fd, std::uint64_t offset, std::size_t size) {
    std::string data(size, '\0');
    ssize_t got =
        offset <= INT64_MAX ? ::pread(fd, data.data(), size, static_cast<off_t>(offset)) : -1;
    data.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return data;
}

std::string name_of_machine(unsigned machine) {
    struct Entry {
        unsigned number;
        const char* name;
    };
    constexpr std::array<Entry, 9> entries{{{EM_386, "i386"},
                                            {EM_X86_64, "x86_64"},
                                            {EM_ARM, "arm"},
                                            {EM_AARCH64, "aarch64"},
                                            {EM_PPC64, "ppc64"},
                                            {EM_S390, "s390"},
                                            {EM_RISCV, "riscv"},
                                            {EM_MIPS, "mips"},
                                            {258, "loongarch"}}};
    for (const Entry& entry : entries) {
        if (entry.number == machine) {
            return entry.name;
        }
    }
    return "ELF machine " + std::to_string(machine);
}

/// The fields of an ELF file that the kernel asks for, of either class and byte order.
class ElfFile {
  public:
    ElfFile(int fd, const std::string& head) : fd_(fd), head_(head) {}

    [[nodiscard]] bool is_whole() const { return head_.size() >= (is_64() ? 64U : 52U); }
    [[nodiscard]] bool is_64() const { return byte(EI_CLASS) == ELFCLASS64; }
    [[nodiscard]] unsigned type() const { return static_cast<unsigned>(field(head_, 16, 2)); }
    [[nodiscard]] unsigned machine() const { return static_cast<unsigned>(field(head_, 18, 2)); }

    /// PT_INTERP; "" if there is none.
    [[nodiscard]] std::string loader() const {
        std::uint64_t table = is_64() ? field(head_, 32, 8) : field(head_, 28, 4);
        std::size_t entry_size = is_64() ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
        std::size_t count = static_cast<std::size_t>(field(head_, is_64() ? 56 : 44, 2));
        count = std::min(count, max_program_headers);
        std::string headers = read_at(fd_, table, count * entry_size);
        for (std::size_t at = 0; at + entry_size <= headers.size(); at += entry_size) {
            if (field(headers, at, 4) != PT_INTERP) {
                continue;
            }
            std::uint64_t offset = is_64() ? field(headers, at + 8, 8) : field(headers, at + 4, 4);
            std::uint64_t size = is_64() ? field(headers, at + 32, 8) : field(headers, at + 16, 4);
            std::string path = read_at(
                fd_, offset, static_cast<std::size_t>(std::min<std::uint64_t>(size, PATH_MAX)));
            return path.substr(0, path.find('\0'));
        }
        return {};
    }

  private:
    [[nodiscard]] unsigned byte(std::size_t at) const {
        return at < head_.size() ? static_cast<unsigned char>(head_[at]) : 0U;
    }
    [[nodiscard]] std::uint64_t field(const std::string& data, std::size_t at,
                                      std::size_t size) const {
        std::uint64_t value = 0;
        bool little = byte(EI_DATA) != ELFDATA2MSB;
        for (std::size_t i = 0; i < size && at + size <= data.size(); ++i) {
            value =
                value << 8U | static_cast<unsigned char>(data[at + (little ? size - 1 - i : i)]);
        }
        return value;
    }

    int fd_;
    const std::string& head_;
};

std::string describe_elf(const ElfFile& file) {
    if (!file.is_whole()) {
        return "an ELF file that is cut short";
    }
    struct utsname host {};
    (void)::uname(&host);
    bool own_32_bit = native_machine == EM_X86_64 && file.machine() == EM_386;
    if (own_32_bit || (file.machine() == native_machine && !file.is_64())) {
        return "a 32-bit program, which this kernel is told or built not to run (ia32_emulation)";
    }
    if (file.machine() != native_machine) {
        return "a program for " + name_of_machine(file.machine()) + ", and this host is " +
               static_cast<const char*>(host.machine) +
               ": use an image for that, or an emulator with binfmt_misc";
    }
    if (file.type() != ET_EXEC && file.type() != ET_DYN) {
        return "an ELF file that is no program, such as an object file or a core dump";
    }
    return "a damaged ELF file";
}

/// What a file is that the kernel has no format for.
std::string describe_format(const std::string& path, const std::string& head) {
    constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
    std::string_view text = head;
    if (text.empty()) {
        return "an empty file";
    }
    if (text.starts_with("MZ")) {
        return "a program for Windows";
    }
    if (text.starts_with("\xcf\xfa\xed\xfe") || text.starts_with("\xca\xfe\xba\xbe")) {
        return "a program for macOS, or of Java";
    }
    if (text.starts_with(std::string_view("\0asm", 4))) {
        return "WebAssembly, which this build does not run";
    }
    if (text.starts_with(byte_order_mark)) {
        return "text with a byte order mark before its first line: take that away";
    }
    if (text.find('\0') == std::string_view::npos) {
        return "text without #! in its first line: begin it with #!/bin/sh, or make the program "
               "\"/bin/sh\", \"" +
               printable(path) + "\"";
    }
    return "no program of a format that this kernel knows";
}

std::string inspect(const std::string& path, int errnum, int depth);

/// `what` names the role of `path`: "its interpreter", "its ELF loader".
std::string explain_needed(const char* what, const std::string& path, int errnum, int depth) {
    std::string text = std::string(what) + " " + printable(path);
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0 && errno == ENOENT) {
        std::string why = sys::explain_path(ENOENT, AT_FDCWD, path, X_OK);
        return text + " does not exist in the container" + (why.empty() ? "" : ": " + why);
    }
    std::string why = depth < max_interpreters ? inspect(path, errnum, depth + 1) : std::string();
    return why.empty() ? text + " cannot be executed" : text + " cannot be executed: " + why;
}

std::string explain_script(const std::string& path, const std::string& head, int errnum,
                           int depth) {
    constexpr std::string_view blanks = " \t";
    std::string_view line = std::string_view(head).substr(2, script_head_bytes - 2);
    bool whole = line.find('\n') != std::string_view::npos || head.size() < script_head_bytes;
    line = line.substr(0, line.find('\n'));
    bool carriage_return = line.ends_with('\r');
    line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
    std::string interpreter(line.substr(0, line.find_first_of(blanks)));
    if (carriage_return && (interpreter.ends_with('\r') || interpreter.empty())) {
        return "its first line ends with CR LF, so that the interpreter is \"" +
               printable(interpreter) + "\": convert it, as with sed -i 's/\\r$//' " +
               printable(path);
    }
    if (interpreter.empty()) {
        return "its #! line names no interpreter";
    }
    if (!whole && interpreter.size() == line.size()) {
        return "the interpreter in its #! line is longer than the kernel takes";
    }
    return explain_needed("its interpreter", interpreter, errnum, depth);
}

std::string explain_content(const std::string& path, int fd, int errnum, int depth) {
    std::string head = read_at(fd, 0, script_head_bytes);
    if (head.starts_with("#!")) {
        return explain_script(path, head, errnum, depth);
    }
    bool format_refused = errnum == ENOEXEC || (errnum == ELIBBAD && depth > 0);
    if (!head.starts_with(ELFMAG)) {
        return format_refused ? "it is " + describe_format(path, head) : std::string();
    }
    ElfFile file(fd, head);
    if (format_refused) {
        return "it is " + describe_elf(file);
    }
    std::string loader = file.loader();
    return loader.empty() ? std::string() : explain_needed("its ELF loader", loader, errnum, depth);
}

std::string inspect(const std::string& path, int errnum, int depth) {
    std::string why = sys::explain_path(errnum, AT_FDCWD, path, X_OK);
    struct stat status {};
    if (!why.empty() || ::stat(path.c_str(), &status) != 0) {
        return why;
    }
    if (S_ISDIR(status.st_mode)) {
        return "it is a directory";
    }
    if (!S_ISREG(status.st_mode)) {
        return "it is not a regular file";
    }
    sys::Fd fd;
    if (sys::try_open_at(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, fd) != 0 ||
        ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
        return {};
    }
    return explain_content(path, fd.get(), errnum, depth);
}

} // namespace

std::string explain_not_executed(const std::string& path, int errnum) {
    if (errnum == ETXTBSY) {
        return "it is open for writing";
    }
    if (errnum == E2BIG) {
        return "arguments and environment need more than a quarter of RLIMIT_STACK, or one of "
               "them more than 128 KiB";
    }
    if (errnum == EPERM) {
        return "the seccomp filter of the configuration, or a security module, forbids it";
    }
    return inspect(path, errnum, 0);
}

} // namespace coracle::launch
