#include "coracle/sys/program.h"

#include <cstddef>
#include <cstring>
#include <elf.h>
#include <link.h>
#include <string_view>

namespace coracle::sys {

using namespace std::string_view_literals;

namespace {

/// Notes are padded to four bytes each part.
constexpr std::size_t padded(std::size_t size) {
    return (size + 3) & ~std::size_t{3};
}

std::string to_hexadecimal(std::string_view bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const char byte : bytes) {
        const auto value = static_cast<unsigned char>(byte);
        text += digits[value >> 4U];
        text += digits[value & 15U];
    }
    return text;
}

std::string find_in_notes(std::string_view notes) {
    while (notes.size() >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) head;
        std::memcpy(&head, notes.data(), sizeof(head));
        notes.remove_prefix(sizeof(head));
        const std::size_t name_size = padded(head.n_namesz);
        const std::size_t size = padded(head.n_descsz);
        if (notes.size() < name_size || notes.size() - name_size < size) {
            return "";
        }
        const std::string_view name = notes.substr(0, head.n_namesz);
        if (head.n_type == NT_GNU_BUILD_ID && name == "GNU\0"sv) {
            return to_hexadecimal(notes.substr(name_size, head.n_descsz));
        }
        notes.remove_prefix(name_size + size);
    }
    return "";
}

/// The first object is the program itself.
int look_at_first(struct dl_phdr_info* info, std::size_t, void* result) {
    for (std::size_t i = 0; i < info->dlpi_phnum; ++i) {
        const ElfW(Phdr)& part = info->dlpi_phdr[i];
        // The loader maps what a note segment tells. Notes aligned to eight bytes are others'.
        if (part.p_type == PT_NOTE && part.p_align == 4) {
            // NOLINTNEXTLINE(performance-no-int-to-ptr): where the program was loaded is a number
            const auto* const start = reinterpret_cast<const char*>(info->dlpi_addr + part.p_vaddr);
            std::string found = find_in_notes({start, part.p_memsz});
            if (!found.empty()) {
                *static_cast<std::string*>(result) = std::move(found);
                break;
            }
        }
    }
    return 1;
}

} // namespace

std::string own_build_id() {
    std::string result;
    (void)::dl_iterate_phdr(look_at_first, &result);
    return result;
}

} // namespace coracle::sys
