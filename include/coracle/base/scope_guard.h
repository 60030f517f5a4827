#pragma once

#include <utility>

namespace coracle {

/// Runs a function when the scope is left, unless dismissed. The function must not throw.
template <class Function>
class ScopeGuard {
  public:
    explicit ScopeGuard(Function function) : function_(std::move(function)) {}
    ScopeGuard(const ScopeGuard&) = delete;
    ScopeGuard& operator=(const ScopeGuard&) = delete;
    ScopeGuard(ScopeGuard&&) = delete;
    ScopeGuard& operator=(ScopeGuard&&) = delete;
    ~ScopeGuard() {
        if (armed_) {
            function_();
        }
    }
    void dismiss() noexcept { armed_ = false; }

  private:
    Function function_;
    bool armed_ = true;
};

} // namespace coracle
