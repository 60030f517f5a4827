#pragma once

#include "coracle/base/error.h"
#include "coracle/base/ids.h"

#include <concepts>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

/// Plain data to bytes and back. A struct names its fields once, in `fields(archive, value)`, and
/// that one list serves both directions. Integers are little-endian and as wide as their type;
/// lengths are 64 bits wide.
namespace coracle::archive {

class Encoder {
  public:
    static constexpr bool reads = false;

    void bytes(const void* data, std::size_t size) {
        std::size_t used = data_.size();
        data_.resize(used + size);
        if (size != 0) {
            std::memcpy(data_.data() + used, data, size);
        }
    }
    template <class Integer>
    void integer(Integer value) {
        bytes(&value, sizeof value);
    }
    [[nodiscard]] std::vector<std::uint8_t> take() { return std::move(data_); }

  private:
    std::vector<std::uint8_t> data_;
};

class Decoder {
  public:
    static constexpr bool reads = true;

    explicit Decoder(std::span<const std::uint8_t> data) : rest_(data) {}

    void bytes(void* data, std::size_t size) {
        if (size > rest_.size()) {
            throw_error(ErrorKind::internal, "a message of the other process is too short");
        }
        if (size != 0) {
            std::memcpy(data, rest_.data(), size);
        }
        rest_ = rest_.subspan(size);
    }
    template <class Integer>
    void integer(Integer& value) {
        bytes(&value, sizeof value);
    }
    /// A count of elements that take at least one byte each.
    [[nodiscard]] std::size_t length() {
        std::uint64_t count = 0;
        integer(count);
        if (count > rest_.size()) {
            throw_error(ErrorKind::internal, "a message of the other process has a wrong length");
        }
        return static_cast<std::size_t>(count);
    }
    void require_end() const {
        if (!rest_.empty()) {
            throw_error(ErrorKind::internal, "a message of the other process is too long");
        }
    }

  private:
    std::span<const std::uint8_t> rest_;
};

template <class Archive, class Value>
void transfer(Archive& archive, Value& value);

template <class Archive, std::integral Value>
void transfer_one(Archive& archive, Value& value) {
    if constexpr (std::same_as<std::remove_const_t<Value>, bool>) {
        std::uint8_t byte = value ? 1 : 0;
        archive.integer(byte);
        if constexpr (Archive::reads) {
            if (byte > 1) {
                throw_error(ErrorKind::internal,
                            "a message of the other process has a wrong value");
            }
            value = byte != 0;
        }
    } else {
        archive.integer(value);
    }
}

/// `last` is the highest enumerator that the message may hold.
template <class Archive, class Enum>
void transfer_enum(Archive& archive, Enum& value, std::remove_const_t<Enum> last) {
    std::uint8_t byte = static_cast<std::uint8_t>(value);
    archive.integer(byte);
    if constexpr (Archive::reads) {
        if (byte > static_cast<std::uint8_t>(last)) {
            throw_error(ErrorKind::internal, "a message of the other process has a wrong value");
        }
        value = static_cast<Enum>(byte);
    }
}

template <class Archive>
void transfer_text(Archive& archive,
                   std::conditional_t<Archive::reads, std::string, const std::string>& value) {
    if constexpr (Archive::reads) {
        value.resize(archive.length());
        archive.bytes(value.data(), value.size());
    } else {
        archive.integer(static_cast<std::uint64_t>(value.size()));
        archive.bytes(value.data(), value.size());
    }
}

template <class Archive, class Vector>
void transfer_vector(Archive& archive, Vector& values) {
    if constexpr (Archive::reads) {
        values.clear();
        std::size_t count = archive.length();
        for (std::size_t i = 0; i < count; ++i) {
            values.emplace_back();
            transfer(archive, values.back());
        }
    } else {
        archive.integer(static_cast<std::uint64_t>(values.size()));
        for (const auto& value : values) {
            transfer(archive, value);
        }
    }
}

template <class Archive, class Optional>
void transfer_optional(Archive& archive, Optional& value) {
    bool present = value.has_value();
    transfer_one(archive, present);
    if constexpr (Archive::reads) {
        if (present) {
            transfer(archive, value.emplace());
        } else {
            value.reset();
        }
    } else if (present) {
        transfer(archive, *value);
    }
}

/// Makes `value` hold an empty alternative `index`.
template <std::size_t Index = 0, class Variant>
void set_alternative(Variant& value, std::size_t index) {
    if constexpr (Index < std::variant_size_v<Variant>) {
        if (index == Index) {
            value.template emplace<Index>();
        } else {
            set_alternative<Index + 1>(value, index);
        }
    }
}

/// The number of the alternative, then the alternative.
template <class Archive, class Variant>
void transfer_variant(Archive& archive, Variant& value) {
    std::uint8_t index = static_cast<std::uint8_t>(value.index());
    archive.integer(index);
    if constexpr (Archive::reads) {
        if (index >= std::variant_size_v<Variant>) {
            throw_error(ErrorKind::internal, "a message of the other process has a wrong value");
        }
        set_alternative(value, index);
    }
    std::visit([&](auto& alternative) { transfer(archive, alternative); }, value);
}

template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;
template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;
template <class T>
inline constexpr bool is_pair = false;
template <class A, class B>
inline constexpr bool is_pair<std::pair<A, B>> = true;

template <class Archive, class Value>
void transfer(Archive& archive, Value& value) {
    using Plain = std::remove_const_t<Value>;
    if constexpr (std::integral<Plain>) {
        transfer_one(archive, value);
    } else if constexpr (std::same_as<Plain, std::string>) {
        transfer_text(archive, value);
    } else if constexpr (is_vector<Plain>) {
        transfer_vector(archive, value);
    } else if constexpr (is_optional<Plain>) {
        transfer_optional(archive, value);
    } else if constexpr (is_pair<Plain>) {
        transfer(archive, value.first);
        transfer(archive, value.second);
    } else {
        fields(archive, value); // found by argument-dependent lookup
    }
}

template <class Archive, class... Values>
void transfer_all(Archive& archive, Values&... values) {
    (transfer(archive, values), ...);
}

} // namespace coracle::archive
