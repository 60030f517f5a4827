// Prototype for ADR 0006: what it costs to hand a plan of N bytes to another process.
// Run: g++ -std=c++20 -O2 plan_message.cpp -o /tmp/plan && /tmp/plan
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

using Plan = std::vector<std::string>;
using Clock = std::chrono::steady_clock;

constexpr std::size_t fragment_bytes = 64 * 1024;
constexpr std::size_t rounds = 200;

Plan make_plan(std::size_t bytes) {
    Plan plan;
    for (std::size_t done = 0; done < bytes; done += 44)
        plan.push_back("/some/mount/point/of/forty/letters/" +
                       std::to_string(10000 + done % 90000));
    return plan;
}

std::string encode(const Plan& plan) {
    std::string text;
    for (const std::string& item : plan) {
        std::uint32_t size = static_cast<std::uint32_t>(item.size());
        text.append(reinterpret_cast<const char*>(&size), sizeof size);
        text += item;
    }
    return text;
}

Plan decode(const char* data, std::size_t bytes) {
    Plan plan;
    for (std::size_t at = 0; at + 4 <= bytes;) {
        std::uint32_t size = 0;
        std::memcpy(&size, data + at, sizeof size);
        if (size > bytes - at - 4)
            std::abort();
        plan.emplace_back(data + at + 4, size);
        at += 4 + size;
    }
    return plan;
}

double since(Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

double p10(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 10];
}

// The receiver answers one byte when it has decoded everything.
[[noreturn]] void receive_fragments(int channel, std::size_t total) {
    std::string text(total, '\0');
    for (std::size_t round = 0; round < rounds; ++round) {
        for (std::size_t got = 0; got < total;) {
            ssize_t size = recv(channel, text.data() + got, total - got, 0);
            if (size <= 0)
                _exit(1);
            got += static_cast<std::size_t>(size);
        }
        char answer = decode(text.data(), total).empty() ? 'e' : 'k';
        (void)!send(channel, &answer, 1, 0);
    }
    _exit(0);
}

[[noreturn]] void receive_memfd(int channel, int memfd, std::size_t total) {
    for (std::size_t round = 0; round < rounds; ++round) {
        char word = 0;
        if (recv(channel, &word, 1, 0) != 1)
            _exit(1);
        void* data = mmap(nullptr, total, PROT_READ, MAP_PRIVATE | MAP_POPULATE, memfd, 0);
        char answer = decode(static_cast<const char*>(data), total).empty() ? 'e' : 'k';
        munmap(data, total);
        (void)!send(channel, &answer, 1, 0);
    }
    _exit(0);
}

void send_fragments(int channel, const std::string& text) {
    for (std::size_t at = 0; at < text.size(); at += fragment_bytes)
        (void)!send(channel, text.data() + at, std::min(fragment_bytes, text.size() - at), 0);
}

void fill_memfd(int channel, int memfd, const std::string& text) {
    (void)!ftruncate(memfd, 0); // fresh pages each time, as a new memfd would have
    (void)!pwrite(memfd, text.data(), text.size(), 0);
    (void)!send(channel, "g", 1, 0);
}

template <class Child, class Send>
double measure(const Plan& plan, Child child, Send send_plan, double& encoding) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        std::abort();
    const std::size_t total = encode(plan).size();
    if (fork() == 0)
        child(ends[1], total);
    std::vector<double> whole, encoded;
    for (std::size_t round = 0; round < rounds; ++round) {
        const Clock::time_point start = Clock::now();
        const std::string text = encode(plan);
        encoded.push_back(since(start));
        send_plan(ends[0], text);
        char answer = 0;
        if (recv(ends[0], &answer, 1, 0) != 1 || answer != 'k')
            std::abort();
        whole.push_back(since(start));
    }
    wait(nullptr);
    encoding = p10(encoded);
    return p10(whole);
}

} // namespace

int main() {
    std::puts("p10 ms: encode alone; encode, send, decode, one answer");
    for (std::size_t bytes : {10'000UL, 100'000UL, 1'000'000UL}) {
        const Plan plan = make_plan(bytes);
        const int memfd = memfd_create("plan", MFD_CLOEXEC);
        double encoding = 0;
        const double sent = measure(plan, receive_fragments, send_fragments, encoding);
        const double shared = measure(
            plan, [memfd](int channel, std::size_t total) { receive_memfd(channel, memfd, total); },
            [memfd](int channel, const std::string& text) { fill_memfd(channel, memfd, text); },
            encoding);
        std::printf("%7zu bytes: encode %.3f; fragments %.3f; memfd %.3f\n", bytes, encoding, sent,
                    shared);
    }
}
