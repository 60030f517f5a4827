#include "bus_messages_private.h"

#include "coracle/base/archive.h"

namespace coracle::plan {

template <class A>
void fields(A& a, std::conditional_t<A::reads, DeviceValue, const DeviceValue>& v) {
    archive::transfer_all(a, v.node, v.value);
}
template <class A>
void fields(A& a, std::conditional_t<A::reads, UnitProperty, const UnitProperty>& v) {
    archive::transfer(a, v.name);
    archive::transfer_variant(a, v.value);
}

} // namespace coracle::plan

namespace coracle::cgroup {

template <class A, class T>
using Of = std::conditional_t<A::reads, T, const T>;

template <class A>
void fields(A& a, Of<A, BusError>& v) {
    archive::transfer_all(a, v.name, v.text);
}
template <class A>
void fields(A& a, Of<A, BusRequest>& v) {
    archive::transfer_enum(a, v.verb, BusVerb::attach);
    archive::transfer_all(a, v.unit, v.sub_cgroup, v.oom_policy, v.properties, v.pids);
}
template <class A>
void fields(A& a, Of<A, BusAnswer>& v) {
    archive::transfer_all(a, v.is_hello, v.has_greeted, v.yes, v.refused, v.has_failed);
    archive::transfer_enum(a, v.kind, ErrorKind::internal);
    archive::transfer_all(a, v.errnum, v.text);
}

namespace {

template <class T>
std::vector<std::uint8_t> encode_one(const T& value) {
    archive::Encoder encoder;
    fields(encoder, value);
    return encoder.take();
}

template <class T>
T decode_one(std::span<const std::uint8_t> data) {
    archive::Decoder decoder(data);
    T value{};
    fields(decoder, value);
    decoder.require_end();
    return value;
}

} // namespace

std::vector<std::uint8_t> encode(const BusRequest& request) {
    return encode_one(request);
}

std::vector<std::uint8_t> encode(const BusAnswer& answer) {
    return encode_one(answer);
}

BusRequest decode_request(std::span<const std::uint8_t> data) {
    return decode_one<BusRequest>(data);
}

BusAnswer decode_answer(std::span<const std::uint8_t> data) {
    return decode_one<BusAnswer>(data);
}

} // namespace coracle::cgroup
