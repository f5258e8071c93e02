// Tensors as vectors of numbers, and back.
#include "reference/Numbers.h"

namespace enfold::reference {

template <typename N> std::vector<N> load(const Tensor& tensor) {
  std::vector<N> numbers(static_cast<size_t>(tensor.numElements()));
  dispatchElem(
      tensor.elem(),
      [&](auto tag) {
        const auto* data = tensor.data<decltype(tag)>();
        for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<N>(data[i]);
      },
      [&] {
        for (size_t i = 0; i < numbers.size(); ++i)
          numbers[i] = static_cast<N>(tensor.asDouble(static_cast<int64_t>(i)));
      });
  return numbers;
}

template <typename N> void store(Tensor& tensor, const std::vector<N>& numbers) {
  ENFOLD_CHECK(static_cast<int64_t>(numbers.size()) == tensor.numElements(),
               "stored a wrong number of elements");
  const auto storeEach = [&] {
    for (size_t i = 0; i < numbers.size(); ++i)
      tensor.setDouble(static_cast<int64_t>(i), static_cast<double>(numbers[i]));
  };
  dispatchElem(
      tensor.elem(),
      [&](auto tag) {
        using T = decltype(tag);
        if constexpr (kIsFloat<T> || std::is_integral_v<N>) {
          T* data = tensor.mutableData<T>();
          for (size_t i = 0; i < numbers.size(); ++i) data[i] = toElement<T>(numbers[i]);
        } else {
          storeEach();
        }
      },
      storeEach);
}

#define ENFOLD_NUMBER(N)                                                                           \
  template std::vector<N> load(const Tensor&);                                                     \
  template void store(Tensor&, const std::vector<N>&);
ENFOLD_NUMBER(double)
ENFOLD_NUMBER(int64_t)
ENFOLD_NUMBER(uint64_t)
ENFOLD_NUMBER(bool)
#undef ENFOLD_NUMBER

} // namespace enfold::reference
