#include "coracle/sys/heap.h"

#include "support/catch.h"

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <random>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

using coracle::sys::Heap;

namespace {

struct Block {
    unsigned char* place;
    std::size_t size;
    unsigned char fill;

    [[nodiscard]] bool is_whole() const {
        for (std::size_t i = 0; i < size; ++i) {
            if (place[i] != fill) {
                return false;
            }
        }
        return true;
    }
};

Block make_block(Heap& heap, std::size_t size, unsigned char fill) {
    Block block{static_cast<unsigned char*>(heap.allocate(size)), size, fill};
    REQUIRE(block.place != nullptr);
    REQUIRE(reinterpret_cast<std::uintptr_t>(block.place) % alignof(std::max_align_t) == 0);
    std::memset(block.place, fill, size);
    return block;
}

/// The signal that ends a process which does this; 0 if it lives.
template <class Work>
int signal_of(Work work) {
    pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        (void)std::signal(SIGABRT, SIG_DFL); // Catch2 has a handler
        work();
        ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

} // namespace

TEST_CASE("heap: blocks of all sizes keep what is in them", "[sys]") {
    static Heap heap;
    std::mt19937 random(20); // NOLINT(*-msc51-cpp): the same each time
    std::vector<Block> blocks;
    for (int step = 0; step < 20000; ++step) {
        std::size_t which = blocks.empty() ? 0 : random() % blocks.size();
        unsigned action = random() % 4;
        if (action < 2 || blocks.empty()) {
            std::size_t size = random() % (std::size_t{1} << (random() % 20));
            blocks.push_back(make_block(heap, size, static_cast<unsigned char>(random())));
        } else if (action == 2) {
            REQUIRE(blocks[which].is_whole());
            heap.release(blocks[which].place);
            blocks[which] = blocks.back();
            blocks.pop_back();
        } else {
            Block& block = blocks[which];
            std::size_t size = random() % (std::size_t{1} << (random() % 20));
            block.place = static_cast<unsigned char*>(heap.resize(block.place, size));
            REQUIRE(block.place != nullptr);
            block.size = std::min(block.size, size);
            REQUIRE(block.is_whole());
        }
    }
    for (const Block& block : blocks) {
        REQUIRE(block.is_whole());
        heap.release(block.place);
    }
}

TEST_CASE("heap: what was released is used again", "[sys]") {
    static Heap heap;
    void* first = heap.allocate(100);
    heap.release(first);
    CHECK(heap.allocate(90) == first);
    CHECK(heap.allocate(90) != first);
    heap.release(nullptr);
    CHECK(heap.resize(nullptr, 10) != nullptr);
}

TEST_CASE("heap: more than there can be is refused, and the block stays", "[sys]") {
    static Heap heap;
    CHECK(heap.allocate(SIZE_MAX) == nullptr);
    CHECK(heap.allocate(SIZE_MAX - 8) == nullptr);
    CHECK(heap.allocate(std::size_t{1} << 60) == nullptr);
    Block block = make_block(heap, 10, 7);
    CHECK(heap.resize(block.place, std::size_t{1} << 60) == nullptr);
    CHECK(block.is_whole());
}

TEST_CASE("heap: a block released twice, or written over from before, ends the process", "[sys]") {
    static Heap heap;
    CHECK(signal_of([] { heap.release(heap.allocate(10)); }) == 0);
    CHECK(signal_of([] {
              void* block = heap.allocate(10);
              heap.release(block);
              heap.release(block);
          }) == SIGABRT);
    CHECK(signal_of([] {
              auto* first = static_cast<char*>(heap.allocate(16));
              void* second = heap.allocate(16);
              std::memset(first, 'x', 40); // one block further than it may
              heap.release(second);
          }) == SIGABRT);
}
