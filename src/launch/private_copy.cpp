#include "private_copy_private.h"

#include "coracle/base/error.h"
#include "coracle/base/exception.h"
#include "coracle/launch/launch.h"
#include "coracle/sys/file.h"
#include "coracle/sys/process.h"

#include <cerrno>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <optional>
#include <string_view>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

extern "C" const char coracle_init_image_begin[]; // NOLINT: symbols of init_image.S
extern "C" const char coracle_init_image_end[];   // NOLINT
extern "C" const char __ehdr_start[];             // NOLINT: the linker's name of our ELF header

namespace coracle::launch {

namespace {

std::string_view image() noexcept {
    return {coracle_init_image_begin,
            static_cast<std::size_t>(coracle_init_image_end - coracle_init_image_begin)};
}

/// Where the image is in our own executable's file: the segment that holds it tells.
std::optional<off_t> find_image_offset() noexcept {
    const auto* headers = reinterpret_cast<const ElfW(Phdr)*>(::getauxval(AT_PHDR)); // NOLINT
    unsigned long count = ::getauxval(AT_PHNUM);
    auto address = static_cast<ElfW(Addr)>(coracle_init_image_begin - __ehdr_start);
    for (unsigned long i = 0; headers != nullptr && i < count; ++i) {
        const ElfW(Phdr)& segment = headers[i];
        bool holds = segment.p_type == PT_LOAD && address >= segment.p_vaddr &&
                     address + image().size() <= segment.p_vaddr + segment.p_filesz;
        if (holds) {
            return static_cast<off_t>(address - segment.p_vaddr + segment.p_offset);
        }
    }
    return std::nullopt;
}

/// From the file straight into the copy: the pages of the image never enter this process, whose
/// memory the intermediate gets a copy of. False if nothing was written.
bool copy_from_own_file(int file) {
    std::optional<off_t> offset = find_image_offset();
    sys::Fd own;
    if (!offset || sys::try_open_at(AT_FDCWD, "/proc/self/exe", O_RDONLY, 0, own) != 0) {
        return false; // an executable that may be executed but not read
    }
    return sys::try_copy_range(own.get(), *offset, image().size(), file);
}

void write_image(int file) {
    if (!copy_from_own_file(file)) {
        sys::write_all(file, image(), "the private copy");
    }
}

} // namespace

PrivateCopy::PrivateCopy() {
    int errnum = sys::try_make_memory_file("coracle-init", fd_);
    if (errnum == 0) {
        return;
    }
    // vm.memfd_noexec, or refused. As no file is executed that anyone may write, this one is
    // filled before others inherit it.
    in_context([&] { return std::string("memfd_create: ") + describe_errno(errnum); },
               [&] {
                   sys::Fd writable = sys::make_nameless_file();
                   write_image(writable.get());
                   constexpr mode_t everybody =
                       0555; // init may be one whom its owner does not know
                   if (::fchmod(writable.get(), everybody) != 0) {
                       int saved = errno;
                       throw_system(saved, "chmod of the private copy");
                   }
                   fd_ = sys::reopen_readonly(writable.get());
               });
    filled_ = true;
}

void PrivateCopy::fill() {
    if (!filled_) {
        write_image(fd_.get());
        sys::seal(fd_.get());
        filled_ = true;
    }
}

[[gnu::no_sanitize_address]] // its stack is not the one that ASan knows
int execute_private_copy(void* argument) noexcept {
    CopyStart& start = *static_cast<CopyStart*>(argument);
    try {
        sys::set_parent_death_signal();
        sys::set_process_name(start.name);
        if (start.copy == CopyStart::Copy::awaited) {
            (void)start.channel.require<CopyReady>();
        }
        sys::keep_over_exec(start.channel.fd());
        sys::execute_fd(start.private_copy, {start.program, std::to_string(start.channel.fd())});
    } catch (const Error& error) { // catch: a role's edge
        start.channel.send_failed(Stage::begin, error);
    } catch (const std::exception& error) { // catch: a role's edge
        start.channel.send_failed(Stage::begin,
                                  Error(ErrorKind::internal, describe_exception(error)));
    }
    ::_exit(1);
}

std::size_t private_copy_bytes() noexcept {
    return image().size();
}

} // namespace coracle::launch
