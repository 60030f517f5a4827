#include "support/catch.h"

#include "plan/cgroup_private.h"

#include <cmath>
#include <cstdint>

using namespace coracle;

TEST_CASE("cgroup: the weight of all shares is what the mathematical library gives", "[plan]") {
    std::uint64_t same = 3;
    double weight = 0;
    do {
        double l = std::log2(static_cast<double>(same));
        weight = std::ceil(std::pow(10, l * (l + 125) / 612 - 7.0 / 34) - 1e-9);
    } while (static_cast<double>(plan::cpu_weight_of_shares(same)) == weight && ++same < 262144);
    CHECK(same == 262144);
}
