/// What coracle-init does without, although the C and the C++ library bring it along. Each start
/// copies the whole program (contrib/adr/0004-private-copy.md), and these few references are what
/// would make half of it: formatted output, wide characters, locales, message catalogues, character
/// set conversion, dlopen(3), a malloc(3) for many threads. All definitions are weak: if a library
/// needs its own after all, it takes it, and the program is larger again
/// (contrib/adr/0024-small-init.md). Runs in: init; joiner.

#include "coracle/sys/heap.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace {

constinit coracle::sys::Heap heap;

void* or_no_memory(void* block) noexcept {
    if (block == nullptr) {
        errno = ENOMEM;
    }
    return block;
}

} // namespace

// NOLINTBEGIN(*-identifier-naming, *-reserved-identifier, *-dcl51-cpp, *-dcl37-c): the libraries'
// names

extern "C" {

[[gnu::weak]] void* malloc(std::size_t size) noexcept {
    return or_no_memory(heap.allocate(size));
}

[[gnu::weak]] void free(void* block) noexcept {
    int saved = errno;
    heap.release(block);
    errno = saved;
}

[[gnu::weak]] void* calloc(std::size_t count, std::size_t size) noexcept {
    std::size_t bytes = 0;
    void* block = __builtin_mul_overflow(count, size, &bytes) ? nullptr : heap.allocate(bytes);
    return block == nullptr ? or_no_memory(block) : std::memset(block, 0, bytes);
}

[[gnu::weak]] void* realloc(void* block, std::size_t size) noexcept {
    return or_no_memory(heap.resize(block, size));
}

/// Would print where it failed: init's standard error is the container's.
[[gnu::weak]] void __assert_fail(const char* /*assertion*/, const char* /*file*/, unsigned /*line*/,
                                 const char* /*function*/) noexcept {
    std::abort();
}

/// libstdc++ asks for what its exceptions say.
[[gnu::weak]] char* gettext(const char* text) noexcept {
    return const_cast<char*>(text); // NOLINT(*-const-cast): as gettext(3) does
}

/// Of the loader's errors, which nothing here provokes; our own words are describe_errno's.
[[gnu::weak]] char* __strerror_r(int /*errnum*/, char* /*buffer*/, std::size_t /*size*/) noexcept {
    static char text[] = "error"; // NOLINT(*-avoid-c-arrays): not const, by strerror_r(3)
    return text;
}

/// Prepares isalpha(3) and its like, which need a locale: no source of init's may call one of them.
[[gnu::weak]] void __ctype_init() noexcept {}

} // extern "C"

namespace std { // NOLINT(cert-dcl58-cpp): libstdc++'s own function
[[gnu::weak]] void __glibcxx_assert_fail(const char* /*file*/, int /*line*/,
                                         const char* /*function*/,
                                         const char* /*condition*/) noexcept {
    std::abort();
}
} // namespace std

namespace __gnu_cxx {
/// Would print the name of an exception that left a role, with 50 kB of demangler.
[[gnu::weak]] void __verbose_terminate_handler() {
    std::abort();
}
} // namespace __gnu_cxx

// NOLINTEND(*-identifier-naming, *-reserved-identifier, *-dcl51-cpp, *-dcl37-c)
