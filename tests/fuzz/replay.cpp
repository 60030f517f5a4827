#include "fuzz/fuzz.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

/// A fuzz target as an ordinary test: every file of a corpus, then random changes of them for a
/// second or so. CORACLE_FUZZ_SEED repeats a run, CORACLE_FUZZ_SECONDS makes it longer.
namespace {

using Bytes = std::vector<std::uint8_t>;

class Mutator {
  public:
    Mutator(std::vector<Bytes> corpus, unsigned seed) : corpus_(std::move(corpus)), random_(seed) {}

    Bytes next() {
        Bytes data = pick();
        for (std::size_t count = 1 + below(4); count > 0; --count) {
            change(data);
        }
        return data;
    }

  private:
    std::size_t below(std::size_t limit) {
        return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_);
    }
    const Bytes& pick() { return corpus_[below(corpus_.size())]; }
    std::uint8_t byte() {
        constexpr char often[] = "\0\xff\x7f\x80\n\"\\{}[]:,0(): /";
        return below(2) == 0 ? static_cast<std::uint8_t>(often[below(sizeof often - 1)])
                             : static_cast<std::uint8_t>(below(256));
    }
    void change(Bytes& data) {
        const std::size_t at = data.empty() ? 0 : below(data.size());
        const auto here = data.begin() + static_cast<std::ptrdiff_t>(at);
        const std::size_t length =
            data.empty() ? 0 : below(std::min<std::size_t>(data.size() - at, 64)) + 1;
        switch (below(6)) {
        case 0:
            data.insert(here, byte());
            return;
        case 1: { // a part of another file
            const Bytes& other = pick();
            const std::size_t from = other.empty() ? 0 : below(other.size());
            const std::size_t size = std::min<std::size_t>(other.size() - from, 1 + below(64));
            const auto first = other.begin() + static_cast<std::ptrdiff_t>(from);
            data.insert(here, first, first + static_cast<std::ptrdiff_t>(size));
            return;
        }
        case 2:
            data.resize(at);
            return;
        case 3:
            data.erase(here, here + static_cast<std::ptrdiff_t>(length));
            return;
        case 4:
            if (!data.empty()) {
                data[at] = byte();
            }
            return;
        default:
            if (!data.empty()) {
                data[at] = static_cast<std::uint8_t>(data[at] ^ (1U << below(8)));
            }
        }
    }

    std::vector<Bytes> corpus_;
    std::mt19937 random_;
};

unsigned long number_of(const char* name, unsigned long otherwise) {
    const char* text = std::getenv(name);
    return text != nullptr ? std::strtoul(text, nullptr, 10) : otherwise;
}

void run(const Bytes& data, const std::string& name) {
    try {
        (void)LLVMFuzzerTestOneInput(data.data(), data.size());
    } catch (const std::exception& error) { // catch: a find
        std::fprintf(stderr, "%s: %s\n", name.c_str(), error.what());
        std::exit(1);
    }
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: %s CORPUS-DIRECTORY\n", argv[0]);
        return 2;
    }
    std::vector<Bytes> corpus;
    for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
        std::ifstream file(entry.path(), std::ios::binary);
        corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
        std::printf("%s\n", entry.path().c_str());
        (void)std::fflush(stdout);
        run(corpus.back(), entry.path());
    }
    if (corpus.empty()) {
        std::fprintf(stderr, "%s: no files\n", argv[1]);
        return 1;
    }
    run({}, "nothing at all");
    std::sort(corpus.begin(), corpus.end()); // the same order for the same seed
    const unsigned seed =
        static_cast<unsigned>(number_of("CORACLE_FUZZ_SEED", std::random_device{}()));
    std::printf("random changes: CORACLE_FUZZ_SEED=%u\n", seed);
    (void)std::fflush(stdout);
    Mutator mutator(std::move(corpus), seed);
    const auto end = std::chrono::steady_clock::now() +
                     std::chrono::seconds(number_of("CORACLE_FUZZ_SECONDS", 1));
    unsigned long rounds = 0;
    for (; std::chrono::steady_clock::now() < end; ++rounds) {
        run(mutator.next(), "input " + std::to_string(rounds) + " of this seed");
    }
    std::printf("%lu inputs\n", rounds);
    return 0;
}
