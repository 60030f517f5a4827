#include "coracle/sys/program_file.h"

#include "coracle/base/error.h"
#include "coracle/sys/file.h"

#include <cerrno>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <optional>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

extern "C" const char __ehdr_start[]; // NOLINT: the linker's name of our ELF header

namespace coracle::sys {

namespace {

/// Where the image is in our own executable's file: the segment that holds it tells.
std::optional<off_t> find_offset(std::string_view image) noexcept {
    const auto* headers = reinterpret_cast<const ElfW(Phdr)*>(::getauxval(AT_PHDR)); // NOLINT
    unsigned long count = ::getauxval(AT_PHNUM);
    auto address = static_cast<ElfW(Addr)>(image.data() - __ehdr_start);
    for (unsigned long i = 0; headers != nullptr && i < count; ++i) {
        const ElfW(Phdr)& segment = headers[i];
        bool holds = segment.p_type == PT_LOAD && address >= segment.p_vaddr &&
                     address + image.size() <= segment.p_vaddr + segment.p_filesz;
        if (holds) {
            return static_cast<off_t>(address - segment.p_vaddr + segment.p_offset);
        }
    }
    return std::nullopt;
}

/// From the file straight into the copy: the pages of the image never enter this process, whose
/// memory its children get a copy of. False if nothing was written.
bool copy_from_own_file(std::string_view image, int file) {
    std::optional<off_t> offset = find_offset(image);
    Fd own;
    if (!offset || try_open_at(AT_FDCWD, "/proc/self/exe", O_RDONLY, 0, own) != 0) {
        return false; // an executable that may be executed but not read
    }
    return try_copy_range(own.get(), *offset, image.size(), file);
}

void write_image(std::string_view image, int file) {
    if (!copy_from_own_file(image, file)) {
        write_all(file, image, "the private copy");
    }
}

} // namespace

ProgramFile::ProgramFile(const std::string& name, std::string_view image) : image_(image) {
    int errnum = try_make_memory_file(name, fd_);
    if (errnum == 0) {
        return;
    }
    // vm.memfd_noexec, or refused. As no file is executed that anyone may write, this one is
    // filled before others inherit it.
    in_context([&] { return std::string("memfd_create: ") + describe_errno(errnum); },
               [&] {
                   Fd writable = make_nameless_file();
                   write_image(image_, writable.get());
                   constexpr mode_t everybody =
                       0555; // init may be one whom its owner does not know
                   if (::fchmod(writable.get(), everybody) != 0) {
                       int saved = errno;
                       throw_system(saved, "chmod of the private copy");
                   }
                   fd_ = reopen_readonly(writable.get());
               });
    filled_ = true;
}

void ProgramFile::fill() {
    if (!filled_) {
        write_image(image_, fd_.get());
        seal(fd_.get());
        filled_ = true;
    }
}

} // namespace coracle::sys
