#pragma once

#include <array>
#include <cstddef>

namespace coracle::sys {

/// Memory for a small program of one thread that soon becomes another: blocks whose sizes are
/// powers of two, kept in free lists when they are released, cut from regions that stay until the
/// end; what is larger than 128 KiB has pages of its own. A block that is released twice, or whose
/// head was written over, ends the process by SIGABRT. Its first region is within: half a MiB, of
/// which only what is used takes memory. Runs in: init; joiner (as their malloc(3)).
class Heap {
  public:
    constexpr Heap() noexcept = default;
    Heap(const Heap&) = delete;
    Heap& operator=(const Heap&) = delete;
    Heap(Heap&&) = delete;
    Heap& operator=(Heap&&) = delete;
    ~Heap() = default;

    /// `size` bytes, not filled, aligned for any type. nullptr if there is no memory.
    [[nodiscard]] void* allocate(std::size_t size) noexcept;
    /// A block with the content of `block`, which is gone, as far as it has room; nullptr if there
    /// is no memory, and `block` stays. `block` may be nullptr.
    [[nodiscard]] void* resize(void* block, std::size_t size) noexcept;
    /// `block` may be nullptr.
    void release(void* block) noexcept;

  private:
    static constexpr unsigned smallest = 5; ///< as a power of two, the head included
    static constexpr unsigned largest = 17;
    struct Free {
        Free* next;
    };

    [[nodiscard]] char* cut(std::size_t bytes) noexcept;

    std::array<Free*, largest + 1> free_{};
    // Most starts need no more and ask the kernel for nothing.
    alignas(std::max_align_t) std::array<char, std::size_t{512} << 10> first_region_{};
    char* next_ = nullptr; ///< what is left of the newest region
    std::size_t left_ = 0;
    bool began_ = false;
};

} // namespace coracle::sys
