#include "coracle/sys/heap.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>
#include <utility>

namespace coracle::sys {

namespace {

constexpr std::size_t region_bytes = std::size_t{1} << 20;
constexpr std::size_t most = SIZE_MAX / 4;

/// Before each block.
struct Head {
    std::size_t bytes; ///< of the whole: a power of two, or of its own pages
    std::uintptr_t check;
};
static_assert(sizeof(Head) % alignof(std::max_align_t) == 0);

std::uintptr_t check_of(const Head* head) noexcept {
    constexpr std::uintptr_t in_use = 0x636f7261636c6521;
    return reinterpret_cast<std::uintptr_t>(head) ^ in_use ^ head->bytes;
}

Head* head_of(void* block) noexcept {
    Head* head = static_cast<Head*>(block) - 1;
    if (head->check != check_of(head)) {
        std::abort();
    }
    return head;
}

void* begin_block(void* place, std::size_t bytes) noexcept {
    Head* head = static_cast<Head*>(place);
    head->bytes = bytes;
    head->check = check_of(head);
    return head + 1;
}

void* map_pages(std::size_t bytes) noexcept {
    void* place =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return place == MAP_FAILED ? nullptr : place;
}

void* map_block(std::size_t wanted) noexcept {
    constexpr std::size_t page = 4096; // the kernel rounds up where they are larger
    std::size_t bytes = (wanted + page - 1) / page * page;
    void* pages = map_pages(bytes);
    return pages == nullptr ? nullptr : begin_block(pages, bytes);
}

} // namespace

char* Heap::cut(std::size_t bytes) noexcept {
    if (!began_) {
        began_ = true;
        next_ = first_region_.data();
        left_ = first_region_.size();
    }
    if (left_ < bytes) { // what is left of the old region is lost
        void* region = map_pages(region_bytes);
        if (region == nullptr) {
            return nullptr;
        }
        next_ = static_cast<char*>(region);
        left_ = region_bytes;
    }
    left_ -= bytes;
    return std::exchange(next_, next_ + bytes);
}

void* Heap::allocate(std::size_t size) noexcept {
    if (size > most) {
        return nullptr;
    }
    std::size_t wanted = size + sizeof(Head);
    unsigned power = std::max(static_cast<unsigned>(std::bit_width(wanted - 1)), smallest);
    if (power > largest) {
        return map_block(wanted);
    }
    std::size_t bytes = std::size_t{1} << power;
    Free*& first = free_.at(power);
    if (first != nullptr) {
        return begin_block(std::exchange(first, first->next), bytes);
    }
    char* place = cut(bytes);
    return place == nullptr ? nullptr : begin_block(place, bytes);
}

void Heap::release(void* block) noexcept {
    if (block == nullptr) {
        return;
    }
    Head* head = head_of(block);
    std::size_t bytes = std::exchange(head->bytes, 0);
    head->check = 0;
    auto power = static_cast<unsigned>(std::bit_width(bytes - 1));
    if (power > largest) {
        (void)::munmap(head, bytes);
        return;
    }
    Free* released = reinterpret_cast<Free*>(head); // NOLINT(*-reinterpret-cast): its memory
    released->next = std::exchange(free_.at(power), released);
}

void* Heap::resize(void* block, std::size_t size) noexcept {
    if (block == nullptr) {
        return allocate(size);
    }
    std::size_t room = head_of(block)->bytes - sizeof(Head);
    if (size <= room) {
        return block;
    }
    void* larger = allocate(size);
    if (larger != nullptr) {
        std::memcpy(larger, block, room);
        release(block);
    }
    return larger;
}

} // namespace coracle::sys
