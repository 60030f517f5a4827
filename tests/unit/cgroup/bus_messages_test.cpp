#include "support/catch.h"

#include "cgroup/bus_messages_private.h"
#include "coracle/base/error.h"

#include <algorithm>
#include <memory>

using namespace coracle;
using namespace coracle::cgroup;

namespace {

using Bytes = std::vector<std::uint8_t>;

BusRequest sample_request() {
    BusRequest request;
    request.verb = BusVerb::start_scope;
    request.unit = "coracle-a.scope";
    request.sub_cgroup = "/payload";
    request.oom_policy = "continue";
    request.properties = {{"Delegate", true},
                          {"MemoryMax", std::uint64_t{1} << 40},
                          {"Slice", std::string("user.slice")},
                          {"AllowedCPUs", Bytes{0, 255, 1}},
                          {"IODeviceWeight", plan::DeviceValue{"/dev/block/8:0", 5000}}};
    request.pids = {1, 4194304};
    return request;
}

BusAnswer sample_answer() {
    BusAnswer answer;
    answer.has_greeted = true;
    answer.yes = true;
    answer.refused = BusError{"org.freedesktop.systemd1.UnitExists", "it is there"};
    answer.has_failed = true;
    answer.kind = ErrorKind::unsupported;
    answer.errnum = 2;
    answer.text = "no libsystemd";
    return answer;
}

/// Every prefix, and one byte more, is refused as what it is: a broken promise.
template <class Decode>
void refuses_what_is_cut(const Bytes& bytes, Decode decode) {
    for (std::size_t size = 0; size <= bytes.size() + 1; ++size) {
        if (size == bytes.size()) {
            continue;
        }
        // Memory that ends where the data ends, so that the sanitizer sees any over-read.
        const std::unique_ptr<std::uint8_t[]> copy(new std::uint8_t[size]{});
        std::copy_n(bytes.begin(), std::min(size, bytes.size()), copy.get());
        try {
            (void)decode(std::span<const std::uint8_t>(copy.get(), size));
            FAIL("taken with " << size << " of " << bytes.size() << " bytes");
        } catch (const Error& error) {
            CHECK(error.kind() == ErrorKind::internal);
        }
    }
}

} // namespace

TEST_CASE("bus messages: a request comes back as it was sent", "[cgroup]") {
    const BusRequest sent = sample_request();
    const BusRequest back = decode_request(encode(sent));
    CHECK(back.verb == sent.verb);
    CHECK(back.unit == sent.unit);
    CHECK(back.sub_cgroup == sent.sub_cgroup);
    CHECK(back.oom_policy == sent.oom_policy);
    CHECK(back.properties == sent.properties);
    CHECK(back.pids == sent.pids);
}

TEST_CASE("bus messages: an answer comes back as it was sent", "[cgroup]") {
    const BusAnswer sent = sample_answer();
    const BusAnswer back = decode_answer(encode(sent));
    CHECK(back.has_greeted);
    CHECK(back.yes);
    REQUIRE(back.refused.has_value());
    CHECK(back.refused->name == sent.refused->name);
    CHECK(back.refused->text == sent.refused->text);
    CHECK(back.has_failed);
    CHECK(back.kind == sent.kind);
    CHECK(back.errnum == sent.errnum);
    CHECK(back.text == sent.text);
}

TEST_CASE("bus messages: what is cut or has a wrong verb is refused", "[cgroup]") {
    const Bytes request = encode(sample_request());
    refuses_what_is_cut(request, decode_request);
    refuses_what_is_cut(encode(sample_answer()), decode_answer);
    Bytes wrong = request;
    wrong[0] = static_cast<std::uint8_t>(BusVerb::attach) + 1;
    CHECK_THROWS_AS(decode_request(wrong), Error);
}
