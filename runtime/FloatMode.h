// The floating-point control register while kernels run. Every thread that runs kernels gets the
// same state, whatever the application has set, so that the answer depends neither on the caller's
// rounding mode nor on which thread computed what. Subnormal numbers are flushed to zero unless
// asked otherwise: arithmetic on them is 10-100 times slower on many CPUs.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace enfold::rt {

enum class Denormals : uint8_t { Flush, Keep };

/// Puts the calling thread into the mode for kernels, and restores its own on destruction.
class FloatMode {
public:
  explicit FloatMode(Denormals denormals) : saved_(read()) { write(forKernels(denormals)); }
  ~FloatMode() { write(saved_); }
  FloatMode(const FloatMode&) = delete;
  FloatMode& operator=(const FloatMode&) = delete;

private:
#if defined(__x86_64__)
  using Register = uint32_t;
  static Register read() { return _mm_getcsr(); }
  static void write(Register value) { _mm_setcsr(value); }
  // All exceptions masked, round to nearest; bit 15 flushes results, bit 6 operands.
  static Register forKernels(Denormals denormals) {
    return denormals == Denormals::Flush ? 0x1F80 | 1U << 15 | 1U << 6 : 0x1F80;
  }
#elif defined(__aarch64__)
  using Register = uint64_t;
  static Register read() {
    Register value;
    __asm__ volatile("mrs %0, fpcr" : "=r"(value));
    return value;
  }
  static void write(Register value) { __asm__ volatile("msr fpcr, %0" : : "r"(value)); }
  // Round to nearest, no traps; bit 24 flushes single and double precision, bit 19 half.
  static Register forKernels(Denormals denormals) {
    return denormals == Denormals::Flush ? 1U << 24 | 1U << 19 : 0;
  }
#else
  using Register = uint32_t;
  static Register read() { return 0; }
  static void write(Register) {}
  static Register forKernels(Denormals) { return 0; }
#endif

  Register saved_;
};

} // namespace enfold::rt
